//! Conflict resolution: which version of an event counts, where it came with different contents.
//!
//! Within an event type and day, an event is identified by its id, its item, and whether it is a sale or
//! a return: an order number may be the id of several items, and a return may come under its sale's id.
//!
//! Invariant: the order of arrival does not matter. Of all versions of an event, those with the greatest
//! version number are considered, or all where none has one; of these, the smallest by (timestamp,
//! quantity, amount, paths) counts, and copies of it count once.
//!
//! Memory is bounded. Events are read in passes of [`Limits::events_per_pass`], each held as a hash of
//! its content; the versions themselves are held for [`Limits::conflicts_per_read`] conflicting events
//! at a time; afterwards only the hash of the version that counts is kept.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::lake::Lake;
use crate::model::{Date, Hour, Units};
use crate::parquet_format::{EventBatch, EventColumns};
use crate::rollup::error::RollupError;
use crate::rollup::event_file::{EventFile, IdRange};
use crate::rollup::event_hash::{Content, EventHasher, EventKey, Version, version_of};

/// How much is held in memory at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Events that are compared in one pass over a day.
    events_per_pass: u64,
    /// Conflicting events that are resolved in one read of the day.
    conflicts_per_read: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { events_per_pass: 4_000_000, conflicts_per_read: 250_000 }
    }
}

/// Shards of a map by event, so that threads seldom wait for each other.
const SHARDS: usize = 64;

/// A version that is kept longer than its row.
type OwnedVersion = (i64, Units, i128, Box<str>);

/// The versions of an event that have been read.
#[derive(Default)]
pub(super) struct Candidates {
    /// The smallest version so far of those with the greatest number, and whether others have that number
    /// too.
    smallest: Option<OwnedVersion>,
    number: Option<i64>,
    is_disputed: bool,
    hours: HoursOfDay,
}

impl Candidates {
    pub(super) fn add(&mut self, batch: &EventBatch, row: usize) {
        self.hours.insert(batch.hour_of_day(row));
        let mut scratch = String::new();
        let (version, number) = (version_of(batch, row, &mut scratch), batch.version(row));
        let is_newer = self.smallest.is_none() || number > self.number;
        if !is_newer && number < self.number {
            return;
        }
        self.is_disputed = !is_newer && (self.is_disputed || self.smallest() != Some(version));
        if is_newer || self.smallest().is_none_or(|smallest| version < smallest) {
            self.number = number;
            let (ts_micros, quantity, amount, paths) = version;
            self.smallest = Some((ts_micros, quantity, amount, paths.into()));
        }
    }

    /// Returns the version that counts; none where none was read.
    pub(super) fn smallest(&self) -> Option<Version<'_>> {
        let (ts_micros, quantity, amount, paths) = self.smallest.as_ref()?;
        Some((*ts_micros, *quantity, *amount, paths))
    }
}

/// Some hours of a day, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct HoursOfDay(u32);

impl HoursOfDay {
    fn insert(&mut self, hour_of_day: usize) {
        self.0 |= 1 << hour_of_day;
    }

    fn contains(self, hour_of_day: usize) -> bool {
        self.0 >> hour_of_day & 1 == 1
    }

    fn contains_hour(self, hour: Hour) -> bool {
        self.0 >> hour.of_day() & 1 == 1
    }

    fn of(hours: &BTreeSet<Hour>) -> HoursOfDay {
        HoursOfDay(hours.iter().fold(0, |all, hour| all | 1 << hour.of_day()))
    }
}

/// A resolved conflict: an event that came with different contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Conflict {
    /// The version that counts.
    winner: Content,
    /// The hours that have any version.
    hours: HoursOfDay,
    /// No version number says which of several versions is the newest.
    is_disputed: bool,
}

/// The resolved conflicts of some hours of one event type and day.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    /// Sorted by the events' keys: a list takes half the memory of a map.
    resolved: Vec<(EventKey, Conflict)>,
}

