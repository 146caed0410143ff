//! The long-running scheduler: leader election, a worker process per due run, orderly shutdown.
//!
//! Invariant: the planner decides and the loop executes; a run belongs to its worker process, which outlives
//! the scheduler.

mod config;
mod event_channel;
mod job_registry;
mod leader;
mod prespawn;
mod ready_runs;
mod run_scheduler;
mod scheduler_loop;
mod shutdown;
mod started_run;
mod started_runs;
mod worker_pool;

pub use config::{LogLevel, SchedulerConfig, SchedulerSummary};
pub use event_channel::{EventChannel, EventSender};
pub use job_registry::JobRegistry;
pub use run_scheduler::run_scheduler;
pub use worker_pool::WorkerCommand;
