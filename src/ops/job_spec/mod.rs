//! Jobs as they are written down: what to do, when, and what to do when it does not go well.
//!
//! Invariant: reads and checks; never starts anything, never asks what time it is.

mod crontab;
mod error;
mod file;
mod folder;
mod step;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use crontab::{Crontab, read_crontab};
pub use error::{JobError, Note};
pub use file::{Check, read_file};
pub use folder::{Found, Sources, Stamps, read_job};

/// A job: its steps in order, the times at which they are due, and its policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Letters, digits, `-`, `_` and `.`; no two jobs of a lake have the same.
    pub name: String,
    /// The file it comes from, and the line in it; to be named in messages.
    pub file: PathBuf,
    pub line: u32,
    /// As written: five fields, or six with seconds first, or a word such as `@hourly`; none where it runs
    /// when someone says so only.
    pub schedule: Option<String>,
    /// The name of the time zone that the schedule goes by.
    pub time_zone: String,
    pub steps: Vec<JobStep>,
    pub policy: Policy,
    /// Variables of the environment that are set, beside those of whoever runs it.
    pub environment: BTreeMap<String, String>,
    /// Where the steps run; where the program was started, unless said.
    pub working_dir: Option<PathBuf>,
    /// Who the steps run as; whoever runs the job, unless said.
    pub owner: Option<Owner>,
}

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobStep {
    /// How the step is called in records: `rank`, or the program's name.
    pub name: String,
    pub does: Does,
    /// Exit codes other than 0 that are no failure.
    pub success_exit_codes: Vec<u8>,
    /// What it finds on its standard input.
    pub stdin: Option<String>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// Words as a person would type them after `topsell`.
    Topsell(Vec<String>),
    /// A program and its arguments.
    Exec(Vec<String>),
}

/// An account of the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owner {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: PathBuf,
}

/// What to do where a run of the job is still at work when the next is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    Skip,
    Queue,
    KillOld,
}

/// What to do with runs whose time went by while nobody was there to start them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missed {
    Skip,
    /// One run for all of them, that of the last.
    Once,
    All,
}

/// How a job is to be run; lengths of time in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub overlap: Overlap,
    pub missed: Missed,
    /// A run that could not be started for so long after it was due is dropped.
    pub deadline_seconds: Option<u64>,
    /// A run that takes longer is ended: TERM to its process group, then KILL.
    pub timeout_seconds: Option<u64>,
    /// How long after TERM to send KILL.
    pub kill_after_seconds: u64,
    /// How often a step that failed is tried again.
    pub retries: u32,
    /// How long to wait before the first retry; each further wait is twice as long …
    pub retry_delay_seconds: u64,
    /// … up to this.
    pub retry_max_delay_seconds: u64,
    /// A run begins up to so much later than it is due, always the same for the same due run.
    pub jitter_seconds: u64,
    /// Whether a due run whose owner died may be run again.
    pub is_repeatable: bool,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            overlap: Overlap::Skip,
            missed: Missed::Once,
            deadline_seconds: None,
            timeout_seconds: None,
            kill_after_seconds: 30,
            retries: 0,
            retry_delay_seconds: 30,
            retry_max_delay_seconds: 3_600,
            jitter_seconds: 0,
            is_repeatable: false,
        }
    }
}
