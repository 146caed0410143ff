//! The record of a run, as it is stored in the lake.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the record format: keys may be added within a version, but not removed.
pub const RUN_SCHEMA: u32 = 2;

/// How a run or a span ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has started and not ended, or its process died.
    #[default]
    Started,
    Done,
    Failed,
    /// It exceeded its timeout and was terminated.
    TimedOut,
    /// It was terminated by a signal.
    Killed,
    /// It was not started because another run of the job was active.
    Skipped,
    /// It was not started because its time had passed.
    Missed,
    /// Its process died without recording an end.
    OwnerDied,
}

/// Which run of a job it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    pub job: String,
    /// When it was due, RFC 3339; `None` if the job was started by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// From 1; higher if the due run was restarted after its process died.
    pub attempt: u32,
}

/// A part of a run; times are RFC 3339, ids are those of W3C trace context,
/// <https://www.w3.org/TR/trace-context/>.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// The enclosing span.
    pub parent_span_id: Option<String>,
    pub name: String,
    pub started: String,
    pub ended: Option<String>,
    pub outcome: Outcome,
    /// Further information.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// A batch of an input of an ingest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunBatch {
    pub input: String,
    pub id: String,
    /// `new`, `replaced` or `already_ingested`.
    pub outcome: String,
}

/// Versions of the tables and the ranking of a lake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    pub events: Option<u64>,
    pub rollups: Option<u64>,
    /// The file of the current ranking.
    pub ranking: Option<String>,
}

/// What a run was asked to do, what it did, how long it took and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunRecord {
    /// See [`RUN_SCHEMA`].
    pub schema: u32,
    /// The name of its file without the extension.
    pub id: String,
    /// `rank`, `ingest`, …; `run` for a whole job, `schedule` for a scheduler.
    pub command: String,
    /// The command-line arguments.
    pub asked: Vec<String>,
    /// Which run of which job it is, if it is one.
    pub due: Option<Due>,
    pub started: String,
    pub ended: Option<String>,
    pub seconds: Option<f64>,
    pub outcome: Outcome,
    /// The error message.
    pub message: Option<String>,
    pub exit_code: Option<u8>,
    /// The signal that terminated it, such as 9.
    pub signal: Option<i32>,
    pub version: String,
    pub machine: String,
    /// The boot id of the host and the PID namespace of the process.
    pub boot: String,
    pub namespace: String,
    pub process: u32,
    /// The start time of the process in clock ticks since boot, since process ids are reused.
    pub process_start_ticks: Option<u64>,
    /// 32 hexadecimal digits, the same for all runs of one trace.
    pub trace_id: String,
    pub span_id: String,
    /// The span of the process that started it, from `TRACEPARENT`.
    pub parent_span_id: Option<String>,
    pub before: Versions,
    pub after: Versions,
    pub counts: BTreeMap<String, u64>,
    /// The first thousand batches of an ingest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<RunBatch>,
    /// Bytes of the input.
    pub input_bytes: Option<u64>,
    /// Bytes read from and written to the lake's files.
    pub read_bytes: Option<u64>,
    pub written_bytes: Option<u64>,
    pub stage_seconds: BTreeMap<String, f64>,
    pub spans: Vec<Span>,
    pub peak_memory_bytes: Option<u64>,
    /// The end of its output.
    pub output_tail: Option<String>,
}

impl Outcome {
    /// Returns the name shown in tables.
    pub fn name(self) -> &'static str {
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

    /// Returns whether it ended without success; runs that were never started do not count.
    pub fn is_failure(self) -> bool {
        matches!(self, Outcome::Failed | Outcome::TimedOut | Outcome::Killed | Outcome::OwnerDied)
    }
}

impl RunRecord {
    /// Returns the record as JSON.
    pub fn json(&self) -> String {
        // Strings and numbers can always be serialized.
        serde_json::to_string_pretty(self).expect("a record has only strings and numbers")
    }
}
