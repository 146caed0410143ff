//! Runs jobs: single runs, and a scheduler that starts due runs.
//!
//! Invariant: no two runs of a job are active at the same time, and a process that dies releases its job.

mod attempt;
mod clock;
mod daemon;
mod error;
mod job_lock;
mod lock_holder;
mod planner;
mod reap_orphans;
mod run;
mod run_events;
mod schedule_folder;
mod start_message;
mod step_command;

pub use clock::Clock;
pub use daemon::{
    EventChannel, EventSender, JobRegistry, LogLevel, SchedulerConfig, SchedulerSummary, WorkerCommand,
    run_scheduler,
};
pub use error::RunError;
pub use reap_orphans::reap_orphan;
pub use run::{RunResult, Runner, run_job};
pub use run_events::{RunEvents, StopHandle};
pub use start_message::{StartMessage, StartMessageError};
pub use step_command::Program;
