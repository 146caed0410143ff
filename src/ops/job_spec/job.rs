//! Jobs as plain values: steps, schedule, policies.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A job: its steps in order, its schedule and its policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Letters, digits, `-`, `_` and `.`; unique within a lake.
    pub name: String,
    /// The file that defines it and the line in that file, for messages.
    pub file: PathBuf,
    pub line: u32,
    /// The cron expression as written: five fields, six with seconds first, or a macro such as `@hourly`;
    /// `None` if the job is started by hand only.
    pub schedule: Option<String>,
    /// The name of the schedule's time zone.
    pub time_zone: String,
    pub steps: Vec<JobStep>,
    pub policy: Policy,
    /// Environment variables, added to those of the process that runs the job.
    pub environment: BTreeMap<String, String>,
    /// The working directory of the steps; `None` is that of the process that runs the job.
    pub working_dir: Option<PathBuf>,
    /// The account that the steps run as; `None` is that of the process that runs the job.
    pub owner: Option<Owner>,
}

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobStep {
    /// The step's name in run records: `rank`, or the program's name.
    pub name: String,
    pub action: StepAction,
    /// Exit codes other than 0 that count as success.
    pub success_exit_codes: Vec<u8>,
    /// Text for its standard input.
    pub stdin: Option<String>,
}

/// The command that a step runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepAction {
    /// Arguments of this program.
    Topsell(Vec<String>),
    /// Another program and its arguments.
    Exec(Vec<String>),
}

/// A user account of this host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owner {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: PathBuf,
}

/// What happens when a run is due while another run of the job is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    Skip,
    Queue,
    KillOld,
}

/// What happens to runs that were due while no scheduler was running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missed {
    Skip,
    /// Starts one run in place of all of them: the latest.
    Once,
    All,
}

/// How a job is run; durations in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub overlap: Overlap,
    pub missed: Missed,
    /// A run that could not start within this time after it was due is dropped.
    pub deadline_seconds: Option<u64>,
    /// A run that takes longer is terminated: SIGTERM to its process group, then SIGKILL.
    pub timeout_seconds: Option<u64>,
    /// Time between SIGTERM and SIGKILL.
    pub kill_after_seconds: u64,
    /// How often a failed step is retried.
    pub retries: u32,
    /// Delay before the first retry; each further delay is twice as long,
    pub retry_delay_seconds: u64,
    /// up to this maximum.
    pub retry_max_delay_seconds: u64,
    /// The maximum random delay of a run's start; the same due run always gets the same delay.
    pub jitter_seconds: u64,
    /// Whether a due run whose process died may be started again.
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
