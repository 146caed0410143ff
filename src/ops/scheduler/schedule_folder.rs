//! The folder of locks and marks of jobs, beside the run history.
//!
//! ```text
//! schedule/<job>.lock      held while a run of the job is active; contains which run that is
//! schedule/<job>.json      up to when the job's due runs have been handled
//! schedule/.leader.lock    held by the active scheduler; no job has such a name
//! ```

use crate::scheduler::error::RunError;

pub(super) const FOLDER: &str = "schedule";
pub(super) const LEADER_LOCK: &str = "schedule/.leader.lock";

/// Returns the path of a job's lock.
pub(super) fn lock_path(job: &str) -> String {
    format!("{FOLDER}/{job}.lock")
}

/// Returns the path of a job's mark.
pub(super) fn mark_path(job: &str) -> String {
    format!("{FOLDER}/{job}.json")
}

/// Refuses names that would lead out of the folder.
pub(super) fn check_name(job: &str) -> Result<(), RunError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let starts_well = job.starts_with(|c: char| c.is_ascii_alphanumeric());
    match starts_well && job.len() <= 128 && job.chars().all(is_plain) && job != "leader" {
        true => Ok(()),
        false => Err(RunError::BadName(job.to_owned())),
    }
}
