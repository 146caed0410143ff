//! Batches into the `events` table: their files first, then the commit that names them.

use std::collections::BTreeMap;

use crate::delta::{Commit, LiveFile, NewFile, Outcome, Version};
use crate::lake::placing::write_events;
use crate::lake::records::{reject_lines, rejects_of, rejects_path};
use crate::lake::replace::Remainders;
use crate::lake::{EVENTS, Lake, LakeError, Reject, WRITERS};
use crate::model::Events;
use crate::storage::{BulkWriter, Stay, unique_name};

/// How often a commit is tried again when other writers come first.
pub(super) const MAX_TRIES: u32 = 1_000;
/// The application id under which the log counts batches; no batch may be called so.
const BATCHES: &str = "topsell:batches";
/// The transaction version of a batch that was taken back and may come again.
const TAKEN_BACK: i64 = -1;

/// What to do with a batch that is in already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// Leave it as it is.
    #[default]
    Skip,
    /// Take out what it brought, and bring in what it has now.
    Replace,
    /// It is another batch with the same content, as its sender can tell: it comes in too.
    AppendAgain,
}

/// How an append ended for what came in whole or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The batches are in.
    Committed,
    /// They are in, instead of what they brought before; so many had brought nothing.
    Replaced { added: u64 },
    /// Every line was rejected, so there was nothing to bring in.
    Nothing,
    /// They were in already, with so many lines.
    Known { lines: u64 },
}

/// An append to the table: deliveries whose files become durable together and come in by one commit.
///
/// Their files are written as they are added; without the commit they are litter.
pub struct Append<'a> {
    lake: &'a Lake,
    /// Until the commit nothing names the files, and whoever vacuums must know them from litter.
    _writing: Stay,
    known: Known,
    /// The files that are written; no commit names them before they are durable.
    bulk: BulkWriter<'a>,
}

/// What comes in whole or not at all: one batch, or those of an input that comes in as a whole.
pub struct Delivery<'a> {
    lake: &'a Lake,
    adds: Vec<NewFile>,
    batches: BTreeMap<String, Lines>,
    /// Rejects that lie beside those of what may be replaced, and where they are to lie.
    aside: Vec<(String, String)>,
}

/// What a batch's lines came to.
#[derive(Clone, Copy, Default)]
struct Lines {
    accepted: u64,
    rejected: u64,
    /// Files of rejects that were written.
    reject_files: usize,
}

impl Lines {
    fn all(self) -> u64 {
        self.accepted + self.rejected
    }
}

impl Lake {
    /// Returns how many lines the batch of that id brought, if it is in.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn known_batch(&self, id: &str) -> Result<Option<u64>, LakeError> {
        Ok(lines_of(self.ask(id)?))
    }

    /// Returns how many batches have come in since the lake was made.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn batches(&self) -> Result<u64, LakeError> {
        Ok(lines_of(self.events.newest()?.transaction(BATCHES)?).unwrap_or(0))
    }

    /// Begins to bring batches in.
    ///
    /// # Errors
    /// Fails where the lake's folder does.
    pub fn append(&self, known: Known) -> Result<Append<'_>, LakeError> {
        let _writing = self.store.enter(WRITERS)?;
        let bulk = self.store.bulk_writer(EVENTS)?;
        Ok(Append { lake: self, _writing, known, bulk })
    }
}

