//! The record of a run, as it lies in the lake.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which keys a record has; more may come while it stays the same, none go.
pub const RUN_SCHEMA: u32 = 2;

/// How a run, or a part of one, ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has begun, and not ended; or nobody lived to say how.
    #[default]
    Started,
    Done,
    Failed,
    /// It took longer than it may, and was ended.
    TimedOut,
    /// A signal ended it.
    Killed,
    /// It was not started, since another run of the job was at work.
    Skipped,
    /// It was not started, since its time had gone by.
    Missed,
    /// Its process died, and never said how it ended.
    OwnerDied,
}

/// A run of a job that was due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    pub job: String,
    /// When it was due, RFC 3339; none where someone ran the job by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// From 1; higher where the same due run was begun again after its owner died.
    pub attempt: u32,
}

/// A part of a run and how long it took; times are RFC 3339, ids as W3C trace context has them,
/// <https://www.w3.org/TR/trace-context/>.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// The span it is a part of.
    pub parent_span_id: Option<String>,
    pub name: String,
    pub started: String,
    pub ended: Option<String>,
    pub outcome: Outcome,
    /// Whatever else is to be said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// Versions of what a lake holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    pub events: Option<u64>,
    pub rollups: Option<u64>,
    /// The file of the current ranking.
    pub ranking: Option<String>,
}

/// What a run was asked, did, how long it took and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunRecord {
    /// See [`RUN_SCHEMA`].
    pub schema: u32,
    /// The name of its file, without the ending.
    pub id: String,
    /// `rank`, `ingest`, …; `run` for a whole job, `schedule` for a scheduler.
    pub command: String,
    /// What was typed after the program's name.
    pub asked: Vec<String>,
    /// The job's run that this is, if it is one.
    pub due: Option<Due>,
    pub started: String,
    pub ended: Option<String>,
    pub seconds: Option<f64>,
    pub outcome: Outcome,
    /// What went wrong, in words.
    pub message: Option<String>,
    pub exit_code: Option<u8>,
    /// The signal that ended it, such as 9.
    pub signal: Option<i32>,
    pub version: String,
    pub machine: String,
    /// Which start of the machine it was, and which namespace the process's number is from.
    pub boot: String,
    pub namespace: String,
    pub process: u32,
    /// When the process began, in ticks since the machine was started: a number alone may be another's by now.
    pub process_start_ticks: Option<u64>,
    /// 32 hexadecimal digits, the same for all runs of one trace.
    pub trace_id: String,
    pub span_id: String,
    /// The span of whoever started it, from `TRACEPARENT`.
    pub parent_span_id: Option<String>,
    pub before: Versions,
    pub after: Versions,
    pub counts: BTreeMap<String, u64>,
    /// Bytes of what came in from outside.
    pub input_bytes: Option<u64>,
    /// Bytes of the lake's files that were read and written.
    pub read_bytes: Option<u64>,
    pub written_bytes: Option<u64>,
    pub stage_seconds: BTreeMap<String, f64>,
    pub spans: Vec<Span>,
    pub peak_memory_bytes: Option<u64>,
    /// The last of what it printed.
    pub output_tail: Option<String>,
}

impl Outcome {
    /// Returns what a table calls it.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Started => "started",
            Outcome::Done => "done",
            Outcome::Failed => "failed",
            Outcome::TimedOut => "timed out",
            Outcome::Killed => "killed",
            Outcome::Skipped => "skipped",
            Outcome::Missed => "missed",
            Outcome::OwnerDied => "owner died",
        }
    }

    /// Tells whether it is an end that is not what was asked for; what was never begun failed at nothing.
    pub fn is_failure(self) -> bool {
        matches!(self, Outcome::Failed | Outcome::TimedOut | Outcome::Killed | Outcome::OwnerDied)
    }
}

impl RunRecord {
    /// Returns the record as it is written.
    pub fn json(&self) -> String {
        // Texts and numbers alone cannot fail to be JSON.
        serde_json::to_string_pretty(self).expect("a record is plain texts and numbers")
    }
}
