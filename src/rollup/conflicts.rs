//! The one version of an event that counts, where its id came with different contents.
//!
//! The rule does not look at arrival: of all versions that share an id within the hour, the
//! smallest by (moment, item, quantity, amount, category, paths) counts, and no copy of another.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap};

use crate::columns::EventBatch;
use crate::lake::{HourPartition, Lake};
use crate::rollup::RollupError;
use crate::table::LiveFile;

/// An event id's hash; 128 bits, so that chance never makes two ids one.
pub(super) type IdHash = u128;

/// Ids that are looked at in one pass over an hour; bounds the memory that a pass needs.
const IDS_PER_PASS: u64 = 4_000_000;

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
    fn content(&self, batch: &EventBatch, row: usize, partition: &HourPartition) -> u64 {
        let mut scratch = String::new();
        let sums = batch.sums(row);
        self.low.hash_one((
            batch.ts_micros(row),
            sums.units,
            sums.amount,
            batch.item_id(row),
            partition.category.as_deref(),
            batch.paths(row, &mut scratch),
        ))
    }
}

/// What tells versions of an event apart, in the order by which the first one counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Version {
    pub ts_micros: i64,
    pub item_id: String,
    pub quantity: i64,
    pub amount: i128,
    pub category: Option<String>,
    pub paths: String,
}

impl Version {
    pub(super) fn of(batch: &EventBatch, row: usize, partition: &HourPartition) -> Version {
        let sums = batch.sums(row);
        let mut scratch = String::new();
        Version {
            ts_micros: batch.ts_micros(row),
            item_id: batch.item_id(row).to_owned(),
            quantity: sums.units,
            amount: sums.amount,
            category: partition.category.clone(),
            paths: batch.paths(row, &mut scratch).to_owned(),
        }
    }

    /// Tells whether a row is a copy of this version, as far as copies below other categories
    /// can be told.
    pub(super) fn is_of(&self, batch: &EventBatch, row: usize) -> bool {
        let sums = batch.sums(row);
        self.ts_micros == batch.ts_micros(row)
            && self.item_id == batch.item_id(row)
            && self.quantity == sums.units
            && self.amount == sums.amount
    }
}

/// Returns for each id of an hour that came in more than one version the one that counts.
///
/// Only the copies that count shop-wide are looked at: every version has exactly one.
///
/// # Errors
/// Names the file that is missing or damaged.
pub(super) fn conflicts(
    lake: &Lake,
    files: &[(&HourPartition, &[LiveFile])],
    hasher: &IdHasher,
) -> Result<HashMap<IdHash, Version>, RollupError> {
    let rows: u64 = files.iter().flat_map(|(_, files)| files.iter()).map(|file| file.rows).sum();
    let passes = rows / IDS_PER_PASS + 1;
    let mut settled = HashMap::new();
    for pass in 0..passes {
        let mut first: HashMap<IdHash, u64> = HashMap::new();
        let mut disputed: HashMap<IdHash, Option<Version>> = HashMap::new();
        let of_pass = |id: IdHash| (id >> 64) as u64 % passes == pass;
        each_primary(lake, files, hasher, &mut |batch, row, id, partition| {
            if of_pass(id) {
                let content = hasher.content(batch, row, partition);
                if *first.entry(id).or_insert(content) != content {
                    disputed.insert(id, None);
                }
            }
        })?;
        if disputed.is_empty() {
            continue;
        }
        each_primary(lake, files, hasher, &mut |batch, row, id, partition| {
            if let Some(best) = disputed.get_mut(&id) {
                let version = Version::of(batch, row, partition);
                if best.as_ref().is_none_or(|best| version < *best) {
                    *best = Some(version);
                }
            }
        })?;
        settled.extend(disputed.into_iter().filter_map(|(id, version)| Some((id, version?))));
    }
    Ok(settled)
}

fn each_primary(
    lake: &Lake,
    files: &[(&HourPartition, &[LiveFile])],
    hasher: &IdHasher,
    take: &mut dyn FnMut(&EventBatch, usize, IdHash, &HourPartition),
) -> Result<(), RollupError> {
    for (partition, files) in files {
        for file in *files {
            lake.read_events(file, &mut |batch| {
                for row in (0..batch.rows()).filter(|&row| batch.is_primary(row)) {
                    if let Some(id) = batch.event_id(row) {
                        take(batch, row, hasher.hash(id), partition);
                    }
                }
            })?;
        }
    }
    Ok(())
}
