//! Batches into the `events` table: their files are written first, then committed.

use crate::delta::{Commit, LiveFile, MAX_TRIES, NewFile, Outcome, TableError, Version};
use crate::lake::batch_content::content_id;
use crate::lake::batch_size::BatchSize;
use crate::lake::error::LakeError;
use crate::lake::events::events_log;
use crate::lake::events_table::EVENTS;
use crate::lake::layout::WRITERS;
use crate::lake::open::Lake;
use crate::lake::rejects::Reject;
use crate::lake::replace::Remainders;
use crate::lake::staged_files::{BatchCounts, StagedFiles};
use crate::lake::write_events::write_events;
use crate::model::{Currency, Events};
use crate::storage::{BulkWriter, SharedLock};

/// The application id under which the log counts batches; no batch may have this id.
const BATCHES: &str = "topsell:batches";
/// The application id under which the log keeps the currency of all amounts, as a number.
const CURRENCY: &str = "topsell:currency";
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
    Replaced { added: u64 },
    /// Every line was rejected, so there was nothing to append.
    Nothing,
    /// It was already ingested; `elsewhere` tells whether only from another file.
    AlreadyIngested { size: BatchSize, elsewhere: bool },
    /// Another run has ingested some of its lines since its file was read, so nothing was appended.
    Superseded,
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
        let is_alone =
            |staged: &StagedFiles<'_>| duplicates != DuplicatePolicy::Skip || staged.tail().is_some();
        let mut outcomes = Vec::with_capacity(batches.len());
        for together in batches.chunk_by_mut(|one, next| !is_alone(one) && !is_alone(next)) {
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
    currency: Option<Currency>,
}

impl CommitDraft {
    /// Returns the size of a batch in this commit.
    fn size_of(&self, id: &str) -> Option<BatchSize> {
        self.batches
            .iter()
            .find(|(of, counts)| of == id && counts.is_ingested())
            .map(|(_, counts)| counts.size_of_slice())
    }

