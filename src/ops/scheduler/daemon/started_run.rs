//! An active run, as seen by its scheduler.

use std::sync::Arc;
use std::time::Duration;

use crate::job_spec::Job;
use crate::run_history::due_run_id;
use topsell_core::model::Timestamp;

/// How long a started run may take to claim its due run.
const CLAIM_TIME: Duration = Duration::from_secs(1);
/// How much longer than its step a run may take to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// An active run, as seen by its scheduler.
pub(super) struct StartedRun {
    pub job: Arc<Job>,
    pub at: Timestamp,
    pub attempt: u32,
    pub began: Duration,
    pub is_claimed: bool,
    /// When it is killed, if it has been terminated.
    pub kill_at: Option<Duration>,
}

impl StartedRun {
    /// Returns whether it has been terminated.
    pub fn is_stopping(&self) -> bool {
        self.kill_at.is_some()
    }

    /// Returns whether it has received its message and is about to claim its due run.
    pub fn is_starting(&self, elapsed: Duration) -> bool {
        !self.is_claimed && elapsed.saturating_sub(self.began) < CLAIM_TIME
    }

    /// Returns the id of the run.
    pub fn id(&self) -> String {
        due_run_id(&self.job.name, self.at, self.attempt)
    }
}

/// Returns how long a terminated run may take to exit before it is killed.
pub(super) fn stop_timeout(job: &Job) -> Duration {
    Duration::from_secs(job.policy.kill_after_seconds).saturating_add(STOP_GRACE)
}
