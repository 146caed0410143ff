//! Job definitions: parsing and checking of job files and crontabs.
//!
//! Invariant: never starts a process and never reads the clock.

mod crontab;
mod error;
mod job;
mod job_file;
mod names;
mod sources;
mod step;
#[cfg(test)]
mod tests;
mod toml_reader;
mod trusted_file;

pub use crontab::{Crontab, read_crontab};
pub use error::{JobError, JobWarning};
pub use job::{Job, JobStep, Missed, Overlap, Owner, Policy, StepAction};
pub use job_file::read_file;
pub use sources::{FileStamps, JobSet, Sources, read_job};
pub use toml_reader::CommandCheck;
