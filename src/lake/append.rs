//! One batch into the `events` table: its files first, then the commit that names them.

use std::sync::{Mutex, PoisonError};

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::columns::{EventCopy, encode_events};
use crate::event::Events;
use crate::lake::replace::Remainders;
use crate::lake::{EVENTS, HourPartition, Lake, LakeError, Reject, WRITERS, records, unique_name};
use crate::table::{Commit, LiveFile, NewFile, Outcome, Version};
use crate::time::Hour;

/// How often a commit is tried again when other writers come first.
pub(super) const MAX_TRIES: u32 = 1_000;
/// The application id under which the log counts batches; no batch may be called so.
const BATCHES: &str = "topsell:batches";
/// The transaction version of a batch that was taken back and may come again.
const TAKEN_BACK: i64 = -1;

/// What one input, or one slice of it, brings in.
pub struct Batch<'a> {
    /// The batch's identity: the same one again is not appended again.
    pub id: &'a str,
    pub events: &'a Events,
    pub rejects: &'a [Reject],
    pub known: Known,
    pub now_ms: i64,
}

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
    /// The batch is in.
    Committed,
    /// The batch is in, instead of what it brought before.
    Replaced,
    /// Every line was rejected, so there was nothing to bring in.
    Nothing,
    /// It was in already, with so many lines.
    Known { lines: u64 },
}

impl Batch<'_> {
    fn lines(&self) -> u64 {
        (self.events.len() + self.rejects.len()) as u64
    }
}

impl Lake {
    /// Returns how many lines the batch of that id brought, if it is in.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn known_batch(&self, id: &str) -> Result<Option<u64>, LakeError> {
        let newest = self.events.newest()?;
        let lines = lines_of(newest.transaction(id)?);
        if lines.is_none() {
            self.unknown.remember(id, newest.number());
        }
        Ok(lines)
    }

    /// Returns how many batches have come in since the lake was made.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn batches(&self) -> Result<u64, LakeError> {
        Ok(lines_of(self.events.newest()?.transaction(BATCHES)?).unwrap_or(0))
    }

    /// Brings a batch in, in one commit that its id stands in; it is on disk when this returns.
    ///
    /// # Errors
    /// Fails where the disk does; the table is then as it was before.
    pub fn append(&self, batch: &Batch<'_>) -> Result<Appended, LakeError> {
        // Until the commit nothing names the files, and whoever sweeps must know them from litter.
        let _writing = self.store.enter(WRITERS)?;
        let adds = self.write_files(batch)?;
        if !batch.rejects.is_empty() {
            self.store.put(&records::rejects_path(batch.id), records::reject_lines(batch.rejects))?;
        }
        if adds.is_empty() && batch.known != Known::Replace {
            // A batch of which nothing could be read is not in: read rightly, it may come again.
            return Ok(Appended::Nothing);
        }
        let mut stays = Remainders::of(batch.id);
        for _ in 0..MAX_TRIES {
            // Asked of the very version that is committed on: who brings the same batch in between
            // makes this commit fail.
            let newest = self.events.newest()?;
            let known = match self.unknown.forget(batch.id) == Some(newest.number()) {
                true => None,
                false => lines_of(newest.transaction(batch.id)?),
            };
            let (mut adds, mut removes) = (adds.clone(), Vec::new());
            let appended = match (known, batch.known) {
                (Some(lines), Known::Skip) => return Ok(Appended::Known { lines }),
                (Some(_), Known::Replace) => {
                    for file in newest.files()? {
                        if let Some(remainder) = self.without_batch(&mut stays, &file)? {
                            removes.push(file);
                            adds.extend(remainder);
                        }
                    }
                    Appended::Replaced
                }
                (Some(_), Known::AppendAgain) => Appended::Committed,
                (None, _) if adds.is_empty() => return Ok(Appended::Nothing),
                (None, _) => Appended::Committed,
            };
            let commit = self.commit_of(&newest, batch, appended, adds, removes)?;
            if let Outcome::Committed(_) = newest.commit(&commit)? {
                if appended == Appended::Replaced && batch.rejects.is_empty() {
                    self.store.delete(&records::rejects_path(batch.id))?;
                }
                return Ok(appended);
            }
        }
        Err(LakeError::Contended { tries: MAX_TRIES })
    }

    fn commit_of(
        &self,
        newest: &Version<'_>,
        batch: &Batch<'_>,
        appended: Appended,
        adds: Vec<NewFile>,
        removes: Vec<LiveFile>,
    ) -> Result<Commit, LakeError> {
        let lines = if batch.events.is_empty() { TAKEN_BACK } else { batch.lines().cast_signed() };
        let mut transactions = vec![(batch.id.to_owned(), lines)];
        if appended == Appended::Committed {
            transactions.push((BATCHES.to_owned(), newest.transaction(BATCHES)?.unwrap_or(0) + 1));
        }
        Ok(Commit {
            transactions,
            adds,
            removes,
            metrics: vec![
                ("numReadLines", batch.lines()),
                ("numAcceptedLines", batch.events.len() as u64),
                ("numRejectedLines", batch.rejects.len() as u64),
            ],
            now_ms: batch.now_ms,
            ..Commit::default()
        })
    }

    /// Writes the batch's files, durable but not yet named by any commit.
    fn write_files(&self, batch: &Batch<'_>) -> Result<Vec<NewFile>, LakeError> {
        let events = batch.events;
        let placed = placed_paths(events);
        let groups = group(events, &placed);
        let order = events.item_order();
        let bulk = self.store.bulk(EVENTS)?;
        let batch_name = unique_name();
        let files: Result<Vec<NewFile>, LakeError> = groups
            .into_par_iter()
            .enumerate()
            .map(|(number, (partition, mut copies))| {
                copies.sort_unstable_by_key(|copy| (order[copy.row], events.ts(copy.row), copy.row));
                // Numbered, so that folders which one file system takes for two names and another
                // for one never make two files one.
                let path = format!("{}/{batch_name}-{number:05}.parquet", partition.folder());
                let encoded = encode_events(events, &copies, batch.id)
                    .map_err(|source| LakeError::Columns { file: path.clone(), source })?;
                bulk.put(&format!("{EVENTS}/{path}"), encoded.bytes.clone())?;
                Ok(NewFile::of(path, partition.values(), encoded))
            })
            .collect();
        let files = files?;
        bulk.finish()?;
        Ok(files)
    }
}

