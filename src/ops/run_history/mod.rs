//! The run history: what each run did, how long it took and how it ended, as files below `runs/`.
//!
//! Invariant: every run that has started has a record, also if its process died.
//!
//! ```text
//! runs/2026-11-22/20261122T180000.123456Z-rank-1f0c….json     a command, or a step of a job
//! runs/2026-11-22/20261122T180000Z-hourly.json                a due run of a job: creating the file claims the run
//! runs/2026-11-22/20261122T180000Z-hourly.2.json              its second attempt, after its process died
//! runs/20261122T180000Z-hourly.json                           one of an older version
//! runs/date=2026-11-20/….parquet                              archived runs of a day
//! ```

mod archive;
mod archive_day;
mod export;
mod last_runs;
mod list;
mod record;
mod run_id;
mod run_state;
mod run_store;
mod stats;
mod trace_context;
mod tree;
mod versions;

pub use archive::{RetentionReport, RunRetention};
pub use export::{chrome, otlp};
pub use last_runs::{LastRuns, RunKey, RunsUntil};
pub use list::Listing;
pub use record::{Due, Outcome, RUN_SCHEMA, RunBatch, RunRecord, Span, Versions};
pub use run_id::{due_run_id, new_run_id};
pub use run_state::RunState;
pub use run_store::{RunStore, RunsError};
pub use stats::{GroupBy, StatsRow, stats};
pub use trace_context::{TRACEPARENT, TraceContext, new_span_id, traceparent};
pub use tree::{SpanNode, micros, name_of, tree};
pub use versions::versions;
