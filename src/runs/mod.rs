//! What each run did, how long it took and how it ended: a file for each below `runs/`.
//!
//! Invariant: a run that has begun has a record; one that never ended has a record that says so.
//!
//! ```text
//! runs/20261122T180000.123456Z-rank-1f0c….json     a run that someone typed, or a step of a job
//! runs/20261122T180000Z-hourly.json                a run of a job that was due: the name is the claim
//! runs/20261122T180000Z-hourly.2.json              the same due run again, after its owner died
//! ```

mod book;
mod context;
mod liveness;
mod newest;
mod record;

pub use book::{Book, RunsError};
pub use context::{TRACEPARENT, TraceContext, fresh_span_id, traceparent};
pub use liveness::State;
pub use newest::{LastRuns, Ran};
pub use record::{Due, Outcome, RUN_SCHEMA, RunRecord, Span, Versions, due_id, fresh_id};
