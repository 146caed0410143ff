//! What is to be started when, and what not: decided, not done.
//!
//! Invariant: pure; told the time and what has happened, it says what to do. A due time is handed out once:
//! to be started, or to be dropped by a policy that says so. What is marked as handled has been handed out.
//!
//! ```text
//!           due ──► on time ──► idle: start   at work: skip | queue | kill-old
//!            └────► missed  ──► skip | once | all
//!           runner ends ──► the next of those that wait;  died ──► again, if the job may be repeated
//! ```

mod line;
mod times;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::job_spec::Job;
use crate::scheduler::planner::line::Line;
use topsell_core::model::Timestamp;

/// A due run that begins so many seconds late is on time; one that would begin later was missed.
pub const GRACE_SECONDS: i64 = 60;

/// A clock that is set back by no more than this repeats nothing; beyond it, the schedule starts anew.
pub const SET_BACK_SECONDS: i64 = 3 * 3_600;

/// Something has happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// The jobs are these from now on.
    Jobs(Vec<Arc<Job>>),
    /// A runner has ended, or could not be started.
    Ended { job: String, at: Timestamp, attempt: u32, how: Ended },
    /// A runner that has the word is seen to have made the due run its own.
    Claimed { job: String, at: Timestamp },
    /// A record without an end is found, and whoever made it is dead.
    Orphan { job: String, at: Timestamp, attempt: u32 },
}

/// How a runner ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has said so in the record; or someone else has the due run.
    Told,
    /// It died at work: there is a record, without an end.
    Died,
    /// It died before it had made the due run its own, or never came to life.
    Unclaimed,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Start {
        job: Arc<Job>,
        at: Timestamp,
        attempt: u32,
    },
    /// Tell the job's runner to end.
    Kill {
        job: Arc<Job>,
    },
    /// Record that due runs are not started.
    Drop(Dropped),
    /// Write that whoever had this run died; it is not run again.
    Bury {
        job: String,
        at: Timestamp,
        attempt: u32,
    },
    /// Whoever comes next need not look at what was due up to here.
    Mark {
        job: String,
        handled: Timestamp,
    },
    /// Tell whoever watches.
    Note(String),
}

/// Due runs of a job that are not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    pub job: String,
    pub first: Timestamp,
    pub last: Timestamp,
    /// How many; none where there are too many to count.
    pub count: Option<u64>,
    pub why: Why,
}

/// Why a due run is not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// Another run of the job is at work.
    Overlap,
    /// As many as may wait do so already.
    Full,
    /// Nobody was there when it was due.
    Missed,
    /// It could not begin before its deadline.
    Deadline,
}

/// Every job, and when it is next due.
pub struct Planner {
    lines: BTreeMap<Arc<str>, Line>,
    /// When each job next wants to be looked at, soonest first.
    queue: BTreeSet<(Timestamp, Arc<str>)>,
    /// The latest time that it was ever told.
    latest: Timestamp,
}

impl Planner {
    /// Returns a planner of some jobs, and what is to be done first. `handled` says up to when the due runs
    /// of a job have been handed out before; a job that it does not name starts from now.
    pub fn begin(
        now: Timestamp,
        jobs: Vec<Arc<Job>>,
        handled: &BTreeMap<String, Timestamp>,
    ) -> (Planner, Vec<Action>) {
        let mut planner = Planner { lines: BTreeMap::new(), queue: BTreeSet::new(), latest: now };
        let mut todo = Vec::new();
        for job in jobs {
            let mut since = handled.get(&job.name).copied();
            if let Some(later) = since.filter(|since| *since > now.plus_seconds(SET_BACK_SECONDS)) {
                let text = format!("{}: was handled up to {later}; it starts anew from {now}", job.name);
                todo.push(Action::Note(text));
                since = None;
            }
            planner.add(job, since, now, &mut todo);
        }
        planner.look(now, &mut todo);
        (planner, todo)
    }

