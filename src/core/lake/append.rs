//! Batches into the `events` table: their files are written first, then committed.

use crate::delta::{MAX_TRIES, Outcome, TableError};
use crate::lake::batch_content::content_id;
use crate::lake::batch_size::BatchSize;
use crate::lake::decide::{
    BATCHES, CURRENCY, CommitDraft, CommitOutcome, DuplicatePolicy, LogView, settle_rejects, size_of,
};
use crate::lake::error::LakeError;
use crate::lake::events::events_log;
use crate::lake::events_table::EVENTS;
use crate::lake::layout::WRITERS;
use crate::lake::manifest::Others;
use crate::lake::open::Lake;
use crate::lake::rejects::Reject;
use crate::lake::replace::Remainders;
use crate::lake::staged_files::StagedFiles;
use crate::lake::write_events::write_events;
use crate::model::{Currency, Events};
use crate::storage::{BulkWriter, SharedLock};

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

impl Lake {
    /// Returns the size of a batch, if it is already ingested; of a file that has grown, that of the slice
    /// up to its end.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn size_of_batch(&self, id: &str) -> Result<Option<BatchSize>, LakeError> {
        Ok(size_of(self.transactions.ask(&self.events, id)?))
    }

    /// Returns those of some ids that are those of ingested batches.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn known_batches(&self, mut ids: Vec<String>) -> Result<Vec<String>, LakeError> {
        if ids.is_empty() {
            return Ok(ids);
        }
        if let Some(state) = events_log(&self.store).without_files().newest(&|_| false)? {
            ids.retain(|id| size_of(state.transaction(id)).is_some());
            return Ok(ids);
        }
        // A log of an unexpected form is read by the Delta kernel.
        let newest = self.events.newest()?;
        let found = ids.iter().map(|id| self.transactions.transaction(&newest, id));
        let found: Vec<Option<i64>> = found.collect::<Result<_, _>>()?;
        Ok(ids.into_iter().zip(found).filter(|(_, of)| size_of(*of).is_some()).map(|(id, _)| id).collect())
    }

    /// Returns the number of batches that were ingested since the lake was created.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn batches(&self) -> Result<u64, LakeError> {
        let batches = self.events.newest()?.transaction(BATCHES)?;
        Ok(batches.and_then(|batches| u64::try_from(batches).ok()).unwrap_or(0))
    }

    /// Returns the currency of the lake's amounts, once events have named one.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn currency(&self) -> Result<Option<Currency>, LakeError> {
        Ok(self.transactions.ask(&self.events, CURRENCY)?.and_then(Currency::of_number))
    }

    /// Returns the number of the content that a batch was loaded from, where the log has it.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub(super) fn content_of_batch(&self, id: &str) -> Result<Option<i64>, LakeError> {
        Ok(self.transactions.ask(&self.events, &content_id(id))?)
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
        StagedFiles::of(self.lake)
    }

    /// Writes the files of a batch, or of a further part of it, whose size includes what was rejected; the
    /// first of the rejects are kept.
    ///
    /// # Errors
    /// Fails where the files cannot be written.
    pub fn write(
        &self,
        staged: &mut StagedFiles<'a>,
        id: &str,
        events: &Events,
        rejects: &[Reject],
        size: BatchSize,
    ) -> Result<(), LakeError> {
        staged.adds.extend(write_events(&self.bulk, id, events)?);
        let lines = staged.batches.entry(id.to_owned()).or_default();
        lines.lines += size.lines;
        lines.accepted += events.len() as u64;
        lines.rejected += size.events - events.len() as u64;
        if !rejects.is_empty() {
            staged.write_rejects(id, rejects, self.duplicates == DuplicatePolicy::Replace)?;
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
        for staged in &mut batches {
            staged.note_parts()?;
        }
        lake.write_noted_inputs()?;
        if batches.iter().any(|staged| !staged.adds.is_empty() || !staged.parts.is_empty()) {
            // Each batch keeps its own files or removes them.
            bulk.finish()?.keep();
        }
        let is_alone = |staged: &StagedFiles<'_>| is_alone(duplicates, staged);
        let mut outcomes = Vec::with_capacity(batches.len());
        for together in batches.chunk_by_mut(|one, next| !is_alone(one) && !is_alone(next)) {
            outcomes.extend(lake.commit_together(duplicates, together, now_ms)?);
        }
        Ok(outcomes)
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
        if !replaces && together.iter().all(|staged| staged.adds.is_empty() && staged.parts.is_empty()) {
            return Ok(vec![CommitOutcome::Nothing; together.len()]);
        }
        let is_alone = together.iter().any(|staged| is_alone(duplicates, staged));
        if self.store.is_bucket() && !is_alone {
            return self.commit_in_bucket(together, now_ms);
        }
        let _lease = self.wait_for_lease()?;
        self.commit_on_newest(duplicates, together, &mut Others::default(), now_ms)
    }

    /// Commits staged batches, and those of others, on top of the newest version, and returns the outcomes of the first.
    pub(super) fn commit_on_newest(
        &self,
        duplicates: DuplicatePolicy,
        together: &mut [StagedFiles<'_>],
        others: &mut Others<'_>,
        now_ms: i64,
    ) -> Result<Vec<CommitOutcome>, LakeError> {
        let names: Vec<Vec<String>> = together.iter().map(|staged| replaced(duplicates, staged)).collect();
        let mut remainders: Vec<Remainders<'_>> = names
            .iter()
            .map(|names| Remainders::of(self, &names.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect();
        if duplicates == DuplicatePolicy::Replace {
            // What takes long is done before the turn.
            let newest = self.events.newest()?;
            for remainders in &mut remainders {
                self.without_batches(remainders, newest.files()?, Vec::new())?;
            }
        }
        let _turn = self.events.wait_for_turn()?;
        for _ in 0..MAX_TRIES {
            // Decided by the version that the commit is based on: if another writer commits the same
            // batch in between, this commit fails, and each batch is decided again.
            // In a bucket, whether there is a newer one is a request, and may just have been asked.
            let newest = match std::mem::take(&mut others.knows_newest) {
                true => self.events.newest_known()?,
                false => self.events.newest()?,
            };
            others.are_expected |= others.known.is_some_and(|known| known != newest.number());
            let view = if others.are_expected { LogView::of_all_ids(self, &newest)? } else { None };
            if others.are_expected && view.is_none() {
                continue;
            }
            let view = view.unwrap_or_else(|| LogView::of(self, &newest));
            let mut draft = CommitDraft::default();
            let outcomes: Vec<CommitOutcome> = together
                .iter()
                .zip(&mut remainders)
                .map(|(staged, remainders)| self.decide(&view, duplicates, staged, remainders, &mut draft))
                .collect::<Result<_, LakeError>>()?;
            self.decide_others(&view, others, &mut draft);
            if !draft.is_empty() {
                let commit = self.commit_of(&view, draft, now_ms)?;
                self.transactions.expect(newest.number() + 1);
                let outcome = newest.commit(&commit);
                let is_named = newest.may_name_files(&outcome);
                for ((staged, remainders), outcome) in together.iter_mut().zip(&mut remainders).zip(&outcomes)
                {
                    let is_in_commit =
                        matches!(outcome, CommitOutcome::Committed | CommitOutcome::Replaced { .. });
                    staged.is_named |= is_named && is_in_commit;
                    remainders.are_named = is_named && is_in_commit;
                }
                let Outcome::Committed(version) = outcome? else {
                    self.transactions.record(None);
                    others.are_expected |= self.store.is_bucket();
                    continue;
                };
                self.transactions.record(Some((&commit, version)));
            }
            settle_rejects(duplicates, together, &outcomes);
            return Ok(outcomes);
        }
        Err(TableError::Contended { table: EVENTS.to_owned(), tries: MAX_TRIES }.into())
    }
}

/// Returns whether a staged set has a commit of its own: it may be appended twice, or replaces rows.
fn is_alone(duplicates: DuplicatePolicy, staged: &StagedFiles<'_>) -> bool {
    duplicates != DuplicatePolicy::Skip || staged.tail().is_some()
}

/// Returns the ids of the batches whose rows are replaced by a staged set.
fn replaced(duplicates: DuplicatePolicy, staged: &StagedFiles<'_>) -> Vec<String> {
    match duplicates {
        DuplicatePolicy::Replace => staged.batches.keys().chain(staged.earlier()).cloned().collect(),
        _ => staged.tail().map(|tail| tail.id.clone()).into_iter().collect(),
    }
}