/// Batches that were looked for and not found, and in which version; the log of a lake that has
/// taken in a batch a minute for a year is too long to be searched twice for each.
#[derive(Default)]
pub(super) struct Unknown {
    by_id: Mutex<HashMap<String, u64>>,
}

impl Unknown {
    fn remember(&self, id: &str, version: u64) {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), version);
    }

    fn forget(&self, id: &str) -> Option<u64> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
    }
}

/// The transaction's version is the number of lines, so that a repeat can be accounted for without
/// parsing it.
fn lines_of(transaction: Option<i64>) -> Option<u64> {
    transaction.and_then(|lines| u64::try_from(lines).ok())
}

/// Where the events of one set of paths are written.
struct Placed<'a> {
    /// The whole set joined by `|`, where it lies below several top-level categories.
    all_paths: Option<String>,
    places: Vec<Place<'a>>,
}

/// The paths of one set that lie below one top-level category, or the set without any.
struct Place<'a> {
    category: Option<&'a str>,
    paths: Vec<&'a str>,
    is_primary: bool,
}

/// Returns for each set of paths the top-level categories it is written under.
fn placed_paths(events: &Events) -> Vec<Placed<'_>> {
    let placed = events.path_sets.iter().map(|set| {
        let by_top_level = set.by_top_level().into_iter().zip(0..);
        let mut places: Vec<Place<'_>> = by_top_level
            .map(|((category, paths), at)| Place { category: Some(category), paths, is_primary: at == 0 })
            .collect();
        let all_paths = (places.len() > 1).then(|| set.paths().join("|"));
        if places.is_empty() {
            places.push(Place { category: None, paths: Vec::new(), is_primary: true });
        }
        Placed { all_paths, places }
    });
    placed.collect()
}

/// Returns the copies that each partition gets.
fn group<'a>(events: &Events, placed: &'a [Placed<'a>]) -> Vec<(HourPartition, Vec<EventCopy<'a>>)> {
    let mut categories: HashMap<Option<&str>, u32> = HashMap::new();
    let codes: Vec<Vec<u32>> = placed
        .iter()
        .map(|Placed { places, .. }| {
            let next = |known: usize| u32::try_from(known).expect("fewer categories than rows");
            places
                .iter()
                .map(|place| {
                    let code = next(categories.len());
                    *categories.entry(place.category).or_insert(code)
                })
                .collect()
        })
        .collect();
    let mut groups: HashMap<(u32, u32, Hour), (HourPartition, Vec<EventCopy<'a>>)> = HashMap::new();
    for row in 0..events.len() {
        let event = events.event(row);
        let set = event.path_set as usize;
        let all_paths = placed[set].all_paths.as_deref();
        for (place, &code) in placed[set].places.iter().zip(&codes[set]) {
            let key = (event.event_type, code, event.ts.hour());
            let (_, copies) = groups.entry(key).or_insert_with(|| {
                let event_type = events.event_types[event.event_type as usize].clone();
                let category = place.category.map(str::to_owned);
                (HourPartition { event_type, hour: event.ts.hour(), category }, Vec::new())
            });
            copies.push(EventCopy { row, paths: &place.paths, all_paths, is_primary: place.is_primary });
        }
    }
    groups.into_values().collect()
}