    /// Takes in what has happened, and returns what is to be done now, in order.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<Action> {
        let mut todo = Vec::new();
        if now.plus_seconds(SET_BACK_SECONDS) < self.latest {
            self.start_anew(now, &mut todo);
        }
        self.latest = self.latest.max(now);
        match event {
            Event::Tick => {}
            Event::Jobs(jobs) => self.reload(jobs, now, &mut todo),
            Event::Ended { job, at, attempt, how } => {
                self.with(&job, |line| line.ended((at, attempt), how, now, &mut todo));
            }
            Event::Claimed { job, at } => self.with(&job, |line| line.claimed(at, &mut todo)),
            Event::Orphan { job, at, attempt } if self.lines.contains_key(&*job) => {
                self.with(&job, |line| line.orphaned((at, attempt), now, &mut todo));
            }
            Event::Orphan { job, at, attempt } => todo.push(Action::Bury { job, at, attempt }),
        }
        self.look(now, &mut todo);
        todo
    }

    /// Returns when it wants to be asked again, if nothing happens before.
    pub fn wake(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Returns how many jobs want to be looked at up to some moment, counted no further than `most`.
    pub fn upcoming(&self, until: Timestamp, most: usize) -> usize {
        self.queue.iter().take_while(|(at, _)| *at <= until).take(most).count()
    }

    /// Looks at every job whose time has come.
    fn look(&mut self, now: Timestamp, todo: &mut Vec<Action>) {
        while let Some((at, name)) = self.queue.first().cloned() {
            if at > now {
                return;
            }
            self.with(&name, |line| line.look(now, todo));
        }
    }

    /// Changes one job's line, and its place in the queue with it.
    fn with(&mut self, name: &str, change: impl FnOnce(&mut Line)) {
        let Some((name, line)) = self.lines.get_key_value(name) else { return };
        let name = Arc::clone(name);
        if let Some(wakes) = line.wakes() {
            self.queue.remove(&(wakes, Arc::clone(&name)));
        }
        let line = self.lines.get_mut(&name).expect("it was found just above");
        change(line);
        match line.wakes() {
            _ if line.is_gone() => drop(self.lines.remove(&name)),
            Some(wakes) => drop(self.queue.insert((wakes, name))),
            None => {}
        }
    }

    fn add(&mut self, job: Arc<Job>, since: Option<Timestamp>, now: Timestamp, todo: &mut Vec<Action>) {
        let name: Arc<str> = job.name.as_str().into();
        let line = Line::new(job, since, now, todo);
        if let Some(wakes) = line.wakes() {
            self.queue.insert((wakes, Arc::clone(&name)));
        }
        self.lines.insert(name, line);
    }

    fn reload(&mut self, jobs: Vec<Arc<Job>>, now: Timestamp, todo: &mut Vec<Action>) {
        let stay: BTreeSet<String> = jobs.iter().map(|job| job.name.clone()).collect();
        let gone: Vec<Arc<str>> =
            self.lines.keys().filter(|name| !stay.contains(&***name)).cloned().collect();
        for name in gone {
            self.with(&name, |line| line.retire(now, todo));
        }
        for job in jobs {
            if self.lines.contains_key(job.name.as_str()) {
                let name = job.name.clone();
                self.with(&name, |line| line.redefine(job, now, todo));
            } else {
                todo.push(Action::Note(format!("{}: is new", job.name)));
                self.add(job, None, now, todo);
            }
        }
    }

    fn start_anew(&mut self, now: Timestamp, todo: &mut Vec<Action>) {
        let text = format!(
            "the clock was set back from {} to {now}: all schedules start anew from here",
            self.latest
        );
        todo.push(Action::Note(text));
        self.latest = now;
        let names: Vec<Arc<str>> = self.lines.keys().cloned().collect();
        for name in names {
            self.with(&name, |line| line.start_anew(now, todo));
        }
    }
}
