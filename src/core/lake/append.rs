//! Batches into the `events` table: their files are written first, then committed.

use std::collections::BTreeMap;

use crate::delta::{Commit, LiveFile, NewFile, Outcome, Version};
use crate::lake::batch_size::BatchSize;
use crate::lake::error::LakeError;
use crate::lake::events_table::EVENTS;
use crate::lake::layout::WRITERS;
use crate::lake::open::Lake;
use crate::lake::rejects::{Reject, reject_lines, rejects_of, rejects_path};
use crate::lake::replace::Remainders;
use crate::lake::write_events::write_events;
use crate::model::Events;
use crate::storage::{BulkWriter, SharedLock, unique_id};

/// How often a commit is retried when other writers commit first.
pub(super) const MAX_TRIES: u32 = 1_000;
/// The application id under which the log counts batches; no batch may have this id.
const BATCHES: &str = "topsell:batches";
/// The transaction version of a batch that was removed and may be ingested again.
const REMOVED: i64 = -1;

/// What to do with a batch that is already ingested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DuplicatePolicy {
    /// Leave it as it is.
    #[default]
    Skip,
    /// Remove its rows, and append those that it has now.
    Replace,
    /// Append it again: its sender knows that it is another batch with the same content.
    AppendAgain,
}

/// The outcome of a commit for one staged batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Its rows were appended.
    Committed,
    /// Its rows replaced earlier ones; `added` of its batch ids had none.
    Replaced {
        added: u64,
    },
    /// Every line was rejected, so there was nothing to append.
    Nothing,
    AlreadyIngested {
        size: BatchSize,
    },
}

/// An append to the table: staged batches whose files are synced together and committed at once.
///
/// Without the commit their files are unreferenced, and a vacuum removes them.
pub struct AppendTransaction<'a> {
    lake: &'a Lake,
    /// Until the commit the files are unreferenced, and a vacuum must not remove them.
    _writing: SharedLock,
    duplicates: DuplicatePolicy,
    /// The files that are written; they are synced before they are committed.
    bulk: BulkWriter<'a>,
}

/// The written files of what is committed atomically: one batch, or all batches of one input.
pub struct StagedFiles<'a> {
    lake: &'a Lake,
    adds: Vec<NewFile>,
    batches: BTreeMap<String, BatchCounts>,
    /// Rejects beside those of a batch that may be replaced: their temporary paths and their own.
    temporary_rejects: Vec<(String, String)>,
}

/// What a batch contains.
#[derive(Clone, Copy, Default)]
struct BatchCounts {
    /// Lines that were read, filtered ones included.
    lines: u64,
    /// Events.
    accepted: u64,
    rejected: u64,
    /// The number of files of rejects that were written.
    reject_files: usize,
}

impl BatchCounts {
    fn size(self) -> BatchSize {
        BatchSize { events: self.accepted + self.rejected, lines: self.lines }
    }
}

impl Lake {
    /// Returns the size of a batch, if it is already ingested.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn size_of_batch(&self, id: &str) -> Result<Option<BatchSize>, LakeError> {
        Ok(size_of(self.transactions.ask(&self.events, id)?))
    }

    /// Returns the number of batches that were ingested since the lake was created.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn batches(&self) -> Result<u64, LakeError> {
        let batches = self.events.newest()?.transaction(BATCHES)?;
        Ok(batches.and_then(|batches| u64::try_from(batches).ok()).unwrap_or(0))
    }

    /// Starts an append.
    ///
    /// # Errors
    /// Fails where the lake's folder cannot be written to.
    pub fn append(&self, duplicates: DuplicatePolicy) -> Result<AppendTransaction<'_>, LakeError> {
        let _writing = self.store.lock_shared(WRITERS)?;
        let bulk = self.store.bulk_writer(EVENTS)?;
        Ok(AppendTransaction { lake: self, _writing, duplicates, bulk })
    }
}