impl<'a> Append<'a> {
    /// Returns an empty delivery.
    pub fn delivery(&self) -> Delivery<'a> {
        Delivery { lake: self.lake, adds: Vec::new(), batches: BTreeMap::new(), aside: Vec::new() }
    }

    /// Adds a batch to a delivery, or a further part of one.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn add(
        &self,
        delivery: &mut Delivery<'a>,
        id: &str,
        events: &Events,
        rejects: &[Reject],
    ) -> Result<(), LakeError> {
        delivery.adds.extend(write_events(&self.bulk, id, events)?);
        let lines = delivery.batches.entry(id.to_owned()).or_default();
        lines.accepted += events.len() as u64;
        lines.rejected += rejects.len() as u64;
        if !rejects.is_empty() {
            let path = rejects_path(id, lines.reject_files);
            lines.reject_files += 1;
            if self.known == Known::Replace {
                // Those of the batch that stands stay as long as it does.
                let aside = format!("{path}.{}", unique_name());
                self.lake.store.put(&aside, reject_lines(rejects))?;
                delivery.aside.push((aside, path));
            } else {
                self.lake.store.put(&path, reject_lines(rejects))?;
            }
        }
        Ok(())
    }

    /// Commits the deliveries, and returns how each has ended; what is in is on disk by then.
    ///
    /// New batches come in by one commit. Whatever may come in twice, or takes the place of rows
    /// that another delivery may touch too, has a commit of its own.
    ///
    /// # Errors
    /// Fails where the disk does; of the delivery that it failed for nothing is in, and nothing of
    /// those that were to come in with it or after it.
    pub fn commit(self, mut deliveries: Vec<Delivery<'a>>, now_ms: i64) -> Result<Vec<Appended>, LakeError> {
        let Append { lake, _writing, known, bulk } = self;
        if deliveries.iter().any(|delivery| !delivery.adds.is_empty()) {
            bulk.finish()?;
        }
        let at_once = if known == Known::Skip { deliveries.len().max(1) } else { 1 };
        let mut appended = Vec::with_capacity(deliveries.len());
        for together in deliveries.chunks_mut(at_once) {
            appended.extend(lake.commit_together(known, together, now_ms)?);
        }
        Ok(appended)
    }
}

/// What a commit is to do, as far as it is decided.
#[derive(Default)]
struct Draft {
    adds: Vec<NewFile>,
    removes: Vec<LiveFile>,
    /// The batches that come in.
    batches: Vec<(String, Lines)>,
    /// How many of them had not come in before.
    new_batches: u64,
}

impl Draft {
    /// Returns how many lines a batch brings by this very commit.
    fn lines_of(&self, id: &str) -> Option<u64> {
        self.batches.iter().find(|(of, lines)| of == id && lines.accepted > 0).map(|(_, lines)| lines.all())
    }
}

