//! One job's line: the run at work, those that wait for it, and the next one due.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::job_spec::{Job, Missed, Overlap};
use crate::scheduler::planner::times::Times;
use crate::scheduler::planner::{Action, Dropped, Ended, Why};
use topsell_core::model::Timestamp;

/// How many due runs of a job may wait.
const MOST_WAITING: usize = 1_000;
/// How often one due run is begun, counting those whose owner died: a job that kills its owner must not
/// do so for ever.
const MOST_ATTEMPTS: u32 = 5;
/// How long after a run could not be begun it is tried again; each time twice as long, up to the second.
const PAUSE_SECONDS: i64 = 1;
const LONGEST_PAUSE_SECONDS: i64 = 64;

/// A due run and which attempt at it.
type Turn = (Timestamp, u32);

/// What is known of one job.
pub(super) struct Line {
    job: Arc<Job>,
    /// None where it has no schedule, or is gone.
    times: Option<Times>,
    /// Everything due up to here has been started or dropped, or waits.
    seen: Timestamp,
    /// The first due time after that.
    next: Option<Timestamp>,
    waiting: VecDeque<Turn>,
    /// Those that wait do so until this at least.
    paused_until: Option<Timestamp>,
    pause_seconds: i64,
    running: Option<Running>,
    /// Started, and not seen to have been claimed.
    unclaimed: BTreeSet<Timestamp>,
    marked: Option<Timestamp>,
    is_retired: bool,
}

struct Running {
    turn: Turn,
    is_killed: bool,
}

