//! The state of one job: the active run, the queue, and the next due time.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::job_spec::{Job, Missed, Overlap};
use crate::scheduler::planner::due_times::DueTimes;
use crate::scheduler::planner::plan::{Action, DropReason, Dropped, RunEnd};
use topsell_core::model::Timestamp;

/// The length of a job's queue.
const MAX_QUEUED: usize = 1_000;
/// How often a due run is started if its process dies: a job that kills its process must not do so forever.
const MAX_ATTEMPTS: u32 = 5;
/// The delay before a run that could not be started is retried; doubled each time, up to the maximum.
const PAUSE_SECONDS: i64 = 1;
const MAX_PAUSE_SECONDS: i64 = 64;

/// A due time and the number of the attempt.
type Attempt = (Timestamp, u32);

/// The state of one job.
pub(super) struct JobState {
    job: Arc<Job>,
    /// `None` if it has no schedule or was removed.
    times: Option<DueTimes>,
    /// Everything due up to here has been started, dropped or queued.
    seen: Timestamp,
    /// The first due time after that.
    next: Option<Timestamp>,
    waiting: VecDeque<Attempt>,
    /// The queue is paused until this time.
    paused_until: Option<Timestamp>,
    pause_seconds: i64,
    running: Option<Running>,
    /// Started and not yet claimed.
    unclaimed: BTreeSet<Timestamp>,
    marked: Option<Timestamp>,
    is_retired: bool,
}

struct Running {
    attempted: Attempt,
    is_killed: bool,
}

