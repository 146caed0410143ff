//! What each run did, how long it took and how it ended: a file for each below `runs/`.
//!
//! Invariant: a run that has begun has a record; one that never ended has a record that says so.
//!
//! ```text
//! runs/20261122T180000.123456Z-rank-1f0c….json     a run that someone typed, or a step of a job
//! runs/20261122T180000Z-hourly.json                a run of a job that was due: the name is the claim
//! runs/20261122T180000Z-hourly.2.json              the same due run again, after its owner died
//! runs/date=2026-11-20/….parquet                   all of a day that is over
//! ```

mod archive;
mod book;
mod context;
mod export;
mod list;
mod liveness;
mod name;
mod newest;
mod record;
mod stats;
mod tree;
mod versions;

pub use archive::{KeepRuns, KeptRuns};
pub use book::{Book, RunsError};
pub use context::{TRACEPARENT, TraceContext, fresh_span_id, traceparent};
pub use export::{chrome, otlp};
pub use list::Listing;
pub use liveness::State;
pub use name::{due_id, fresh_id};
pub use newest::{LastRuns, Ran};
pub use record::{Due, Outcome, RUN_SCHEMA, RunRecord, Span, Versions};
pub use stats::{By, Line, stats};
pub use tree::{Node, micros, name_of, tree};
pub use versions::versions;
