//! The one version of an event that counts, where its id came with different contents.
//!
//! The rule does not look at arrival: of all versions that share an id within an event type and
//! day, the smallest by (moment, item, quantity, amount, paths) counts, and no copy of another.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use hashbrown::{DefaultHashBuilder, HashMap};
use rayon::prelude::*;

use crate::columns::EventBatch;
use crate::lake::Lake;
use crate::rollup::RollupError;
use crate::rollup::plan::HourFile;
use crate::time::Hour;

/// An event id's hash; 128 bits, so that chance never makes two ids one.
pub(super) type IdHash = u128;

/// Ids that are looked at in one pass over a day; bounds the memory that a pass needs.
const IDS_PER_PASS: u64 = 4_000_000;
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

    /// Returns a hash that stands for a row's content.
    fn content(&self, batch: &EventBatch, row: usize) -> u64 {
        let mut scratch = String::new();
        let sums = batch.sums(row);
        let paths = batch.all_paths(row, &mut scratch);
        self.low.hash_one((batch.ts_micros(row), sums.units, sums.amount, batch.item_id(row), paths))
    }
}

/// What tells versions of an event apart, in the order by which the first one counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    ts_micros: i64,
    item_id: String,
    quantity: i64,
    amount: i128,
    /// All paths of the event, joined by `|`.
    paths: String,
}

impl Version {
    fn of(batch: &EventBatch, row: usize) -> Version {
        let sums = batch.sums(row);
        let mut scratch = String::new();
        Version {
            ts_micros: batch.ts_micros(row),
            item_id: batch.item_id(row).to_owned(),
            quantity: sums.units,
            amount: sums.amount,
            paths: batch.all_paths(row, &mut scratch).to_owned(),
        }
    }

    /// Tells whether a row is a copy of this version.
    pub(super) fn is_of(&self, batch: &EventBatch, row: usize) -> bool {
        let sums = batch.sums(row);
        let mut scratch = String::new();
        self.ts_micros == batch.ts_micros(row)
            && self.item_id == batch.item_id(row)
            && self.quantity == sums.units
            && self.amount == sums.amount
            && self.paths == batch.all_paths(row, &mut scratch)
    }
}

/// An id that came with different contents.
#[derive(Clone, Debug, Default)]
pub(super) struct Dispute {
    /// The version that counts.
    winner: Option<Version>,
    /// The hours in which any version lies.
    pub hours: BTreeSet<Hour>,
}

impl Dispute {
    /// Tells whether a row is a copy of the version that counts.
    pub(super) fn is_won_by(&self, batch: &EventBatch, row: usize) -> bool {
        self.winner.as_ref().is_some_and(|winner| winner.is_of(batch, row))
    }
}

/// The disputes of some hours of one event type and day, by id.
pub(super) type Disputes = HashMap<IdHash, Dispute>;

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
) -> Result<Disputes, RollupError> {
    let asked: Vec<&HourFile> = asked.iter().copied().filter(|file| file.has_ids()).collect();
    let others: Vec<&HourFile> =
        others.iter().copied().filter(|file| asked.iter().any(|of| of.may_share_ids_with(file))).collect();
    let passes = asked.iter().map(|file| file.file.rows).sum::<u64>() / IDS_PER_PASS + 1;
    let mut settled = Disputes::new();
    for pass in 0..passes {
        let of_pass = |id: IdHash| (id >> 64) as u64 % passes == pass;
        let contents: Shards<u64> = Shards::new();
        let disputed: Shards<Dispute> = Shards::new();
        each_primary(lake, &asked, hasher, &|batch, row, id, _| {
            if of_pass(id) {
                let content = hasher.content(batch, row);
                if contents.with(id, |known| *known.or_insert(content) != content) {
                    disputed.with(id, |dispute| {
                        dispute.or_default();
                    });
                }
            }
        })?;
        each_primary(lake, &others, hasher, &|batch, row, id, _| {
            let differs = |known| known != hasher.content(batch, row);
            if of_pass(id) && contents.known(id).is_some_and(differs) {
                disputed.with(id, |dispute| {
                    dispute.or_default();
                });
            }
        })?;
        if disputed.is_empty() {
            continue;
        }
        let both: Vec<&HourFile> = asked.iter().chain(&others).copied().collect();
        each_primary(lake, &both, hasher, &|batch, row, id, hour| {
            if of_pass(id) {
                disputed.with(id, |dispute| {
                    dispute.and_modify(|dispute| dispute.hear(Version::of(batch, row), hour));
                });
            }
        })?;
        settled.extend(disputed.into_iter());
    }
    Ok(settled)
}

impl Dispute {
    fn hear(&mut self, version: Version, hour: Hour) {
        self.hours.insert(hour);
        if self.winner.as_ref().is_none_or(|winner| version < *winner) {
            self.winner = Some(version);
        }
    }
}

/// Looks at all rows with an id that count shop-wide, on all threads.
fn each_primary(
    lake: &Lake,
    files: &[&HourFile],
    hasher: &IdHasher,
    take: &(dyn Fn(&EventBatch, usize, IdHash, Hour) + Sync),
) -> Result<(), RollupError> {
    files.par_iter().try_for_each(|HourFile { partition, file }| {
        Ok(lake.read_events(file, &mut |batch| {
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

type Entry<'a, T> = hashbrown::hash_map::Entry<'a, IdHash, T, DefaultHashBuilder>;

impl<T> Shards<T> {
    fn new() -> Shards<T> {
        Shards { shards: (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect() }
    }

    fn with<R>(&self, id: IdHash, change: impl FnOnce(Entry<'_, T>) -> R) -> R {
        // Another thread's panic ends the run; until then its piece is as good as any.
        let mut shard = self.shard(id).lock().unwrap_or_else(PoisonError::into_inner);
        change(shard.entry(id))
    }

    fn known(&self, id: IdHash) -> Option<T>
    where
        T: Copy,
    {
        self.shard(id).lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).is_empty())
    }

    fn into_iter(self) -> impl Iterator<Item = (IdHash, T)> {
        self.shards.into_iter().flat_map(|shard| shard.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn shard(&self, id: IdHash) -> &Mutex<HashMap<IdHash, T>> {
        &self.shards[id as usize % SHARDS]
    }
}