impl JobState {
    pub fn new(
        job: Arc<Job>,
        since: Option<Timestamp>,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> JobState {
        let times = DueTimes::of(&job);
        let seen = since.unwrap_or(now);
        let next = times.as_ref().and_then(|times| times.next_after(seen));
        let mut state = JobState {
            job,
            times,
            seen,
            next,
            waiting: VecDeque::new(),
            paused_until: None,
            pause_seconds: PAUSE_SECONDS,
            running: None,
            unclaimed: BTreeSet::new(),
            marked: since,
            is_retired: false,
        };
        state.mark(actions);
        state
    }

    /// Returns when the job needs attention next.
    pub fn wakes(&self) -> Option<Timestamp> {
        let begins = self.next.map(|due| self.start_of(due));
        let resumes = match (self.waiting.is_empty(), &self.running) {
            (false, None) => Some(self.paused_until.unwrap_or(self.seen)),
            _ => None,
        };
        [begins, resumes].into_iter().flatten().min()
    }

    /// Returns whether the job was removed and has no active run.
    pub fn is_gone(&self) -> bool {
        self.is_retired && self.running.is_none()
    }

    /// Handles everything that is due by now.
    pub fn look(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if let Some(times) = &self.times
            && let until = times.missed_until(now)
            && self.next.is_some_and(|due| due < until)
        {
            self.catch_up(until, now, actions);
        }
        while let Some(due) = self.next.filter(|due| self.start_of(*due) <= now) {
            self.see(due);
            self.arrive(due, now, actions);
        }
        self.start_next(now, actions);
        self.mark(actions);
    }

    pub fn ended(&mut self, attempted: Attempt, end: RunEnd, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(running) = self.running.take_if(|running| running.attempted == attempted) else { return };
        let (at, attempt) = attempted;
        if end != RunEnd::Unclaimed {
            self.pause_seconds = PAUSE_SECONDS;
        }
        match end {
            RunEnd::Recorded => {}
            RunEnd::Died if running.is_killed || self.is_retired || !self.may_repeat(attempt) => {
                actions.push(Action::ReapOrphan { job: self.job.name.clone(), at, attempt });
            }
            // The next attempt ends the record of the dead one; if it dies too, the record is found open.
            RunEnd::Died => self.waiting.push_front((at, attempt + 1)),
            RunEnd::Unclaimed if self.is_retired => self.drop_one(at, DropReason::Missed, actions),
            RunEnd::Unclaimed if running.is_killed => self.drop_one(at, DropReason::Overlap, actions),
            RunEnd::Unclaimed => {
                self.waiting.push_front(attempted);
                self.paused_until = Some(now.plus_seconds(self.pause_seconds));
                self.pause_seconds = (self.pause_seconds * 2).min(MAX_PAUSE_SECONDS);
            }
        }
        self.unclaimed.remove(&at);
        self.start_next(now, actions);
        self.mark(actions);
    }

    pub fn claimed(&mut self, at: Timestamp, actions: &mut Vec<Action>) {
        self.unclaimed.remove(&at);
        self.mark(actions);
    }

    pub fn orphaned(&mut self, (at, attempt): Attempt, now: Timestamp, actions: &mut Vec<Action>) {
        let is_known = self.running.as_ref().is_some_and(|running| running.attempted.0 == at)
            || self.waiting.iter().any(|(waits, _)| *waits == at);
        if is_known {
            return;
        }
        if self.is_retired || !self.may_repeat(attempt) {
            actions.push(Action::ReapOrphan { job: self.job.name.clone(), at, attempt });
            return;
        }
        self.waiting.push_front((at, attempt + 1));
        self.start_next(now, actions);
    }

    /// Applies a new definition; an active run continues.
    pub fn redefine(&mut self, job: Arc<Job>, now: Timestamp, actions: &mut Vec<Action>) {
        let is_same = job.schedule == self.job.schedule && job.time_zone == self.job.time_zone;
        if self.is_retired || !is_same {
            actions.push(Action::Log(format!("{}: schedule changed", job.name)));
            self.seen = now;
        }
        self.is_retired = false;
        self.times = DueTimes::of(&job);
        self.job = job;
        self.next = self.after_seen();
        self.mark(actions);
    }

    /// Removes the job; an active run continues.
    pub fn retire(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.is_retired {
            return;
        }
        actions.push(Action::Log(format!("{}: removed", self.job.name)));
        (self.times, self.next, self.seen, self.is_retired) = (None, None, now, true);
        self.waiting.clear();
        self.unclaimed.clear();
        self.mark(actions);
    }

    /// Restarts the schedule after the clock was set back.
    pub fn reset(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        self.seen = now;
        self.waiting.clear();
        self.unclaimed.clear();
        self.paused_until = None;
        self.next = self.after_seen();
        self.mark(actions);
    }

    /// Handles what was due while no scheduler was running.
    fn catch_up(&mut self, until: Timestamp, now: Timestamp, actions: &mut Vec<Action>) {
        let Some((times, first)) = self.times.as_ref().zip(self.next) else { return };
        let mut missed = times.newest(self.seen, until, MAX_QUEUED);
        let Some(&last) = missed.back() else { return };
        let uncounted = missed.front().is_some_and(|oldest| *oldest > first);
        let kept = match self.job.policy.missed {
            Missed::Skip => VecDeque::new(),
            Missed::Once => missed.pop_back().into_iter().collect(),
            Missed::All => std::mem::take(&mut missed),
        };
        // Those before the oldest that is kept; some of them may not have been counted.
        let end = kept.front().map_or(last, |kept| {
            let before = kept.plus_seconds(-1).max(self.seen);
            times.newest(self.seen, before, 1).back().copied().unwrap_or(first)
        });
        let count = u64::try_from(missed.len()).ok().filter(|_| !uncounted);
        if uncounted || !missed.is_empty() {
            let why =
                if self.job.policy.missed == Missed::All { DropReason::Full } else { DropReason::Missed };
            self.drop_many((first, end), count, why, actions);
        }
        self.see(last);
        for due in kept {
            if self.is_too_late(due, now) {
                self.drop_one(due, DropReason::Deadline, actions);
            } else if self.waiting.len() < MAX_QUEUED {
                self.waiting.push_back((due, 1));
            } else {
                self.drop_one(due, DropReason::Full, actions);
            }
        }
        self.start_next(now, actions);
    }

    /// Handles a run that is due now.
    fn arrive(&mut self, due: Timestamp, now: Timestamp, actions: &mut Vec<Action>) {
        if self.is_too_late(due, now) {
            return self.drop_one(due, DropReason::Deadline, actions);
        }
        if self.running.is_none() && self.waiting.is_empty() {
            return self.start((due, 1), actions);
        }
        match self.job.policy.overlap {
            Overlap::Skip => self.drop_one(due, DropReason::Overlap, actions),
            Overlap::Queue if self.waiting.len() >= MAX_QUEUED => {
                self.drop_one(due, DropReason::Full, actions);
            }
            Overlap::Queue => self.waiting.push_back((due, 1)),
            Overlap::KillOld => {
                for (older, _) in std::mem::take(&mut self.waiting) {
                    self.drop_one(older, DropReason::Overlap, actions);
                }
                self.waiting.push_back((due, 1));
                if let Some(running) = self.running.as_mut().filter(|running| !running.is_killed) {
                    running.is_killed = true;
                    actions.push(Action::Kill { job: Arc::clone(&self.job) });
                }
            }
        }
    }

    /// Starts the first run in the queue, if possible.
    fn start_next(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.paused_until.is_some_and(|until| until > now && until <= now.plus_seconds(MAX_PAUSE_SECONDS))
        {
            return;
        }
        self.paused_until = None;
        while self.running.is_none()
            && let Some((at, attempt)) = self.waiting.pop_front()
        {
            match attempt == 1 && self.is_too_late(at, now) {
                true => self.drop_one(at, DropReason::Deadline, actions),
                false => self.start((at, attempt), actions),
            }
        }
    }

    fn start(&mut self, attempted: Attempt, actions: &mut Vec<Action>) {
        let (at, attempt) = attempted;
        if attempt == 1 {
            self.unclaimed.insert(at);
        }
        self.running = Some(Running { attempted, is_killed: false });
        actions.push(Action::Start { job: Arc::clone(&self.job), at, attempt });
    }

    fn drop_one(&mut self, due: Timestamp, why: DropReason, actions: &mut Vec<Action>) {
        self.drop_many((due, due), Some(1), why, actions);
    }

    fn drop_many(
        &mut self,
        (first, last): (Timestamp, Timestamp),
        count: Option<u64>,
        why: DropReason,
        actions: &mut Vec<Action>,
    ) {
        let job = self.job.name.clone();
        // Consecutive runs dropped for the same reason are one action.
        if let Some(Action::Drop(before)) = actions.last_mut()
            && (&before.job, before.why) == (&job, why)
            && self.times.as_ref().and_then(|times| times.next_after(before.last)) == Some(first)
        {
            before.last = last;
            before.count = before.count.zip(count).map(|(before, count)| before + count);
            return;
        }
        actions.push(Action::Drop(Dropped { job, first, last, count, why }));
    }

    /// Saves up to when everything has been handled, if that has changed.
    fn mark(&mut self, actions: &mut Vec<Action>) {
        // A further attempt is found by its record, not by its due time.
        let waits = self.waiting.iter().find(|(_, attempt)| *attempt == 1).map(|(at, _)| *at);
        let open = [waits, self.unclaimed.first().copied()].into_iter().flatten().min();
        let just_before = open.and_then(|open| Timestamp::from_micros(open.micros().saturating_sub(1)).ok());
        let handled = just_before.unwrap_or(self.seen);
        if self.times.is_some() && self.marked != Some(handled) {
            self.marked = Some(handled);
            actions.push(Action::Mark { job: self.job.name.clone(), handled });
        }
    }

    fn see(&mut self, due: Timestamp) {
        self.seen = due;
        self.next = self.after_seen();
    }

    fn after_seen(&self) -> Option<Timestamp> {
        self.times.as_ref()?.next_after(self.seen)
    }

    fn start_of(&self, due: Timestamp) -> Timestamp {
        self.times.as_ref().map_or(due, |times| times.start(due))
    }

    fn is_too_late(&self, due: Timestamp, now: Timestamp) -> bool {
        let deadline = self.job.policy.deadline_seconds.and_then(|seconds| i64::try_from(seconds).ok());
        deadline.is_some_and(|seconds| now > self.start_of(due).plus_seconds(seconds))
    }

    fn may_repeat(&self, attempt: u32) -> bool {
        self.job.policy.is_repeatable && attempt < MAX_ATTEMPTS
    }
}