impl<'a> AppendTransaction<'a> {
    /// Returns an empty set of staged files.
    pub fn stage(&self) -> StagedFiles<'a> {
        StagedFiles {
            lake: self.lake,
            adds: Vec::new(),
            batches: BTreeMap::new(),
            temporary_rejects: Vec::new(),
        }
    }

    /// Writes the files of a batch, or of a further part of it.
    ///
    /// # Errors
    /// Fails where the files cannot be written.
    pub fn write(
        &self,
        staged: &mut StagedFiles<'a>,
        id: &str,
        events: &Events,
        rejects: &[Reject],
        lines_read: u64,
    ) -> Result<(), LakeError> {
        staged.adds.extend(write_events(&self.bulk, id, events)?);
        let lines = staged.batches.entry(id.to_owned()).or_default();
        lines.lines += lines_read;
        lines.accepted += events.len() as u64;
        lines.rejected += rejects.len() as u64;
        if !rejects.is_empty() {
            let path = rejects_path(id, lines.reject_files);
            lines.reject_files += 1;
            if self.duplicates == DuplicatePolicy::Replace {
                // The rejects of the committed version stay until it is replaced.
                let temporary = format!("{path}.{}", unique_id());
                self.lake.store.put(&temporary, reject_lines(rejects))?;
                staged.temporary_rejects.push((temporary, path));
            } else {
                self.lake.store.put(&path, reject_lines(rejects))?;
            }
        }
        Ok(())
    }

    /// Syncs and commits the staged batches, and returns the outcome of each.
    ///
    /// New batches share one commit. Batches that may be appended twice, or that replace rows which
    /// another of them may touch too, have a commit each.
    ///
    /// # Errors
    /// Fails where the files cannot be synced or the commit cannot be written; the batch that it failed
    /// for is then not in the lake, nor are those in the same commit or after it.
    pub fn commit(
        self,
        mut batches: Vec<StagedFiles<'a>>,
        now_ms: i64,
    ) -> Result<Vec<CommitOutcome>, LakeError> {
        let AppendTransaction { lake, _writing, duplicates, bulk } = self;
        if batches.iter().any(|staged| !staged.adds.is_empty()) {
            bulk.finish()?;
        }
        let per_commit = if duplicates == DuplicatePolicy::Skip { batches.len().max(1) } else { 1 };
        let mut outcomes = Vec::with_capacity(batches.len());
        for together in batches.chunks_mut(per_commit) {
            outcomes.extend(lake.commit_together(duplicates, together, now_ms)?);
        }
        Ok(outcomes)
    }
}

/// The contents of a commit, as far as they are decided.
#[derive(Default)]
struct CommitDraft {
    adds: Vec<NewFile>,
    removes: Vec<LiveFile>,
    /// The batches that it appends.
    batches: Vec<(String, BatchCounts)>,
    /// How many of them were not ingested before.
    new_batches: u64,
}

impl CommitDraft {
    /// Returns the size of a batch in this commit.
    fn size_of(&self, id: &str) -> Option<BatchSize> {
        self.batches
            .iter()
            .find(|(of, counts)| of == id && counts.accepted > 0)
            .map(|(_, counts)| counts.size())
    }
}