    /// Adds the batches of a staged set; those without accepted lines are recorded too, or not.
    fn add_batches(&mut self, staged: &StagedFiles<'_>, is_recorded: bool) {
        let counts = staged.batches.iter();
        self.batches.extend(counts.map(|(id, counts)| (id.clone(), BatchCounts { is_recorded, ..*counts })));
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
        let names: Vec<Vec<String>> = together.iter().map(|staged| replaced(duplicates, staged)).collect();
        let mut remainders: Vec<Remainders<'_>> = names
            .iter()
            .map(|names| Remainders::of(self, &names.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect();
        if replaces {
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
            let newest = self.events.newest()?;
            let mut draft = CommitDraft::default();
            let outcomes: Vec<CommitOutcome> = together
                .iter()
                .zip(&mut remainders)
                .map(|(staged, remainders)| self.decide(&newest, duplicates, staged, remainders, &mut draft))
                .collect::<Result<_, LakeError>>()?;
            if !draft.batches.is_empty() {
                let commit = self.commit_of(&newest, draft, now_ms)?;
                self.transactions.expect(newest.number() + 1);
                let outcome = newest.commit(&commit);
                let is_named = newest.may_name_files(&outcome);
                for ((staged, remainders), outcome) in together.iter_mut().zip(&mut remainders).zip(&outcomes)
                {
                    let is_in_commit =
                        matches!(outcome, CommitOutcome::Committed | CommitOutcome::Replaced { .. });
                    (staged.is_named, remainders.are_named) =
                        (is_named && is_in_commit, is_named && is_in_commit);
                }
                let Outcome::Committed(version) = outcome? else {
                    self.transactions.record(None);
                    continue;
                };
                self.transactions.record(Some((&commit, version)));
            }
            for (staged, outcome) in together.iter_mut().zip(&outcomes) {
                match outcome {
                    _ if replaces => staged.publish_rejects(),
                    CommitOutcome::Committed => staged.publish_rejects(),
                    // The lines are rejected again.
                    CommitOutcome::Nothing => staged.remove_replaced_rejects(),
                    _ => {}
                }
            }
            return Ok(outcomes);
        }
        Err(TableError::Contended { table: EVENTS.to_owned(), tries: MAX_TRIES }.into())
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
        let known = |draft: &CommitDraft, id: &String| match draft.size_of(id) {
            Some(size) => Ok::<_, LakeError>(Some(size)),
            None => Ok(size_of(self.transactions.transaction(newest, id)?)),
        };
        if staged.adds.is_empty() && duplicates != DuplicatePolicy::Replace && staged.tail().is_none() {
            // A batch without any accepted line is not ingested: parsed correctly, it may come again.
            // The last line of a file is, so that the same file under another name is recognized.
            let mut tails = staged.parts.values().filter(|part| part.is_tail());
            let after = tails.find_map(|part| part.after.as_ref());
            if let Some(after) = after
                && known(draft, after)?.is_some()
            {
                draft.add_batches(staged, true);
            }
            return Ok(CommitOutcome::Nothing);
        }
        let sizes: Vec<Option<BatchSize>> =
            staged.batches.keys().map(|id| known(draft, id)).collect::<Result<_, LakeError>>()?;
        if duplicates == DuplicatePolicy::Skip {
            if let Some(size) = sizes.iter().copied().sum::<Option<BatchSize>>() {
                let before = staged.batches.values().map(|counts| counts.before).sum();
                let elsewhere = staged.is_from_elsewhere;
                return Ok(CommitOutcome::AlreadyIngested { size: size.minus(before), elsewhere });
            }
            for part in staged.parts.values() {
                if self.is_superseded(newest, part)? {
                    return Ok(CommitOutcome::Superseded);
                }
            }
        }
        let (mut adds, mut removes) = (staged.adds.clone(), Vec::new());
        if duplicates == DuplicatePolicy::Replace {
            // Also where the id is unknown: the table's log forgets ids after a year, but not rows.
            (removes, adds) = self.without_batches(remainders, newest.files()?, adds)?;
        } else if let Some(tail) = staged.tail() {
            (removes, adds) = self.without_batches(remainders, self.files_of_tail(newest, tail)?, adds)?;
        }
        if adds.is_empty() && removes.is_empty() {
            return Ok(CommitOutcome::Nothing);
        }
        let unknown = sizes.iter().filter(|size| size.is_none()).count() as u64;
        let replaces = !removes.is_empty() && duplicates == DuplicatePolicy::Replace;
        // Rows of unknown ids are those of ids that the log has forgotten.
        let is_forgotten = replaces && unknown == sizes.len() as u64;
        let added = if is_forgotten { 0 } else { unknown };
        if let Some(found) = staged.currency {
            let in_lake = self.transactions.transaction(newest, CURRENCY)?.and_then(Currency::of_number);
            let lake = *draft.currency.get_or_insert(in_lake.unwrap_or(found));
            if lake != found {
                return Err(LakeError::OtherCurrency { lake, found });
            }
        }
        draft.adds.extend(adds);
        draft.removes.extend(removes);
        draft.add_batches(staged, false);
        draft.new_batches += added;
        Ok(if replaces { CommitOutcome::Replaced { added } } else { CommitOutcome::Committed })
    }

    fn commit_of(&self, newest: &Version<'_>, draft: CommitDraft, now_ms: i64) -> Result<Commit, LakeError> {
        let mut transactions: Vec<(String, i64)> = Vec::new();
        let mut all = BatchCounts::default();
        for (id, counts) in draft.batches {
            if let Some(content) = counts.content.filter(|_| counts.is_ingested()) {
                transactions.push((content_id(&id), content));
            }
            transactions
                .push((id, if counts.is_ingested() { counts.size_of_slice().version() } else { REMOVED }));
            all.lines += counts.lines;
            all.accepted += counts.accepted;
            all.rejected += counts.rejected;
        }
        if let Some(currency) = draft.currency {
            transactions.push((CURRENCY.to_owned(), currency.number()));
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

/// Returns the ids of the batches whose rows are replaced by a staged set.
fn replaced(duplicates: DuplicatePolicy, staged: &StagedFiles<'_>) -> Vec<String> {
    match duplicates {
        DuplicatePolicy::Replace => staged.batches.keys().chain(staged.earlier()).cloned().collect(),
        _ => staged.tail().map(|tail| tail.id.clone()).into_iter().collect(),
    }
}

fn size_of(transaction: Option<i64>) -> Option<BatchSize> {
    transaction.and_then(BatchSize::of_version)
}
