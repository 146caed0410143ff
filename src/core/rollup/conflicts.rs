//! The one version of an event that counts, where its id came with different contents.
//!
//! The rule does not look at arrival: of all versions that share an id within an event type and
//! day, the smallest by (moment, item, quantity, amount, paths) counts, and no copy of another.
//!
//! What is held of an id is bounded: while its day is read, hashes alone, for so many ids at a time;
//! the versions themselves for as many disputed ids as one more reading hears; afterwards the hash
//! of the version that counts.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::num::NonZeroU128;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::{DefaultHashBuilder, HashMap};
use rayon::prelude::*;

use crate::lake::Lake;
use crate::model::{Date, Hour};
use crate::parquet_format::{EventBatch, EventColumns};
use crate::rollup::RollupError;
use crate::rollup::plan::HourFile;

/// An event id's hash; 128 bits, so that chance never makes two ids one.
pub(super) type IdHash = u128;
/// The hash of what tells a version from others, of as many bits.
type Content = NonZeroU128;

/// How much is held in memory at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Ids that are looked at in one pass over a day.
    ids_per_pass: u64,
    /// Disputed ids whose versions are heard in one reading of the day.
    disputes_per_reading: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { ids_per_pass: 4_000_000, disputes_per_reading: 250_000 }
    }
}

/// Pieces of the table of ids, so that threads seldom wait for each other.
const SHARDS: usize = 64;

/// Hashes event ids for the length of one rollup, from seeds that nobody can know beforehand.
#[derive(Default)]
pub(super) struct IdHasher {
    high: DefaultHashBuilder,
    low: DefaultHashBuilder,
}

impl IdHasher {
    /// Returns the hash that stands for an event id.
    pub(super) fn hash(&self, id: &str) -> IdHash {
        u128::from(self.high.hash_one(id)) << 64 | u128::from(self.low.hash_one(id))
    }

    fn content(&self, version: Version<'_>) -> Content {
        let (high, low) = (self.high.hash_one(version), self.low.hash_one(version));
        Content::new(u128::from(high) << 64 | u128::from(low)).unwrap_or(Content::MAX)
    }

    fn content_of(&self, batch: &EventBatch, row: usize) -> Content {
        self.content(version_of(batch, row, &mut String::new()))
    }
}

/// What tells versions of an event apart, in the order by which the first one counts: moment, item,
/// quantity, amount, all paths joined by `|`.
type Version<'a> = (i64, &'a str, i64, i128, &'a str);

fn version_of<'a>(batch: &'a EventBatch, row: usize, scratch: &'a mut String) -> Version<'a> {
    let aggregate = batch.aggregate(row);
    (
        batch.ts_micros(row),
        batch.item_id(row),
        aggregate.units,
        aggregate.amount,
        batch.all_paths(row, scratch),
    )
}

/// A version that outlives its row.
type KeptVersion = (i64, Box<str>, i64, i128, Box<str>);

/// What has been heard of a disputed id.
#[derive(Default)]
struct Hearing {
    /// The smallest version so far.
    smallest: Option<KeptVersion>,
    hours: HoursOfDay,
}

impl Hearing {
    fn hear(&mut self, batch: &EventBatch, row: usize, hour: Hour) {
        self.hours.insert(hour);
        let mut scratch = String::new();
        let version = version_of(batch, row, &mut scratch);
        if self.smallest().is_none_or(|smallest| version < smallest) {
            let (ts_micros, item_id, quantity, amount, paths) = version;
            self.smallest = Some((ts_micros, item_id.into(), quantity, amount, paths.into()));
        }
    }

    fn smallest(&self) -> Option<Version<'_>> {
        let (ts_micros, item_id, quantity, amount, paths) = self.smallest.as_ref()?;
        Some((*ts_micros, item_id, *quantity, *amount, paths))
    }
}

/// Some hours of a day, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct HoursOfDay(u32);

impl HoursOfDay {
    fn insert(&mut self, hour: Hour) {
        self.0 |= 1 << hour.of_day();
    }
}

/// How the dispute about an id that came with different contents was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dispute {
    /// The version that counts.
    winner: Content,
    /// The hours in which any version lies.
    hours: HoursOfDay,
}

/// The disputes of some hours of one event type and day, by id.
#[derive(Debug, Default)]
pub(super) struct Disputes {
    /// In the order of the ids' hashes: a list takes half of what a table would.
    settled: Vec<(IdHash, Dispute)>,
}