impl Lake {
    fn commit_together(
        &self,
        known: Known,
        together: &mut [Delivery<'_>],
        now_ms: i64,
    ) -> Result<Vec<Appended>, LakeError> {
        if known != Known::Replace && together.iter().all(|delivery| delivery.adds.is_empty()) {
            return Ok(vec![Appended::Nothing; together.len()]);
        }
        let names: Vec<Vec<String>> =
            together.iter().map(|delivery| delivery.batches.keys().cloned().collect()).collect();
        let mut remainders: Vec<Remainders<'_>> = names
            .iter()
            .map(|names| Remainders::of(&names.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect();
        for _ in 0..MAX_TRIES {
            // Asked of the very version that is committed on: who brings the same batch in between
            // makes this commit fail, and then each delivery is decided on anew.
            let newest = self.events.newest()?;
            let mut draft = Draft::default();
            let appended: Vec<Appended> = together
                .iter()
                .zip(&mut remainders)
                .map(|(delivery, remainders)| self.decide(&newest, known, delivery, remainders, &mut draft))
                .collect::<Result<_, LakeError>>()?;
            if !draft.adds.is_empty() || !draft.removes.is_empty() {
                let commit = self.commit_of(&newest, draft, now_ms)?;
                self.recent.expect(newest.number() + 1);
                let Outcome::Committed(version) = newest.commit(&commit)? else {
                    self.recent.record(None);
                    continue;
                };
                self.recent.record(Some((&commit, version)));
            }
            for (delivery, appended) in together.iter_mut().zip(&appended) {
                if known == Known::Replace || *appended == Appended::Committed {
                    delivery.settle_rejects();
                }
            }
            return Ok(appended);
        }
        Err(LakeError::Contended { tries: MAX_TRIES })
    }

    /// Decides what becomes of one delivery on top of a version and of what comes in before it.
    fn decide(
        &self,
        newest: &Version<'_>,
        known: Known,
        delivery: &Delivery<'_>,
        remainders: &mut Remainders<'_>,
        draft: &mut Draft,
    ) -> Result<Appended, LakeError> {
        if delivery.adds.is_empty() && known != Known::Replace {
            // A batch of which nothing could be read is not in: read rightly, it may come again.
            return Ok(Appended::Nothing);
        }
        let lines: Vec<Option<u64>> = delivery
            .batches
            .keys()
            .map(|id| match draft.lines_of(id) {
                Some(lines) => Ok(Some(lines)),
                None => Ok(lines_of(self.transaction(newest, id)?)),
            })
            .collect::<Result<_, LakeError>>()?;
        if let (Known::Skip, Some(lines)) = (known, lines.iter().copied().sum()) {
            return Ok(Appended::Known { lines });
        }
        let (mut adds, mut removes) = (delivery.adds.clone(), Vec::new());
        if known == Known::Replace {
            // Looked for even where the id is not known: the log forgets ids in time, not rows.
            (removes, adds) = self.without_batches(remainders, newest.files()?, adds)?;
        }
        if adds.is_empty() && removes.is_empty() {
            return Ok(Appended::Nothing);
        }
        let unknown = lines.iter().filter(|known| known.is_none()).count() as u64;
        let replaces = !removes.is_empty();
        // Rows without a known id are those of ids that the log has forgotten.
        let is_forgotten = replaces && unknown == lines.len() as u64;
        let added = if is_forgotten { 0 } else { unknown };
        draft.adds.extend(adds);
        draft.removes.extend(removes);
        draft.batches.extend(delivery.batches.iter().map(|(id, lines)| (id.clone(), *lines)));
        draft.new_batches += added;
        Ok(if replaces { Appended::Replaced { added } } else { Appended::Committed })
    }

    fn commit_of(&self, newest: &Version<'_>, draft: Draft, now_ms: i64) -> Result<Commit, LakeError> {
        let mut transactions: Vec<(String, i64)> = Vec::new();
        let mut all = Lines::default();
        for (id, lines) in draft.batches {
            let all_lines = lines.all().cast_signed();
            transactions.push((id, if lines.accepted > 0 { all_lines } else { TAKEN_BACK }));
            all.accepted += lines.accepted;
            all.rejected += lines.rejected;
        }
        if draft.new_batches > 0 {
            let so_far = self.transaction(newest, BATCHES)?.unwrap_or(0);
            transactions.push((BATCHES.to_owned(), so_far + draft.new_batches.cast_signed()));
        }
        Ok(Commit {
            transactions,
            adds: draft.adds,
            removes: draft.removes,
            metrics: vec![
                ("numReadLines", all.all()),
                ("numAcceptedLines", all.accepted),
                ("numRejectedLines", all.rejected),
            ],
            now_ms,
            ..Commit::default()
        })
    }
}

impl Delivery<'_> {
    /// Names a batch that comes in, were it without any line.
    pub fn name(&mut self, id: &str) {
        self.batches.entry(id.to_owned()).or_default();
    }

    /// Returns how many files it has.
    pub fn files(&self) -> usize {
        self.adds.len()
    }

    /// Puts the rejects in their place, and removes those of lines that the batches no longer have.
    fn settle_rejects(&mut self) {
        // What is in is in: a note that cannot be moved is still a note, and no failure.
        for (aside, path) in self.aside.drain(..) {
            let _ = self.lake.store.rename(&aside, &path);
        }
        for (id, lines) in &self.batches {
            let stale = rejects_of(&self.lake.store, id, lines.reject_files);
            // The last first: who is killed on the way leaves no gap that would hide the others.
            stale.iter().rev().for_each(|path| drop(self.lake.store.delete(path)));
        }
    }
}

impl Drop for Delivery<'_> {
    /// Leaves nothing beside the rejects of a batch that stands after all.
    fn drop(&mut self) {
        for (aside, _) in &self.aside {
            let _ = self.lake.store.delete(aside);
        }
    }
}

/// The transaction's version is the number of lines, so that a repeat can be accounted for without
/// parsing it.
fn lines_of(transaction: Option<i64>) -> Option<u64> {
    transaction.and_then(|lines| u64::try_from(lines).ok())
}
