//! Batches into the `events` table: their files first, then the commit that names them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::event::Events;
use crate::lake::placing::write_events;
use crate::lake::records::{reject_lines, rejects_of, rejects_path};
use crate::lake::replace::Remainders;
use crate::lake::{EVENTS, Lake, LakeError, Reject, WRITERS, unique_name};
use crate::store::Bulk;
use crate::store::Stay;
use crate::table::{Commit, LiveFile, NewFile, Outcome, Version};

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

/// How an append ended.
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

/// Batches that come in together, in one commit.
///
/// Their files are written as they are added; without the commit they are litter.
pub struct Append<'a> {
    lake: &'a Lake,
    /// Until the commit nothing names the files, and whoever sweeps must know them from litter.
    _writing: Stay,
    known: Known,
    /// The files that are written; no commit names them before they are durable.
    bulk: Option<Bulk<'a>>,
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

impl Lake {
    /// Returns how many lines the batch of that id brought, if it is in.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn known_batch(&self, id: &str) -> Result<Option<u64>, LakeError> {
        let newest = self.events.newest()?;
        let found = newest.transaction(id)?;
        if lines_of(found).is_none() {
            self.recent.ask(id, found, newest.number());
        }
        Ok(lines_of(found))
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
        let bulk = Some(self.store.bulk(EVENTS)?);
        let (adds, batches, aside) = (Vec::new(), BTreeMap::new(), Vec::new());
        Ok(Append { lake: self, _writing, known, bulk, adds, batches, aside })
    }
}

impl Append<'_> {
    /// Names a batch that comes in, were it without any line.
    pub fn name(&mut self, id: &str) {
        self.batches.entry(id.to_owned()).or_default();
    }

    /// Adds a batch, or a further part of one.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn add(&mut self, id: &str, events: &Events, rejects: &[Reject]) -> Result<(), LakeError> {
        if let Some(bulk) = &self.bulk {
            self.adds.extend(write_events(bulk, id, events)?);
        }
        let lines = self.batches.entry(id.to_owned()).or_default();
        lines.accepted += events.len() as u64;
        lines.rejected += rejects.len() as u64;
        if !rejects.is_empty() {
            let path = rejects_path(id, lines.reject_files);
            lines.reject_files += 1;
            if self.known == Known::Replace {
                // Those of the batch that stands stay as long as it does.
                let aside = format!("{path}.{}", unique_name());
                self.lake.store.put(&aside, reject_lines(rejects))?;
                self.aside.push((aside, path));
            } else {
                self.lake.store.put(&path, reject_lines(rejects))?;
            }
        }
        Ok(())
    }

    /// Commits all that was added; it is on disk when this returns.
    ///
    /// # Errors
    /// Fails where the disk does; the table is then as it was before.
    pub fn commit(mut self, now_ms: i64) -> Result<Appended, LakeError> {
        let known = self.known;
        if self.adds.is_empty() && known != Known::Replace {
            // A batch of which nothing could be read is not in: read rightly, it may come again.
            return Ok(Appended::Nothing);
        }
        if let Some(bulk) = self.bulk.take().filter(|_| !self.adds.is_empty()) {
            bulk.finish()?;
        }
        let names: Vec<String> = self.batches.keys().cloned().collect();
        let ids: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut remainders = Remainders::of(&ids);
        for _ in 0..MAX_TRIES {
            // Asked of the very version that is committed on: who brings the same batch in between
            // makes this commit fail.
            let newest = self.lake.events.newest()?;
            let lines: Vec<Option<u64>> = ids
                .iter()
                .map(|id| Ok(lines_of(self.lake.transaction(&newest, id)?)))
                .collect::<Result<_, LakeError>>()?;
            if let (Known::Skip, Some(lines)) = (known, lines.iter().copied().sum()) {
                return Ok(Appended::Known { lines });
            }
            let (mut adds, mut removes) = (self.adds.clone(), Vec::new());
            if known == Known::Replace {
                // Looked for even where the id is not known: the log forgets ids in time, not rows.
                (removes, adds) = self.lake.without_batches(&mut remainders, newest.files()?, adds)?;
            }
            if adds.is_empty() && removes.is_empty() {
                self.settle_rejects();
                return Ok(Appended::Nothing);
            }
            let unknown = lines.iter().filter(|known| known.is_none()).count() as u64;
            let replaces = !removes.is_empty();
            // Rows without a known id are those of ids that the log has forgotten.
            let is_forgotten = replaces && unknown == ids.len() as u64;
            let added = if is_forgotten { 0 } else { unknown };
            let commit = self.commit_of(&newest, added, adds, removes, now_ms)?;
            if let Outcome::Committed(version) = newest.commit(&commit)? {
                self.lake.recent.record(&commit, version);
                self.settle_rejects();
                return Ok(if replaces { Appended::Replaced { added } } else { Appended::Committed });
            }
        }
        Err(LakeError::Contended { tries: MAX_TRIES })
    }

    fn commit_of(
        &self,
        newest: &Version<'_>,
        new_batches: u64,
        adds: Vec<NewFile>,
        removes: Vec<LiveFile>,
        now_ms: i64,
    ) -> Result<Commit, LakeError> {
        let mut transactions: Vec<(String, i64)> = Vec::new();
        let mut all = Lines::default();
        for (id, lines) in &self.batches {
            let all_lines = (lines.accepted + lines.rejected).cast_signed();
            transactions.push((id.clone(), if lines.accepted > 0 { all_lines } else { TAKEN_BACK }));
            all.accepted += lines.accepted;
            all.rejected += lines.rejected;
        }
        if new_batches > 0 {
            let so_far = self.lake.transaction(newest, BATCHES)?.unwrap_or(0);
            transactions.push((BATCHES.to_owned(), so_far + new_batches.cast_signed()));
        }
        Ok(Commit {
            transactions,
            adds,
            removes,
            metrics: vec![
                ("numReadLines", all.accepted + all.rejected),
                ("numAcceptedLines", all.accepted),
                ("numRejectedLines", all.rejected),
            ],
            now_ms,
            ..Commit::default()
        })
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

impl Drop for Append<'_> {
    /// Leaves nothing beside the rejects of a batch that stands after all.
    fn drop(&mut self) {
        for (aside, _) in &self.aside {
            let _ = self.lake.store.delete(aside);
        }
    }
}

