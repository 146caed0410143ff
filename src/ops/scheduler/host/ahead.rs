//! Processes that wait at the gate, started a moment before they are needed, and let go when they are due.
//!
//! Invariant: of a thousand runs due at once the first do not wait for the last to have a process.

use std::time::Duration;

use crate::scheduler::host::Desk;
use topsell_core::model::Timestamp;

/// How long before it is due a process is started that is to run it.
const AHEAD: Duration = Duration::from_millis(1_500);
/// How many processes wait at the gate at most, and at least.
const MOST_WAITING: usize = 128;
const FEWEST_WAITING: usize = 2;
/// How many processes are started before the clock is looked at again.
const AT_ONCE: usize = 4;
/// Another process is started only while fewer than so many of the newest runs have yet to begin: else the
/// first of a thousand would wait for the last.
const MOST_BEGINNING: usize = 8;
/// How often those are looked at, and for how long they are taken to be about to begin.
const BETWEEN_GLANCES: Duration = Duration::from_millis(5);
pub(super) const BEGINNING: Duration = Duration::from_secs(1);
/// After a process that waited died by itself, none is started for so long.
pub(super) const AFTER_DEATH: Duration = Duration::from_secs(1);

impl Desk<'_> {
    /// Starts what is ready, as far as that is possible now.
    pub(super) fn start(&mut self) {
        while !self.ready.is_empty() && self.pool.len() > 0 {
            self.start_first();
        }
        if self.ready.is_empty() || !self.may_add() {
            return;
        }
        for _ in 0..AT_ONCE.min(self.ready.len()) {
            if !self.add() {
                return;
            }
            self.start_first();
        }
    }

    /// Lets as many wait at the gate as will be needed next.
    pub(super) fn wait_ahead(&mut self) {
        let missing = self.wanted(AHEAD).saturating_sub(self.pool.len());
        if missing == 0 || !self.ready.is_empty() || !self.may_add() {
            return;
        }
        for _ in 0..AT_ONCE.min(missing) {
            if !self.add() {
                return;
            }
        }
    }

    /// Tells whether another process may be started now; if not, it is asked again after a while.
    fn may_add(&mut self) -> bool {
        let lapsed = self.host.clock.lapsed();
        if lapsed < self.no_more_until {
            return false;
        }
        let begin = |desk: &Desk| desk.works.values().filter(|work| work.is_beginning(lapsed)).count();
        if begin(self) >= MOST_BEGINNING {
            self.confirm();
            if begin(self) >= MOST_BEGINNING {
                self.no_more_until = lapsed + BETWEEN_GLANCES;
                return false;
            }
        }
        true
    }

    /// Returns how many are to wait at the gate for what is due within a time.
    pub(super) fn wanted(&self, within: Duration) -> usize {
        let Some(planner) = &self.planner else { return 0 };
        if planner.wake().is_none() {
            return 0;
        }
        let until = plus(self.host.clock.wall(), within);
        planner.upcoming(until, MOST_WAITING).max(FEWEST_WAITING)
    }

    fn add(&mut self) -> bool {
        match self.pool.add() {
            Ok(()) => true,
            Err(error) => {
                self.trouble(&format!("no process can be started: {error}"));
                self.no_more_until = self.host.clock.lapsed() + AFTER_DEATH;
                false
            }
        }
    }

    /// Returns how long nothing is to be done, unless something happens.
    pub(super) fn until_next(&self) -> Duration {
        let (lapsed, wall) = (self.host.clock.lapsed(), self.host.clock.wall());
        let mut wait = self.next_look.saturating_sub(lapsed);
        let Some(planner) = &self.planner else { return wait };
        let may_start = self.no_more_until.saturating_sub(lapsed);
        if !self.ready.is_empty() || self.wanted(AHEAD) > self.pool.len() {
            wait = wait.min(may_start);
        }
        if let Some(wake) = planner.wake() {
            let until = micros_between(wall, wake);
            wait = wait.min(until);
            // Also when the next of those that will wait is to be started.
            if let Some(ahead) = until.checked_sub(AHEAD) {
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

/// Returns how long it is from one moment to another, nothing where that has gone by.
fn micros_between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(to.micros().saturating_sub(from.micros())).unwrap_or(0))
}
