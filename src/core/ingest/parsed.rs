//! What the reading half of an ingest passes to its writing half.

use crate::ingest::kept_rejects::KeptRejects;
use crate::ingest::line_counts::LineCounts;
use crate::ingest::notices::Notices;
use crate::ingest::summary::FileNote;
use crate::lake::{BatchSize, FilePart};
use crate::model::{Currency, Events, Timestamp};

/// One message from the reading half, in the order of the inputs.
pub(super) enum Parsed {
    Batch(ParsedBatch),
    /// The first part of a batch that is too large for memory; the rest of it follows.
    Part(ParsedBatch),
    AlreadyIngested {
        input: usize,
        id: String,
        size: BatchSize,
        /// Whether another file brought it in.
        elsewhere: bool,
    },
    /// What is to be said of an input.
    Note {
        input: usize,
        note: FileNote,
    },
    /// The end of an input.
    InputEnd {
        input: usize,
        outcome: ReadOutcome,
    },
}

/// One batch, parsed and in memory.
pub(super) struct ParsedBatch {
    /// The input's index in the plan.
    pub input: usize,
    pub id: String,
    pub lines: ParsedLines,
    /// The part of a file that it holds, where the file may grow.
    pub part: Option<FilePart>,
    /// When it was read.
    pub at: Timestamp,
}

/// The parsed lines of one batch, or of a part of one.
#[derive(Default)]
pub(super) struct ParsedLines {
    pub events: Events,
    pub rejects: KeptRejects,
    pub notices: Notices,
    /// The currency of the lake, or of the events.
    pub currency: Option<Currency>,
    /// Number of events whose categories came from the item catalog.
    pub categorized: u64,
    /// Lines without an event, by the filter or because they have no items.
    pub filtered: u64,
    /// The lines with several items, and what was counted of them besides: every other line is one event
    /// or one reject.
    pub nested: LineCounts,
    pub nested_events: u64,
    pub nested_rejects: u64,
}

impl ParsedLines {
    /// Returns what became of the lines.
    pub fn counts(&self) -> LineCounts {
        let mut lines = self.nested;
        let rejected = self.rejects.count() - self.nested_rejects;
        lines += LineCounts {
            read: self.events.len() as u64 - self.nested_events + rejected + self.filtered,
            filtered: self.filtered,
            rejected,
        };
        lines
    }
}

/// How the reading of an input ended.
pub(super) enum ReadOutcome {
    /// All of it was read. The hash of its content is known where it has a batch id.
    Complete { content: Option<String> },
    /// The input failed as a whole, for this reason.
    Failed(String),
    /// The file changed while it was read, and is left to the next run.
    Changed,
}
