//! Why a run of a job could not be started or recorded.

use crate::run_history::RunsError;
use topsell_core::storage::{LockError, StoreError};

/// A run of a job could not be started or recorded.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("invalid job name `{0}`: use letters, digits, -, _ and ., starting with a letter or digit")]
    BadName(String),
    #[error("processes of run {run} of the job {job} are still active and cannot be terminated")]
    StillActive { job: String, run: String },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Runs(#[from] RunsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
