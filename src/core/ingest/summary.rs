//! The summary of an ingest: what was read, and what became of it.
//!
//! Invariant: `lines read = used + filtered + rejected`, and `events = accepted + duplicate + rejected`. A
//! line that is rejected, or a duplicate, counts as one event where its events are not known.

use crate::ingest::explain::{EventProfile, Explanation};
use crate::ingest::line_counts::LineCounts;
use crate::ingest::notices::Notices;
use crate::ingest::outliers::Outliers;
use crate::ingest::skipped::Skipped;
use crate::lake::Reject;
use crate::progress::BatchOutcome;

/// The number of rejected lines that a summary lists.
pub(super) const FIRST_REJECTS: usize = 5;
/// The number of batches that a summary names: a stream may have one for each message.
const NAMED_BATCHES: usize = 1_000;

/// Counts and names that an ingest reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub lines: LineCounts,
    /// Events.
    pub accepted: u64,
    pub duplicate: u64,
    pub rejected: u64,
    /// Rejects that were over the limit of what is kept.
    pub unkept_rejects: u64,
    /// Events whose categories came from the item catalog; `None` without a catalog.
    pub categorized: Option<u64>,
    /// Number of planned inputs: files, files in folders, streams.
    pub inputs: u64,
    /// Batches that were committed for the first time.
    pub batches: u64,
    /// Batches that replaced an earlier version of themselves.
    pub replaced: u64,
    /// Whether batches were to replace earlier versions of themselves.
    pub replaces: bool,
    /// The first batches, and the number of the others.
    pub named_batches: Vec<NamedBatch>,
    pub more_batches: u64,
    /// Inputs of which every batch was already ingested.
    pub already_ingested: Vec<String>,
    /// Files whose content is, in part, that of a file that is already ingested.
    pub notes: Vec<NotedFile>,
    /// Inputs that failed as a whole, and why.
    pub failures: Vec<Reject>,
    /// The first few rejected lines.
    pub first_rejects: Vec<Reject>,
    pub notices: Notices,
    /// Events whose times are far from those of the others.
    pub outliers: Vec<Outliers>,
    /// What a dry run understood of each input.
    pub explanations: Vec<Explanation>,
    /// Inputs that a dry run could not explain.
    pub unexplained: Vec<String>,
    /// The events of each planned input, in a dry run.
    pub(super) profiles: Vec<EventProfile>,
    /// Files and folders that were passed over in a folder.
    pub skipped: Vec<Skipped>,
    /// What became of the files of a spool folder.
    pub spool: Option<SpoolSummary>,
    /// Whether a signal stopped the reading of standard input.
    pub was_stopped: bool,
    /// Messages that were neither committed nor acknowledged; the sender sends them again.
    pub unacknowledged: u64,
}

impl Summary {
    /// Names a batch.
    pub(super) fn add_batch(&mut self, input: &str, id: &str, outcome: BatchOutcome) {
        if self.named_batches.len() < NAMED_BATCHES {
            let (input, id) = (input.to_owned(), id.to_owned());
            self.named_batches.push(NamedBatch { input, id, outcome });
        } else {
            self.more_batches += 1;
        }
    }

    /// Returns whether what is said of a file means that numbers may be wrong.
    pub fn has_note_of_wrong_numbers(&self) -> bool {
        self.notes.iter().any(|noted| match noted.note {
            FileNote::Rewritten { .. } | FileNote::SameBeginning { .. } | FileNote::OtherContent { .. } => {
                true
            }
            FileNote::Grown { .. } | FileNote::Identical { .. } => false,
        })
    }

    /// Returns the number of events.
    pub fn events(&self) -> u64 {
        self.accepted + self.duplicate + self.rejected
    }
}

/// A batch of an input, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedBatch {
    pub input: String,
    pub id: String,
    pub outcome: BatchOutcome,
}

/// What is to be said of a file, and of which one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotedFile {
    pub name: String,
    pub note: FileNote,
}

/// What the content of a file has to do with what is already ingested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileNote {
    /// The file has grown: so many lines were known, and so many are new.
    Grown { known: u64, new: u64 },
    /// The file has the beginning of an earlier version of itself and then differs: so many lines of it
    /// stay ingested, and so many were loaded.
    Rewritten { stay: u64, loaded: u64 },
    /// The file begins with so many lines that another file brought in.
    SameBeginning { lines: u64 },
    /// The file has the content of another one, so that its lines were not ingested.
    Identical { lines: u64 },
    /// The file has other content than that which its batch id brought in, so many lines; it was not
    /// ingested.
    OtherContent { batch: String, lines: u64 },
}

/// What became of the files of a spool folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpoolSummary {
    pub done: u64,
    pub failed: u64,
    /// Files that were modified too recently to be ingested.
    pub too_recent: u64,
    /// Files that changed while they were read; the next run ingests them.
    pub changed: Vec<String>,
    /// Files that could not be moved, and why.
    pub unmoved: Vec<String>,
}