impl Conflicts {
    /// Returns whether a row may count: its event is in no conflict, or it is a copy of the version
    /// that counts.
    pub(super) fn allows(&self, hasher: &EventHasher, key: EventKey, batch: &EventBatch, row: usize) -> bool {
        match self.resolved.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(at) => self.resolved[at].1.winner == hasher.content_of(batch, row),
            Err(_) => true,
        }
    }

    /// Returns how many events are in conflict, and how many others a greater version number has
    /// corrected.
    pub(super) fn counts(&self) -> (u64, u64) {
        let disputed = self.resolved.iter().filter(|(_, conflict)| conflict.is_disputed).count() as u64;
        (disputed, self.resolved.len() as u64 - disputed)
    }

    /// Returns the hours of the day that have any version of an event in conflict.
    pub(super) fn hours(&self, date: Date) -> BTreeSet<Hour> {
        let all = self.resolved.iter().fold(0, |all, (_, conflict)| all | conflict.hours.0);
        (0..24).filter(|hour| all >> hour & 1 == 1).map(|hour| Hour::of(date, hour)).collect()
    }

    /// Adds the conflicts of other hours of the day.
    pub(super) fn extend(&mut self, others: Conflicts) {
        self.resolved.extend(others.resolved);
        self.sort();
    }

    fn sort(&mut self) {
        self.resolved.sort_unstable_by_key(|(key, _)| *key);
        // An event that was resolved from both sides has the same winner.
        self.resolved.dedup_by_key(|(key, _)| *key);
    }
}

