//! Staged batches: their files are written, and they are committed in groups.
//!
//! A commit costs as much as a batch, so that many batches share one.

use std::collections::BTreeSet;

use crate::ingest::explain::EventProfile;
use crate::ingest::line_counts::LineCounts;
use crate::ingest::notices::Notices;
use crate::ingest::options::Options;
use crate::ingest::outliers::DayCounts;
use crate::ingest::parsed::{ParsedBatch, ReadOutcome};
use crate::ingest::summary::{FIRST_REJECTS, FileNote};
use crate::lake::{AppendTransaction, BatchSize, CommitOutcome, Lake, LakeError, Reject, StagedFiles};
use crate::model::Timestamp;

/// The limits of a group: messages, lines, files. They bound the work that a crash loses to a second
/// or two, and the memory for file names.
const MAX_ENTRIES: usize = 128;
const MAX_LINES: u64 = 1 << 20;
const MAX_FILES: usize = 1_024;

/// An entry of a group, in the order of the inputs.
pub(super) enum Staged<'a> {
    Batch {
        input: usize,
        batch: StagedBatch<'a>,
    },
    AlreadyIngested {
        input: usize,
        id: String,
        size: BatchSize,
        elsewhere: bool,
    },
    /// What is to be said of an input.
    Note {
        input: usize,
        note: FileNote,
    },
    /// The end of an input; `batch` holds all of an input that is committed as a whole.
    InputEnd {
        input: usize,
        outcome: ReadOutcome,
        batch: Option<StagedBatch<'a>>,
    },
}

/// A batch, or all batches of an input that is committed as a whole, with its files written.
pub(super) struct StagedBatch<'a> {
    /// `None` in a dry run.
    pub files: Option<StagedFiles<'a>>,
    pub ids: BTreeSet<String>,
    pub lines: LineCounts,
    pub accepted: u64,
    pub rejected: u64,
    /// Rejects that were over the limit of what is kept.
    pub unkept_rejects: u64,
    pub categorized: u64,
    pub notices: Notices,
    pub days: DayCounts,
    /// The events of a dry run in short.
    pub profile: EventProfile,
    pub first_rejects: Vec<Reject>,
    /// Whether it replaces batches with beginnings of its file.
    pub replaces_earlier: bool,
    /// When it was read.
    pub at: Timestamp,
}

/// Entries that are committed together.
#[derive(Default)]
pub(super) struct CommitGroup<'a> {
    /// What the batches are written through; `None` in a dry run.
    pub transaction: Option<AppendTransaction<'a>>,
    pub entries: Vec<Staged<'a>>,
    lines: u64,
    files: usize,
}

impl<'a> CommitGroup<'a> {
    /// Returns an empty batch; without a target lake, nothing of it is written.
    pub fn new_batch(
        &mut self,
        target: Option<&'a Lake>,
        options: Options,
    ) -> Result<StagedBatch<'a>, LakeError> {
        if self.transaction.is_none() {
            // All batches of the group share one writer's lease: to hold one and wait for another
            // could be a deadlock with a vacuum that waits for the first to end.
            self.transaction = target.map(|lake| lake.append(options.duplicates)).transpose()?;
        }
        Ok(StagedBatch {
            files: self.transaction.as_ref().map(AppendTransaction::stage),
            ids: BTreeSet::new(),
            lines: LineCounts::default(),
            accepted: 0,
            rejected: 0,
            unkept_rejects: 0,
            categorized: 0,
            notices: Notices::default(),
            days: DayCounts::default(),
            profile: EventProfile::default(),
            first_rejects: Vec::new(),
            replaces_earlier: false,
            at: options.now,
        })
    }

    /// Writes a parsed batch's files into a staged one.
    pub fn write(&self, staged: &mut StagedBatch<'a>, parsed: ParsedBatch) -> Result<(), LakeError> {
        let ParsedBatch { id, lines, part, at, .. } = parsed;
        staged.replaces_earlier |= part.as_ref().is_some_and(|part| !part.earlier.is_empty());
        if let (Some(transaction), Some(files)) = (&self.transaction, &mut staged.files) {
            files.set_currency(lines.currency);
            let size = BatchSize {
                events: lines.events.len() as u64 + lines.rejects.count(),
                lines: lines.counts().read,
            };
            transaction.write(files, &id, &lines.events, lines.rejects.kept(), size)?;
            part.into_iter().for_each(|part| files.set_part(part));
        }
        staged.days.add(&lines.events);
        if self.transaction.is_none() {
            staged.profile.add(&lines.events);
        }
        staged.ids.insert(id);
        staged.lines += lines.counts();
        staged.accepted += lines.events.len() as u64;
        staged.rejected += lines.rejects.count();
        staged.unkept_rejects += lines.rejects.unkept();
        staged.categorized += lines.categorized;
        staged.notices.merge(lines.notices);
        let room = FIRST_REJECTS.saturating_sub(staged.first_rejects.len());
        staged.first_rejects.extend(lines.rejects.into_kept().into_iter().take(room));
        staged.at = at;
        Ok(())
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: Staged<'a>) {
        if let Staged::Batch { batch, .. } = &entry {
            self.lines += batch.accepted + batch.rejected;
            self.files += batch.files.as_ref().map_or(0, StagedFiles::count);
        }
        self.entries.push(entry);
    }

    /// Commits batches of the group at the time of the last one, and returns their outcomes; none where there
    /// is nothing to commit or nothing is written.
    pub fn commit(
        &mut self,
        batches: &mut [(usize, StagedBatch<'a>)],
    ) -> Result<Option<Vec<CommitOutcome>>, LakeError> {
        let Some(transaction) = self.transaction.take().filter(|_| !batches.is_empty()) else {
            return Ok(None);
        };
        let now_ms = batches.last().map_or(0, |(_, last)| last.at.micros() / 1_000);
        let files = batches.iter_mut().filter_map(|(_, batch)| batch.files.take());
        transaction.commit(files.collect(), now_ms).map(Some)
    }

    /// Returns whether the group has reached one of its limits.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= MAX_ENTRIES || self.lines >= MAX_LINES || self.files >= MAX_FILES
    }
}

impl StagedBatch<'_> {
    /// Adds a batch id and the hash of its content, whether or not the batch has lines.
    pub fn add_id(&mut self, id: &str, content: Option<&str>) {
        if let Some(files) = &mut self.files {
            files.add_batch(id, content);
        }
        self.ids.insert(id.to_owned());
    }
}