impl Line {
    pub fn new(job: Arc<Job>, since: Option<Timestamp>, now: Timestamp, todo: &mut Vec<Action>) -> Line {
        let times = Times::of(&job);
        let seen = since.unwrap_or(now);
        let next = times.as_ref().and_then(|times| times.next_after(seen));
        let mut line = Line {
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
        line.mark(todo);
        line
    }

    /// Returns when it wants to be looked at.
    pub fn wakes(&self) -> Option<Timestamp> {
        let begins = self.next.map(|due| self.begin(due));
        let resumes = match (self.waiting.is_empty(), &self.running) {
            (false, None) => Some(self.paused_until.unwrap_or(self.seen)),
            _ => None,
        };
        [begins, resumes].into_iter().flatten().min()
    }

    /// Tells whether it may be forgotten.
    pub fn is_gone(&self) -> bool {
        self.is_retired && self.running.is_none()
    }

    /// Deals with whatever is due by now.
    pub fn look(&mut self, now: Timestamp, todo: &mut Vec<Action>) {
        if let Some(times) = &self.times
            && let until = times.missed_until(now)
            && self.next.is_some_and(|due| due < until)
        {
            self.catch_up(until, now, todo);
        }
        while let Some(due) = self.next.filter(|due| self.begin(*due) <= now) {
            self.see(due);
            self.arrive(due, now, todo);
        }
        self.start_next(now, todo);
        self.mark(todo);
    }

    pub fn ended(&mut self, turn: Turn, how: Ended, now: Timestamp, todo: &mut Vec<Action>) {
        let Some(running) = self.running.take_if(|running| running.turn == turn) else { return };
        let (at, attempt) = turn;
        if how != Ended::Unclaimed {
            self.pause_seconds = PAUSE_SECONDS;
        }
        match how {
            Ended::Told => {}
            Ended::Died if running.is_killed || self.is_retired || !self.may_repeat(attempt) => {
                todo.push(Action::Bury { job: self.job.name.clone(), at, attempt });
            }
            // The record of the one that died is ended by the next: whoever dies in between leaves it
            // open, to be found.
            Ended::Died => self.waiting.push_front((at, attempt + 1)),
            Ended::Unclaimed if self.is_retired => self.drop_one(at, Why::Missed, todo),
            Ended::Unclaimed if running.is_killed => self.drop_one(at, Why::Overlap, todo),
            Ended::Unclaimed => {
                self.waiting.push_front(turn);
                self.paused_until = Some(now.plus_seconds(self.pause_seconds));
                self.pause_seconds = (self.pause_seconds * 2).min(LONGEST_PAUSE_SECONDS);
            }
        }
        self.unclaimed.remove(&at);
        self.start_next(now, todo);
        self.mark(todo);
    }

    pub fn claimed(&mut self, at: Timestamp, todo: &mut Vec<Action>) {
        self.unclaimed.remove(&at);
        self.mark(todo);
    }

    pub fn orphaned(&mut self, (at, attempt): Turn, now: Timestamp, todo: &mut Vec<Action>) {
        let is_known = self.running.as_ref().is_some_and(|running| running.turn.0 == at)
            || self.waiting.iter().any(|(waits, _)| *waits == at);
        if is_known {
            return;
        }
        if self.is_retired || !self.may_repeat(attempt) {
            todo.push(Action::Bury { job: self.job.name.clone(), at, attempt });
            return;
        }
        self.waiting.push_front((at, attempt + 1));
        self.start_next(now, todo);
    }

    /// Takes a new definition; what runs goes on.
    pub fn redefine(&mut self, job: Arc<Job>, now: Timestamp, todo: &mut Vec<Action>) {
        let is_same = job.schedule == self.job.schedule && job.time_zone == self.job.time_zone;
        if self.is_retired || !is_same {
            todo.push(Action::Note(format!("{}: has another schedule, from now on", job.name)));
            self.seen = now;
        }
        self.is_retired = false;
        self.times = Times::of(&job);
        self.job = job;
        self.next = self.after_seen();
        self.mark(todo);
    }

    /// Starts nothing any more.
    pub fn retire(&mut self, now: Timestamp, todo: &mut Vec<Action>) {
        if self.is_retired {
            return;
        }
        todo.push(Action::Note(format!("{}: is gone", self.job.name)));
        (self.times, self.next, self.seen, self.is_retired) = (None, None, now, true);
        self.waiting.clear();
        self.unclaimed.clear();
        self.mark(todo);
    }

    /// Forgets what was due before the clock was set back by much.
    pub fn start_anew(&mut self, now: Timestamp, todo: &mut Vec<Action>) {
        self.seen = now;
        self.waiting.clear();
        self.unclaimed.clear();
        self.paused_until = None;
        self.next = self.after_seen();
        self.mark(todo);
    }

    /// Deals with what was due while nobody was there.
    fn catch_up(&mut self, until: Timestamp, now: Timestamp, todo: &mut Vec<Action>) {
        let Some((times, first)) = self.times.as_ref().zip(self.next) else { return };
        let mut missed = times.newest(self.seen, until, MOST_WAITING);
        let Some(&last) = missed.back() else { return };
        let uncounted = missed.front().is_some_and(|oldest| *oldest > first);
        let kept = match self.job.policy.missed {
            Missed::Skip => VecDeque::new(),
            Missed::Once => missed.pop_back().into_iter().collect(),
            Missed::All => std::mem::take(&mut missed),
        };
        // Those before the oldest that was kept, of which some were perhaps not even counted.
        let end = kept.front().map_or(last, |kept| {
            let before = kept.plus_seconds(-1).max(self.seen);
            times.newest(self.seen, before, 1).back().copied().unwrap_or(first)
        });
        let count = u64::try_from(missed.len()).ok().filter(|_| !uncounted);
        if uncounted || !missed.is_empty() {
            let why = if self.job.policy.missed == Missed::All { Why::Full } else { Why::Missed };
            self.drop_many((first, end), count, why, todo);
        }
        self.see(last);
        for due in kept {
            if self.is_too_late(due, now) {
                self.drop_one(due, Why::Deadline, todo);
            } else if self.waiting.len() < MOST_WAITING {
                self.waiting.push_back((due, 1));
            } else {
                self.drop_one(due, Why::Full, todo);
            }
        }
        self.start_next(now, todo);
    }

    /// Deals with a run that is due now.
    fn arrive(&mut self, due: Timestamp, now: Timestamp, todo: &mut Vec<Action>) {
        if self.is_too_late(due, now) {
            return self.drop_one(due, Why::Deadline, todo);
        }
        if self.running.is_none() && self.waiting.is_empty() {
            return self.start((due, 1), todo);
        }
        match self.job.policy.overlap {
            Overlap::Skip => self.drop_one(due, Why::Overlap, todo),
            Overlap::Queue if self.waiting.len() >= MOST_WAITING => self.drop_one(due, Why::Full, todo),
            Overlap::Queue => self.waiting.push_back((due, 1)),
            Overlap::KillOld => {
                for (older, _) in std::mem::take(&mut self.waiting) {
                    self.drop_one(older, Why::Overlap, todo);
                }
                self.waiting.push_back((due, 1));
                if let Some(running) = self.running.as_mut().filter(|running| !running.is_killed) {
                    running.is_killed = true;
                    todo.push(Action::Kill { job: Arc::clone(&self.job) });
                }
            }
        }
    }

    /// Starts the first of those that wait, if nothing is in its way.
    fn start_next(&mut self, now: Timestamp, todo: &mut Vec<Action>) {
        if self
            .paused_until
            .is_some_and(|until| until > now && until <= now.plus_seconds(LONGEST_PAUSE_SECONDS))
        {
            return;
        }
        self.paused_until = None;
        while self.running.is_none()
            && let Some((at, attempt)) = self.waiting.pop_front()
        {
            match attempt == 1 && self.is_too_late(at, now) {
                true => self.drop_one(at, Why::Deadline, todo),
                false => self.start((at, attempt), todo),
            }
        }
    }

    fn start(&mut self, turn: Turn, todo: &mut Vec<Action>) {
        let (at, attempt) = turn;
        if attempt == 1 {
            self.unclaimed.insert(at);
        }
        self.running = Some(Running { turn, is_killed: false });
        todo.push(Action::Start { job: Arc::clone(&self.job), at, attempt });
    }

    fn drop_one(&mut self, due: Timestamp, why: Why, todo: &mut Vec<Action>) {
        self.drop_many((due, due), Some(1), why, todo);
    }

    fn drop_many(
        &mut self,
        (first, last): (Timestamp, Timestamp),
        count: Option<u64>,
        why: Why,
        todo: &mut Vec<Action>,
    ) {
        let job = self.job.name.clone();
        // One after the other for the same reason are told as one.
        if let Some(Action::Drop(before)) = todo.last_mut()
            && (&before.job, before.why) == (&job, why)
            && self.times.as_ref().and_then(|times| times.next_after(before.last)) == Some(first)
        {
            before.last = last;
            before.count = before.count.zip(count).map(|(before, count)| before + count);
            return;
        }
        todo.push(Action::Drop(Dropped { job, first, last, count, why }));
    }

    /// Says up to when all is handed out, where that has changed.
    fn mark(&mut self, todo: &mut Vec<Action>) {
        // A further attempt is found by its record, not by its due time.
        let waits = self.waiting.iter().find(|(_, attempt)| *attempt == 1).map(|(at, _)| *at);
        let open = [waits, self.unclaimed.first().copied()].into_iter().flatten().min();
        let just_before = open.and_then(|open| Timestamp::from_micros(open.micros().saturating_sub(1)).ok());
        let handled = just_before.unwrap_or(self.seen);
        if self.times.is_some() && self.marked != Some(handled) {
            self.marked = Some(handled);
            todo.push(Action::Mark { job: self.job.name.clone(), handled });
        }
    }

    fn see(&mut self, due: Timestamp) {
        self.seen = due;
        self.next = self.after_seen();
    }

    fn after_seen(&self) -> Option<Timestamp> {
        self.times.as_ref()?.next_after(self.seen)
    }

    fn begin(&self, due: Timestamp) -> Timestamp {
        self.times.as_ref().map_or(due, |times| times.begin(due))
    }

    fn is_too_late(&self, due: Timestamp, now: Timestamp) -> bool {
        let deadline = self.job.policy.deadline_seconds.and_then(|seconds| i64::try_from(seconds).ok());
        deadline.is_some_and(|seconds| now > self.begin(due).plus_seconds(seconds))
    }

    fn may_repeat(&self, attempt: u32) -> bool {
        self.job.policy.is_repeatable && attempt < MOST_ATTEMPTS
    }
}
