//! Spawns worker processes shortly before they are needed.
//!
//! Invariant: if a thousand runs are due at once, the first does not wait for the last to have a process.

use std::time::Duration;

use crate::scheduler::daemon::scheduler_loop::SchedulerLoop;
use crate::scheduler::daemon::worker_pool::RESPAWN_DELAY;
use topsell_core::model::Timestamp;

/// How long before a due time a worker is spawned for it.
const PRESPAWN_LEAD: Duration = Duration::from_millis(1_500);
/// The maximum and minimum number of waiting workers.
const MAX_WAITING: usize = 128;
const MIN_WAITING: usize = 2;
/// How many workers are spawned before the clock is read again.
const SPAWN_BATCH: usize = 4;
/// No worker is spawned while this many runs are starting, so that the first of a thousand does not wait for
/// the last.
const MAX_STARTING: usize = 8;
/// The interval of checks how many runs are starting.
const START_POLL_INTERVAL: Duration = Duration::from_millis(5);

impl SchedulerLoop<'_> {
    /// Starts ready runs, as far as possible now.
    pub(super) fn start_ready(&mut self) {
        while !self.ready.is_empty() && self.pool.len() > 0 {
            self.start_first();
        }
        if self.ready.is_empty() || !self.may_spawn() {
            return;
        }
        for _ in 0..SPAWN_BATCH.min(self.ready.len()) {
            if !self.spawn() {
                return;
            }
            self.start_first();
        }
    }

    /// Spawns the workers that will be needed next.
    pub(super) fn prespawn(&mut self) {
        let missing = self.needed_workers(PRESPAWN_LEAD).saturating_sub(self.pool.len());
        if missing == 0 || !self.ready.is_empty() || !self.may_spawn() {
            return;
        }
        for _ in 0..SPAWN_BATCH.min(missing) {
            if !self.spawn() {
                return;
            }
        }
    }

    /// Returns whether another worker may be spawned now; if not, sets when to check again.
    fn may_spawn(&mut self) -> bool {
        let elapsed = self.config.clock.elapsed();
        if elapsed < self.spawn_after {
            return false;
        }
        let starting = |scheduler: &SchedulerLoop| {
            scheduler.started.values().filter(|run| run.is_starting(elapsed)).count()
        };
        if starting(self) >= MAX_STARTING {
            self.check_claims();
            if starting(self) >= MAX_STARTING {
                self.spawn_after = elapsed + START_POLL_INTERVAL;
                return false;
            }
        }
        true
    }

    /// Returns how many workers are needed for what is due within a time.
    pub(super) fn needed_workers(&self, within: Duration) -> usize {
        let Some(planner) = &self.planner else { return 0 };
        if planner.wake().is_none() {
            return 0;
        }
        let until = plus(self.config.clock.wall(), within);
        planner.upcoming(until, MAX_WAITING).max(MIN_WAITING)
    }

    fn spawn(&mut self) -> bool {
        match self.pool.spawn() {
            Ok(()) => true,
            Err(error) => {
                self.warn(&format!("cannot spawn a worker process: {error}"));
                self.spawn_after = self.config.clock.elapsed() + RESPAWN_DELAY;
                false
            }
        }
    }

    /// Returns the time until there is something to do if no event occurs.
    pub(super) fn time_until_next(&self) -> Duration {
        let (elapsed, wall) = (self.config.clock.elapsed(), self.config.clock.wall());
        let mut wait = self.next_poll.saturating_sub(elapsed);
        let Some(planner) = &self.planner else { return wait };
        let may_spawn = self.spawn_after.saturating_sub(elapsed);
        if !self.ready.is_empty() || self.needed_workers(PRESPAWN_LEAD) > self.pool.len() {
            wait = wait.min(may_spawn);
        }
        if let Some(wake) = planner.wake() {
            let until = micros_between(wall, wake);
            wait = wait.min(until);
            // Also when the next worker must be spawned.
            if let Some(ahead) = until.checked_sub(PRESPAWN_LEAD) {
                wait = wait.min(ahead);
            }
        }
        wait
    }
}

fn plus(moment: Timestamp, length: Duration) -> Timestamp {
    let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(moment.micros().saturating_add(micros)).unwrap_or(moment)
}

/// Returns the time from one moment to another, zero if it has passed.
fn micros_between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(to.micros().saturating_sub(from.micros())).unwrap_or(0))
}
