//! What a scheduler needs to run, and what it reports at its end.

use std::time::Duration;

use crate::job_spec::CommandCheck;
use crate::scheduler::clock::Clock;
use crate::scheduler::daemon::worker_pool::WorkerCommand;
use topsell_core::storage::Store;

/// The interval of checks for changed files, due marks and runs of other schedulers.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// The same while runs are being terminated.
pub(super) const SHUTDOWN_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Info,
    Warning,
}

/// What a scheduler needs to run.
pub struct SchedulerConfig<'a> {
    pub store: &'a Store,
    pub clock: Clock<'a>,
    pub check: CommandCheck<'a>,
    pub worker_command: WorkerCommand,
    /// How long active runs may take to finish before they are terminated.
    pub shutdown_timeout: Duration,
    /// The name of this scheduler, shown to others while it is the leader.
    pub name: String,
    pub log: &'a dyn Fn(LogLevel, &str),
}

/// What a scheduler did until it was stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedulerSummary {
    pub started: u64,
    pub dropped: u64,
    /// Runs that were terminated because they did not finish within the shutdown timeout.
    pub stopped: u64,
}