/// Returns the conflicts of the events in some hours of a day, with each other and with those of its other hours;
/// `files` are those of the day.
///
/// Only primary copies are read: every version has exactly one.
///
/// # Errors
/// Names the file that is missing or damaged.
pub(super) fn resolve_conflicts(
    lake: &Lake,
    files: &[EventFile],
    hours: &BTreeSet<Hour>,
    hasher: &EventHasher,
    limits: Limits,
) -> Result<Conflicts, RollupError> {
    let of_hours: Vec<&EventFile> =
        files.iter().filter(|file| file.has_ids() && file.may_contain_any(hours)).collect();
    // Read once: a day may have many files, each of which is compared with each.
    let ranges: Vec<IdRange> = of_hours.iter().filter_map(|file| file.id_range()).collect();
    let shares_ids =
        |file: &&EventFile| file.id_range().is_some_and(|range| ranges.iter().any(|of| of.overlaps(&range)));
    let all: Vec<&EventFile> = files.iter().filter(shares_ids).collect();
    let passes = of_hours.iter().map(|file| file.file.rows).sum::<u64>() / limits.events_per_pass + 1;
    let mut found = Conflicts::default();
    for pass in 0..passes {
        let of_pass = |key: EventKey| (key >> 64) as u64 % passes == pass;
        let conflicting = conflicting_events(lake, &of_hours, &all, HoursOfDay::of(hours), hasher, &of_pass)?;
        found.resolved.reserve_exact(conflicting.len());
        for keys in conflicting.chunks(limits.conflicts_per_read) {
            resolve(lake, &all, hasher, keys, &mut found)?;
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the events of a pass over some hours that came with different contents, in these or in others; all
/// events of the hours are in files `of_hours`, and others with their ids in `all`.
fn conflicting_events(
    lake: &Lake,
    of_hours: &[&EventFile],
    all: &[&EventFile],
    hours: HoursOfDay,
    hasher: &EventHasher,
    of_pass: &(dyn Fn(EventKey) -> bool + Sync),
) -> Result<Vec<EventKey>, RollupError> {
    // The content that an event came with; none where it came with several.
    let contents: ShardedMap<Option<Content>> = ShardedMap::new();
    for_each_primary_row(lake, of_hours, hasher, &|batch, row, key| {
        if of_pass(key) && hours.contains(batch.hour_of_day(row)) {
            let content = Some(hasher.content_of(batch, row));
            let mut shard = contents.shard_of(key);
            let known = shard.entry(key).or_insert(content);
            *known = known.filter(|_| *known == content);
        }
    })?;
    let has_others = |file: &&EventFile| file.partition.hours().any(|hour| !hours.contains_hour(hour));
    let others: Vec<&EventFile> = all.iter().copied().filter(has_others).collect();
    for_each_primary_row(lake, &others, hasher, &|batch, row, key| {
        if of_pass(key)
            && !hours.contains(batch.hour_of_day(row))
            && let Some(known) = contents.shard_of(key).get_mut(&key)
        {
            *known = known.filter(|known| *known == hasher.content_of(batch, row));
        }
    })?;
    Ok(contents.into_iter().filter(|(_, content)| content.is_none()).map(|(key, _)| key).collect())
}

/// Reads all versions of some conflicting events, and adds which one counts.
fn resolve(
    lake: &Lake,
    files: &[&EventFile],
    hasher: &EventHasher,
    keys: &[EventKey],
    found: &mut Conflicts,
) -> Result<(), RollupError> {
    let candidates: ShardedMap<Candidates> = ShardedMap::new();
    for key in keys {
        candidates.shard_of(*key).insert(*key, Candidates::default());
    }
    for_each_primary_row(lake, files, hasher, &|batch, row, key| {
        if let Some(versions) = candidates.shard_of(key).get_mut(&key) {
            versions.add(batch, row);
        }
    })?;
    found.resolved.extend(candidates.into_iter().filter_map(|(key, versions)| {
        let winner = hasher.content(versions.smallest()?);
        Some((key, Conflict { winner, hours: versions.hours, is_disputed: versions.is_disputed }))
    }));
    Ok(())
}

/// Reads all primary rows with an id, on all threads.
fn for_each_primary_row(
    lake: &Lake,
    files: &[&EventFile],
    hasher: &EventHasher,
    take: &(dyn Fn(&EventBatch, usize, EventKey) + Sync),
) -> Result<(), RollupError> {
    files.par_iter().try_for_each(|of| {
        of.read(lake, EventColumns::All, &mut |batch| {
            for row in (0..batch.rows()).filter(|&row| batch.is_primary(row)) {
                if let Some(key) = hasher.key_of(batch, row) {
                    take(batch, row, key);
                }
            }
        })
    })
}

/// A map by event that several threads fill.
pub(super) struct ShardedMap<T> {
    shards: Vec<Mutex<HashMap<EventKey, T>>>,
}

impl<T> ShardedMap<T> {
    pub(super) fn new() -> ShardedMap<T> {
        ShardedMap { shards: (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect() }
    }

    /// Returns the shard that has an event, locked.
    pub(super) fn shard_of(&self, key: EventKey) -> MutexGuard<'_, HashMap<EventKey, T>> {
        // A panic of another thread ends the run; until then its shard can still be used.
        self.shards[key as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (EventKey, T)> {
        self.shards.into_iter().flat_map(|shard| shard.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::lake::FilePartition;
    use crate::lake::test_events::add_sales;
    use crate::model::Timestamp;
    use crate::storage::temporary;

    #[test]
    fn the_number_of_passes_and_reads_does_not_matter() {
        let (store, _folder) = temporary();
        let lake = Lake::open_or_create(store, None).expect("a lake can be made");
        // 0 and 1 conflict within an hour, 2 to 4 between two; 9 came twice with the same content. Other
        // items, and returns, are other events.
        let of_item = |sales: &[(u32, i32)]| sales.iter().map(|of| (of.0, "item", of.1)).collect::<Vec<_>>();
        let mut sales = of_item(&[(0, 2), (0, 1), (1, 5), (1, 6), (2, 1), (3, 1), (4, 1), (8, 1)]);
        sales.extend([(8, "other", 2), (8, "item", -1), (1, "item", -2), (1, "item", -3)]);
        let day = Date::parse("2017-01-14").expect("a date");
        add_sales(&lake, Hour::of(day, 7), &sales);
        add_sales(&lake, Hour::of(day, 9), &of_item(&[(2, 2), (3, 2), (4, 1), (5, 1), (9, 1), (9, 1)]));
        let files = lake.events().newest().expect("the log can be read").files().expect("so can its files");
        let files: Vec<EventFile> = files
            .into_iter()
            .map(|file| EventFile {
                partition: FilePartition::of(&file).expect("a day"),
                file: file.into(),
                bytes: None,
            })
            .collect();
        let hours = BTreeSet::from([Hour::of(day, 7)]);
        let hasher = EventHasher::default();
        let (seven, nine) = (1 << 7, 1 << 9);
        let won = |id: u32, quantity: i32, hours: u32| {
            let ts = Timestamp::parse("2017-01-14T07:00:00Z").expect("a good moment").micros();
            let winner = hasher.content((ts, quantity.into(), 0, "Food"));
            (
                hasher.key(&format!("id{id}"), "item", quantity < 0),
                Conflict { winner, hours: HoursOfDay(hours), is_disputed: true },
            )
        };
        let mut expected = vec![
            won(0, 1, seven),
            won(1, 5, seven),
            won(1, -3, seven),
            won(2, 1, seven | nine),
            won(3, 1, seven | nine),
            won(4, 1, seven | nine),
        ];
        expected.sort_unstable_by_key(|(key, _)| *key);
        for (events_per_pass, conflicts_per_read) in
            [(4_000_000, 250_000), (100, 1), (100, 2), (1, 3), (3, 1)]
        {
            let limits = Limits { events_per_pass, conflicts_per_read };
            let found =
                resolve_conflicts(&lake, &files, &hours, &hasher, limits).expect("the files can be read");
            assert_eq!(found.resolved, expected, "{limits:?}");
        }
    }
}