impl Disputes {
    /// Tells whether a row may count: its id is not disputed, or it is a copy of the version that
    /// counts.
    pub(super) fn allow(&self, hasher: &IdHasher, id: IdHash, batch: &EventBatch, row: usize) -> bool {
        match self.settled.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(at) => self.settled[at].1.winner == hasher.content_of(batch, row),
            Err(_) => true,
        }
    }

    /// Returns how many ids are disputed.
    pub(super) fn len(&self) -> usize {
        self.settled.len()
    }

    /// Returns the hours of the day in which any version of a disputed id lies.
    pub(super) fn hours(&self, date: Date) -> BTreeSet<Hour> {
        let all = self.settled.iter().fold(0, |all, (_, dispute)| all | dispute.hours.0);
        (0..24).filter(|hour| all >> hour & 1 == 1).map(|hour| Hour::of(date, hour)).collect()
    }

    /// Takes in the disputes about the ids of other hours of the day.
    pub(super) fn extend(&mut self, others: Disputes) {
        self.settled.extend(others.settled);
        self.sort();
    }

    fn sort(&mut self) {
        self.settled.sort_unstable_by_key(|(id, _)| *id);
        // Who is asked from either side hears the same versions.
        self.settled.dedup_by_key(|(id, _)| *id);
    }
}

