//! Decides the outcome of staged batches, based on a version of the table, and the commit that follows from it.
//!
//! Invariant: what is decided holds for as long as the version is the newest one; a commit on it that fails is decided
//! again.

use crate::delta::{Commit, LiveFile, NewFile, TableError, TableState, Version};
use crate::lake::batch_content::content_id;
use crate::lake::batch_size::BatchSize;
use crate::lake::error::LakeError;
use crate::lake::events::events_log;
use crate::lake::open::Lake;
use crate::lake::replace::Remainders;
use crate::lake::staged_files::{BatchCounts, StagedFiles};
use crate::model::Currency;

/// The application id under which the log counts batches; no batch may have this id.
pub(super) const BATCHES: &str = "topsell:batches";
/// The application id under which the log keeps the currency of all amounts, as a number.
pub(super) const CURRENCY: &str = "topsell:currency";
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

/// A version of the table, and what its log has for application ids.
pub(super) struct LogView<'a> {
    lake: &'a Lake,
    pub newest: &'a Version<'a>,
    /// All ids, where many are asked for that this process has not looked up before.
    state: Option<TableState>,
}

impl<'a> LogView<'a> {
    /// Returns a view that looks up each id.
    pub fn of(lake: &'a Lake, newest: &'a Version<'a>) -> LogView<'a> {
        LogView { lake, newest, state: None }
    }

    /// Returns a view of all ids; none where the version is no longer the newest one.
    pub fn of_all_ids(lake: &'a Lake, newest: &'a Version<'a>) -> Result<Option<LogView<'a>>, LakeError> {
        // Of a log of an unexpected form, which the Delta kernel reads, each id is looked up.
        let state = events_log(&lake.store).without_files().newest(&|_| false)?;
        let is_newest = state.as_ref().is_none_or(|state| state.number == newest.number());
        Ok(is_newest.then_some(LogView { lake, newest, state }))
    }

    fn transaction(&self, id: &str) -> Result<Option<i64>, TableError> {
        match &self.state {
            Some(state) => {
                self.lake.transactions.forget(id);
                Ok(state.transaction(id))
            }
            None => self.lake.transactions.transaction(self.newest, id),
        }
    }
}

/// The contents of a commit, as far as they are decided.
#[derive(Default)]
pub(super) struct CommitDraft {
    adds: Vec<NewFile>,
    removes: Vec<LiveFile>,
    /// The batches that it appends.
    batches: Vec<(String, BatchCounts)>,
    /// How many of these are of earlier writers than the one whose batches are decided.
    of_others: usize,
    /// How many of them were not ingested before.
    new_batches: u64,
    currency: Option<Currency>,
}

impl CommitDraft {
    /// Returns whether it says nothing about any batch.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Notes that the batches of another writer are decided next.
    pub fn begin_writer(&mut self) {
        self.of_others = self.batches.len();
    }

    /// Returns whether it has a batch of another writer. One writer reads each file once, and may have several whose
    /// names are alike.
    fn has_of_others(&self, id: &str) -> bool {
        self.batches[..self.of_others].iter().any(|(of, _)| of == id)
    }

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
    /// Decides the outcome of one staged batch, based on a version and on the batches before it.
    pub(super) fn decide(
        &self,
        view: &LogView<'_>,
        duplicates: DuplicatePolicy,
        staged: &StagedFiles<'_>,
        remainders: &mut Remainders<'_>,
        draft: &mut CommitDraft,
    ) -> Result<CommitOutcome, LakeError> {
        let newest = view.newest;
        let known = |draft: &CommitDraft, id: &String| match draft.size_of(id) {
            Some(size) => Ok::<_, LakeError>(Some(size)),
            None => Ok(size_of(view.transaction(id)?)),
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
                let is_ingested = |id: &str| Ok(draft.has_of_others(id) || view.transaction(id)?.is_some());
                if self.is_superseded(newest.number(), part, &is_ingested)? {
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
            let in_lake = view.transaction(CURRENCY)?.and_then(Currency::of_number);
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

    pub(super) fn commit_of(
        &self,
        view: &LogView<'_>,
        draft: CommitDraft,
        now_ms: i64,
    ) -> Result<Commit, LakeError> {
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
            let so_far = view.transaction(BATCHES)?.unwrap_or(0);
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

/// Returns the size of a batch that is ingested, by what the log has for its id.
pub(super) fn size_of(transaction: Option<i64>) -> Option<BatchSize> {
    transaction.and_then(BatchSize::of_version)
}

/// Moves or removes the rejects of batches whose outcomes are known.
pub(super) fn settle_rejects(
    duplicates: DuplicatePolicy,
    together: &mut [StagedFiles<'_>],
    outcomes: &[CommitOutcome],
) {
    for (staged, outcome) in together.iter_mut().zip(outcomes) {
        match outcome {
            _ if duplicates == DuplicatePolicy::Replace => staged.publish_rejects(),
            CommitOutcome::Committed => staged.publish_rejects(),
            // The lines are rejected again.
            CommitOutcome::Nothing => staged.remove_replaced_rejects(),
            _ => {}
        }
    }
}