impl Lake {
    /// Returns what a version's log has for an id, read again only where it may have changed.
    fn transaction(&self, version: &Version<'_>, id: &str) -> Result<Option<i64>, LakeError> {
        match self.recent.find(id, version.number()) {
            Some(known) => Ok(known),
            None => Ok(version.transaction(id)?),
        }
    }
}

/// What is known of the newest commits without reading them: the log of a lake that has taken in a
/// batch a minute for a year is too long to be searched three times for each.
#[derive(Default)]
pub(super) struct Recent {
    state: Mutex<RecentState>,
}

#[derive(Default)]
struct RecentState {
    /// Ids that were looked for, in which version, and what it had.
    asked: HashMap<String, (u64, Option<i64>)>,
    /// Versions that follow each other and were all committed here, and what they recorded.
    ours: Option<(u64, u64)>,
    recorded: HashMap<String, i64>,
}

/// Ids that are kept; after so many the log is asked again.
const MAX_RECORDED: usize = 10_000;

impl Recent {
    fn ask(&self, id: &str, found: Option<i64>, version: u64) {
        self.state().asked.insert(id.to_owned(), (version, found));
    }

    /// Returns what a version has for an id, where that is known.
    fn find(&self, id: &str, version: u64) -> Option<Option<i64>> {
        let mut state = self.state();
        let asked = state.asked.remove(id);
        let (first, _) = state.ours.filter(|&(_, last)| last == version).unzip();
        let recorded = first.and_then(|_| state.recorded.get(id).copied());
        match (recorded, asked) {
            (Some(recorded), _) => Some(Some(recorded)),
            // Nobody else has committed since.
            (None, Some((at, found))) if at == version || first.is_some_and(|first| first <= at + 1) => {
                Some(found)
            }
            _ => None,
        }
    }

    fn record(&self, commit: &Commit, version: u64) {
        let mut state = self.state();
        let follows = state.ours.filter(|&(_, last)| last + 1 == version);
        if follows.is_none() || state.recorded.len() > MAX_RECORDED {
            state.recorded.clear();
            state.ours = None;
        }
        state.ours = Some((state.ours.map_or(version, |(first, _)| first), version));
        state.recorded.extend(commit.transactions.iter().cloned());
    }

    fn state(&self) -> MutexGuard<'_, RecentState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The transaction's version is the number of lines, so that a repeat can be accounted for without
/// parsing it.
fn lines_of(transaction: Option<i64>) -> Option<u64> {
    transaction.and_then(|lines| u64::try_from(lines).ok())
}
