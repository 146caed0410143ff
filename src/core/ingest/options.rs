//! Options of an ingest: plain values that its caller decides on.

use crate::input_format::Mapping;
use crate::item_catalog::ItemCatalog;
use crate::lake::{DryRun, DuplicatePolicy};
use crate::model::Timestamp;

/// How an ingest goes about its inputs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The current time.
    pub now: Timestamp,
    /// How many seconds the time of an event may be ahead of `now`.
    pub max_skew_seconds: i64,
    /// Whether to write, or only to read and report.
    pub dry_run: DryRun,
    /// What to do with batches that are already ingested.
    pub duplicates: DuplicatePolicy,
    /// How many bytes of rejected lines are kept of the run; a fourth of them of one input.
    pub max_reject_bytes: u64,
    /// When standard input is committed before its end.
    pub stream: StreamOptions,
}

/// When a stream is cut into batches, besides where a slice is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// The number of lines of a batch, without the header.
    pub lines_per_batch: Option<u64>,
    /// Whether a stream that breaks off is ingested up to that point.
    pub keeps_truncated: bool,
}

/// How lines become events.
#[derive(Clone, Copy)]
pub struct ParseOptions<'a> {
    /// The columns of the purchase log's fields.
    pub mapping: &'a Mapping,
    /// The item catalog, for items whose line has no category.
    pub catalog: Option<&'a ItemCatalog>,
}