/// Returns the disputes about the ids of the `asked` files, the day's `other` files being heard.
///
/// Only the copies that count shop-wide are looked at: every version has exactly one.
///
/// # Errors
/// Names the file that is missing or damaged.
pub(super) fn disputes(
    lake: &Lake,
    asked: &[&HourFile],
    others: &[&HourFile],
    hasher: &IdHasher,
    limits: Limits,
) -> Result<Disputes, RollupError> {
    let asked: Vec<&HourFile> = asked.iter().copied().filter(|file| file.has_ids()).collect();
    let others: Vec<&HourFile> =
        others.iter().copied().filter(|file| asked.iter().any(|of| of.may_share_ids_with(file))).collect();
    let both: Vec<&HourFile> = asked.iter().chain(&others).copied().collect();
    let passes = asked.iter().map(|file| file.file.rows).sum::<u64>() / limits.ids_per_pass + 1;
    let mut found = Disputes::default();
    for pass in 0..passes {
        let of_pass = |id: IdHash| (id >> 64) as u64 % passes == pass;
        let disputed = disputed_ids(lake, &asked, &others, hasher, &of_pass)?;
        found.settled.reserve_exact(disputed.len());
        for ids in disputed.chunks(limits.disputes_per_reading) {
            hear(lake, &both, hasher, ids, &mut found)?;
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the ids of a pass over the `asked` files that came with different contents, in these or
/// in the `other` ones.
fn disputed_ids(
    lake: &Lake,
    asked: &[&HourFile],
    others: &[&HourFile],
    hasher: &IdHasher,
    of_pass: &(dyn Fn(IdHash) -> bool + Sync),
) -> Result<Vec<IdHash>, RollupError> {
    // The content that an id came with; none where it came with several.
    let contents: Shards<Option<Content>> = Shards::new();
    each_primary(lake, asked, hasher, &|batch, row, id, _| {
        if of_pass(id) {
            let content = Some(hasher.content_of(batch, row));
            let mut shard = contents.of(id);
            let known = shard.entry(id).or_insert(content);
            *known = known.filter(|_| *known == content);
        }
    })?;
    each_primary(lake, others, hasher, &|batch, row, id, _| {
        if of_pass(id)
            && let Some(known) = contents.of(id).get_mut(&id)
        {
            *known = known.filter(|known| *known == hasher.content_of(batch, row));
        }
    })?;
    Ok(contents.into_iter().filter(|(_, content)| content.is_none()).map(|(id, _)| id).collect())
}

/// Hears all versions of some disputed ids, and settles which one counts.
fn hear(
    lake: &Lake,
    files: &[&HourFile],
    hasher: &IdHasher,
    ids: &[IdHash],
    found: &mut Disputes,
) -> Result<(), RollupError> {
    let hearings: Shards<Hearing> = Shards::new();
    for id in ids {
        hearings.of(*id).insert(*id, Hearing::default());
    }
    each_primary(lake, files, hasher, &|batch, row, id, hour| {
        if let Some(hearing) = hearings.of(id).get_mut(&id) {
            hearing.hear(batch, row, hour);
        }
    })?;
    found.settled.extend(hearings.into_iter().filter_map(|(id, hearing)| {
        let winner = hasher.content(hearing.smallest()?);
        Some((id, Dispute { winner, hours: hearing.hours }))
    }));
    Ok(())
}

/// Looks at all rows with an id that count shop-wide, on all threads.
fn each_primary(
    lake: &Lake,
    files: &[&HourFile],
    hasher: &IdHasher,
    take: &(dyn Fn(&EventBatch, usize, IdHash, Hour) + Sync),
) -> Result<(), RollupError> {
    files.par_iter().try_for_each(|HourFile { partition, file }| {
        Ok(lake.read_events(file, EventColumns::All, &mut |batch| {
            for row in (0..batch.rows()).filter(|&row| batch.is_primary(row)) {
                if let Some(id) = batch.event_id(row) {
                    take(batch, row, hasher.hash(id), partition.hour);
                }
            }
        })?)
    })
}

/// A table by id that several threads fill.
struct Shards<T> {
    shards: Vec<Mutex<HashMap<IdHash, T>>>,
}

impl<T> Shards<T> {
    fn new() -> Shards<T> {
        Shards { shards: (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect() }
    }

    /// Returns the piece that an id lies in, to look at and to change.
    fn of(&self, id: IdHash) -> MutexGuard<'_, HashMap<IdHash, T>> {
        // Another thread's panic ends the run; until then its piece is as good as any.
        self.shards[id as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn into_iter(self) -> impl Iterator<Item = (IdHash, T)> {
        self.shards.into_iter().flat_map(|shard| shard.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::delta::{Commit, NewFile};
    use crate::lake::{HourPartition, hive_folder, partition_map};
    use crate::model::{Event, Events, Places, RawCategories, Timestamp};
    use crate::parquet_format::{EventCopy, EventEncoder};
    use crate::storage::temporary;

    /// Adds a file of sales in one hour of a day, by id and quantity.
    fn add(lake: &Lake, hour: i32, sales: &[(u32, i64)]) {
        let date = Date::parse("2017-01-14").expect("a date");
        let mut events = Events::default();
        events.path_sets.read(&RawCategories::Text("Food")).expect("it is a path");
        for (id, quantity) in sales {
            let ts = Hour::of(date, hour).start();
            let (event_id, item_id) = (&*format!("id{id}"), "item");
            let event_id = Some(event_id);
            let event = Event {
                ts,
                event_id,
                item_id,
                path_set: 0,
                event_type: 0,
                quantity: *quantity,
                amount: None,
            };
            events.push(&event);
        }
        let copies: Vec<EventCopy> = (0..).take(sales.len()).map(|row| EventCopy { row, place: 0 }).collect();
        let places = Places::of(&events.path_sets);
        let encoded = EventEncoder::of(&events, &places, "batch").encode(&copies).expect("rows fit");
        let mut partition = partition_map("purchase", Some("Food"), date);
        partition.insert("hour".to_owned(), Some(hour.to_string()));
        let path = format!("{}/hour={hour}/a.parquet", hive_folder("purchase", Some("Food"), date));
        lake.store().put(&format!("events/{path}"), encoded.bytes.clone()).expect("the disk writes");
        let adds = vec![NewFile::of(path, partition, encoded)];
        let newest = lake.events().newest().expect("the log can be read");
        newest.commit(&Commit { adds, ..Commit::default() }).expect("the log can be written");
    }

    #[test]
    fn neither_passes_nor_readings_matter() {
        let (store, _folder) = temporary();
        let lake = Lake::open_or_create(store, None).expect("a lake can be made");
        // 0 and 1 are disputed within an hour, 2 to 4 between two; 9 came twice the same.
        add(&lake, 7, &[(0, 2), (0, 1), (1, 5), (1, 6), (2, 1), (3, 1), (4, 1), (8, 1)]);
        add(&lake, 9, &[(2, 2), (3, 2), (4, 1), (5, 1), (9, 1), (9, 1)]);
        let files = lake.events().newest().expect("the log can be read").files().expect("so can its files");
        let files: Vec<HourFile> = files
            .into_iter()
            .map(|file| HourFile {
                partition: HourPartition::of(&file.partition).expect("an hour"),
                file: file.into(),
            })
            .collect();
        let (asked, others): (Vec<&HourFile>, Vec<&HourFile>) =
            files.iter().partition(|of| of.partition.hour.of_day() == 7);
        let hasher = IdHasher::default();
        let (seven, nine) = (1 << 7, 1 << 9);
        let won = |id: u32, quantity: i64, hours: u32| {
            let ts = Timestamp::parse("2017-01-14T07:00:00Z").expect("a good moment").micros();
            let winner = hasher.content((ts, "item", quantity, 0, "Food"));
            (hasher.hash(&format!("id{id}")), Dispute { winner, hours: HoursOfDay(hours) })
        };
        let mut expected = vec![
            won(0, 1, seven),
            won(1, 5, seven),
            won(2, 1, seven | nine),
            won(3, 1, seven | nine),
            won(4, 1, seven | nine),
        ];
        expected.sort_unstable_by_key(|(id, _)| *id);
        for (ids_per_pass, disputes_per_reading) in [(4_000_000, 250_000), (100, 1), (100, 2), (1, 3), (3, 1)]
        {
            let limits = Limits { ids_per_pass, disputes_per_reading };
            let found = disputes(&lake, &asked, &others, &hasher, limits).expect("the files can be read");
            assert_eq!(found.settled, expected, "{limits:?}");
        }
    }
}
