//! The events that the planner receives, and the actions that it returns.

use std::sync::Arc;

use crate::job_spec::Job;
use topsell_core::model::Timestamp;

/// A run that starts this many seconds late is on time; one that would start later was missed.
pub(super) const GRACE_SECONDS: i64 = 60;

/// A clock that is set back by no more than this repeats nothing; beyond it, all schedules are reset.
pub(super) const SET_BACK_SECONDS: i64 = 3 * 3_600;

/// Something has happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// These are the jobs from now on.
    Jobs(Vec<Arc<Job>>),
    /// A run's process has exited, or could not be started.
    Ended { job: String, at: Timestamp, attempt: u32, end: RunEnd },
    /// A started process has claimed its due run.
    Claimed { job: String, at: Timestamp },
    /// A record without an end was found whose process is dead.
    Orphan { job: String, at: Timestamp, attempt: u32 },
}

/// How a run's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// The record says how, or another process has the due run.
    Recorded,
    /// It died during the run: the record has no end.
    Died,
    /// It died before it claimed the due run, or could not be started.
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
    /// Terminate the job's active run.
    Kill {
        job: Arc<Job>,
    },
    /// Record that due runs are not started.
    Drop(Dropped),
    /// Record that the process of this run died; the run is not repeated.
    ReapOrphan {
        job: String,
        at: Timestamp,
        attempt: u32,
    },
    /// Save that all runs due up to here have been handled.
    Mark {
        job: String,
        handled: Timestamp,
    },
    /// Write a message to the log.
    Log(String),
}

/// Due runs of a job that are not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    pub job: String,
    pub first: Timestamp,
    pub last: Timestamp,
    /// How many; `None` if there are too many to count.
    pub count: Option<u64>,
    pub why: DropReason,
}

/// Why a due run is not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DropReason {
    /// Another run of the job is active.
    Overlap,
    /// The queue is full.
    Full,
    /// No scheduler was running when it was due.
    Missed,
    /// It could not start before its deadline.
    Deadline,
}
