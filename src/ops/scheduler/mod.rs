//! Jobs, run: one run of one job from its lock to its record.
//!
//! Invariant: no two runs of a job are at work at the same time, and whoever dies lets go.
//!
//! ```text
//! schedule/<job>.lock     held while a run of the job is at work; in it, which run that is
//! ```

mod attempt;
mod bury;
mod clock;
mod go;
mod host;
mod inbox;
mod instance;
mod planner;
mod run;
mod steps;

use crate::run_history::RunsError;
use topsell_core::storage::{LockError, StoreError};

pub use bury::bury;
pub use clock::Clock;
pub use go::{Go, GoError};
pub use host::{Change, Host, Messenger, Post, Served, Shelf, Starter, Tone, serve};
pub use inbox::{Bell, Inbox};
pub use planner::{Action, Dropped, Ended, Event, GRACE_SECONDS, Planner, SET_BACK_SECONDS, Why};
pub use run::{Ending, Runner, run_job};
pub use steps::Program;

/// The folder of what is noted of jobs, beside the records of their runs.
pub(crate) const FOLDER: &str = "schedule";

/// A run of a job could not be begun, or not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("`{0}` is no name of a job: letters, digits, -, _ and ., of which it begins with the first two")]
    BadName(String),
    #[error("what run {run} of the job {job} left at work does not end")]
    StillAtWork { job: String, run: String },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Runs(#[from] RunsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn lock_name(job: &str) -> String {
    format!("{FOLDER}/{job}.lock")
}

/// Refuses names that lead out of the folder.
fn check_name(job: &str) -> Result<(), RunError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins_well = job.starts_with(|c: char| c.is_ascii_alphanumeric());
    // The scheduler's own lock lies beside theirs.
    match begins_well && job.len() <= 128 && job.chars().all(is_plain) && job != "leader" {
        true => Ok(()),
        false => Err(RunError::BadName(job.to_owned())),
    }
}