impl Lake {
    fn commit_together(
        &self,
        duplicates: DuplicatePolicy,
        together: &mut [StagedFiles<'_>],
        now_ms: i64,
    ) -> Result<Vec<CommitOutcome>, LakeError> {
        let replaces = duplicates == DuplicatePolicy::Replace;
        if !replaces && together.iter().all(|staged| staged.adds.is_empty()) {
            return Ok(vec![CommitOutcome::Nothing; together.len()]);
        }
        let names: Vec<Vec<String>> =
            together.iter().map(|staged| staged.batches.keys().cloned().collect()).collect();
        let mut remainders: Vec<Remainders<'_>> = names
            .iter()
            .map(|names| Remainders::of(&names.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect();
        for _ in 0..MAX_TRIES {
            // Decided by the version that the commit is based on: if another writer commits the same
            // batch in between, this commit fails, and each batch is decided again.
            let newest = self.events.newest()?;
            let mut draft = CommitDraft::default();
            let outcomes: Vec<CommitOutcome> = together
                .iter()
                .zip(&mut remainders)
                .map(|(staged, remainders)| self.decide(&newest, duplicates, staged, remainders, &mut draft))
                .collect::<Result<_, LakeError>>()?;
            if !draft.adds.is_empty() || !draft.removes.is_empty() {
                let commit = self.commit_of(&newest, draft, now_ms)?;
                self.transactions.expect(newest.number() + 1);
                let Outcome::Committed(version) = newest.commit(&commit)? else {
                    self.transactions.record(None);
                    continue;
                };
                self.transactions.record(Some((&commit, version)));
            }
            for (staged, outcome) in together.iter_mut().zip(&outcomes) {
                if replaces || *outcome == CommitOutcome::Committed {
                    staged.publish_rejects();
                }
            }
            return Ok(outcomes);
        }
        Err(LakeError::Contended { tries: MAX_TRIES })
    }

    /// Decides the outcome of one staged batch, based on a version and on the batches before it.
    fn decide(
        &self,
        newest: &Version<'_>,
        duplicates: DuplicatePolicy,
        staged: &StagedFiles<'_>,
        remainders: &mut Remainders<'_>,
        draft: &mut CommitDraft,
    ) -> Result<CommitOutcome, LakeError> {
        if staged.adds.is_empty() && duplicates != DuplicatePolicy::Replace {
            // A batch without any accepted line is not ingested: parsed correctly, it may come again.
            return Ok(CommitOutcome::Nothing);
        }
        let sizes: Vec<Option<BatchSize>> = staged
            .batches
            .keys()
            .map(|id| match draft.size_of(id) {
                Some(size) => Ok(Some(size)),
                None => Ok(size_of(self.transactions.transaction(newest, id)?)),
            })
            .collect::<Result<_, LakeError>>()?;
        if let (DuplicatePolicy::Skip, Some(size)) = (duplicates, sizes.iter().copied().sum()) {
            return Ok(CommitOutcome::AlreadyIngested { size });
        }
        let (mut adds, mut removes) = (staged.adds.clone(), Vec::new());
        if duplicates == DuplicatePolicy::Replace {
            // Also where the id is unknown: the table's log forgets ids after a year, but not rows.
            (removes, adds) = self.without_batches(remainders, newest.files()?, adds)?;
        }
        if adds.is_empty() && removes.is_empty() {
            return Ok(CommitOutcome::Nothing);
        }
        let unknown = sizes.iter().filter(|size| size.is_none()).count() as u64;
        let replaces = !removes.is_empty();
        // Rows of unknown ids are those of ids that the log has forgotten.
        let is_forgotten = replaces && unknown == sizes.len() as u64;
        let added = if is_forgotten { 0 } else { unknown };
        draft.adds.extend(adds);
        draft.removes.extend(removes);
        draft.batches.extend(staged.batches.iter().map(|(id, counts)| (id.clone(), *counts)));
        draft.new_batches += added;
        Ok(if replaces { CommitOutcome::Replaced { added } } else { CommitOutcome::Committed })
    }

    fn commit_of(&self, newest: &Version<'_>, draft: CommitDraft, now_ms: i64) -> Result<Commit, LakeError> {
        let mut transactions: Vec<(String, i64)> = Vec::new();
        let mut all = BatchCounts::default();
        for (id, counts) in draft.batches {
            transactions.push((id, if counts.accepted > 0 { counts.size().version() } else { REMOVED }));
            all.lines += counts.lines;
            all.accepted += counts.accepted;
            all.rejected += counts.rejected;
        }
        if draft.new_batches > 0 {
            let so_far = self.transactions.transaction(newest, BATCHES)?.unwrap_or(0);
            transactions.push((BATCHES.to_owned(), so_far + draft.new_batches.cast_signed()));
        }
        Ok(Commit {
            transactions,
            adds: draft.adds,
            removes: draft.removes,
            metrics: vec![
                ("numReadLines", all.lines),
                ("numAcceptedLines", all.accepted),
                ("numRejectedLines", all.rejected),
            ],
            now_ms,
            ..Commit::default()
        })
    }
}

impl StagedFiles<'_> {
    /// Adds a batch id, whether or not the batch has lines.
    pub fn add_batch(&mut self, id: &str) {
        self.batches.entry(id.to_owned()).or_default();
    }

    /// Returns the number of files.
    pub fn count(&self) -> usize {
        self.adds.len()
    }

    /// Moves temporary rejects to their paths, and removes those of lines that the batches no longer have.
    fn publish_rejects(&mut self) {
        // The batches are committed, so that rejects which cannot be moved are no failure.
        for (temporary, path) in self.temporary_rejects.drain(..) {
            let _ = self.lake.store.rename(&temporary, &path);
        }
        for (id, lines) in &self.batches {
            let stale = rejects_of(&self.lake.store, id, lines.reject_files);
            // The last one first, so that a crash in between leaves no gap that would hide the others.
            stale.iter().rev().for_each(|path| drop(self.lake.store.delete(path)));
        }
    }
}

impl Drop for StagedFiles<'_> {
    /// Removes the temporary rejects of a batch that was not committed.
    fn drop(&mut self) {
        for (temporary, _) in &self.temporary_rejects {
            let _ = self.lake.store.delete(temporary);
        }
    }
}

fn size_of(transaction: Option<i64>) -> Option<BatchSize> {
    transaction.and_then(BatchSize::of_version)
}
