//! What the reading half of an ingest passes to its writing half.

use crate::ingest::batch_builder::ParsedLines;
use crate::ingest::summary::FileNote;
use crate::lake::BatchSize;
use crate::lake::FilePart;
use crate::model::Timestamp;

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

/// How the reading of an input ended.
pub(super) enum ReadOutcome {
    /// All of it was read. The hash of its content is known where it has a batch id.
    Complete { content: Option<String> },
    /// The input failed as a whole, for this reason.
    Failed(String),
    /// The file changed while it was read, and is left to the next run.
    Changed,
}
