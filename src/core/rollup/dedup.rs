//! Deduplication: which hours of a planned day to recompute, and which event rows count in them.
//!
//! Invariant: of the rows that share an event id, an item and the sign of the quantity within an event
//! type and day, exactly one counts.

use std::collections::BTreeSet;

use hashbrown::HashSet;

use crate::delta::LiveFile;
use crate::lake::{FilePartition, Lake};
use crate::model::{Hour, Shard};
use crate::parquet_format::EventBatch;
use crate::rollup::conflict_resolution::{Conflicts, Limits, resolve_conflicts};
use crate::rollup::error::RollupError;
use crate::rollup::event_file::EventFile;
use crate::rollup::event_hash::{EventHasher, EventKey};
use crate::rollup::plan::DayPlan;

/// A day with fewer rows of events may be aggregated as a whole. In one with more, each shard reads the files that all
/// share, which are small, so that memory holds the aggregates of a shard.
const ROWS_OF_ALL_SHARDS: u64 = if cfg!(test) { 60 } else { 1 << 20 };

/// A planned day with the conflicts of its events resolved.
pub(super) struct DedupedDay<'a> {
    pub day: &'a DayPlan,
    /// The planned hours, and those with a version of an event that no longer counts, or counts again.
    pub hours: BTreeSet<Hour>,
    hasher: EventHasher,
    conflicts: Conflicts,
}

/// Resolves the conflicts of the events of a day's planned hours, and of the hours that these affect.
///
/// # Errors
/// Names the file that is missing or damaged.
pub(super) fn dedup<'a>(lake: &Lake, day: &'a DayPlan) -> Result<DedupedDay<'a>, RollupError> {
    let hasher = EventHasher::default();
    let (hours, conflicts) = resolve_hours(lake, day, &day.hours, &hasher)?;
    Ok(DedupedDay { day, hours, hasher, conflicts })
}

/// Returns some hours of a day, and those with a version of an event that no longer counts, or counts
/// again, when these hours change.
///
/// # Errors
/// Names the file that is missing or damaged.
pub(super) fn affected_hours(
    lake: &Lake,
    day: &DayPlan,
    hours: &BTreeSet<Hour>,
) -> Result<BTreeSet<Hour>, RollupError> {
    Ok(resolve_hours(lake, day, hours, &EventHasher::default())?.0)
}

fn resolve_hours(
    lake: &Lake,
    day: &DayPlan,
    hours: &BTreeSet<Hour>,
    hasher: &EventHasher,
) -> Result<(BTreeSet<Hour>, Conflicts), RollupError> {
    let mut conflicts = resolve_conflicts(lake, &day.events, hours, hasher, Limits::default())?;
    let further: BTreeSet<Hour> = conflicts.hours(day.date).difference(hours).copied().collect();
    if !further.is_empty() {
        // Conflicts of these hours with the rest of the day are resolved as before, but must be known.
        conflicts.extend(resolve_conflicts(lake, &day.events, &further, hasher, Limits::default())?);
    }
    Ok((hours.union(&further).copied().collect(), conflicts))
}

impl DedupedDay<'_> {
    /// Returns how many events came with different contents, and how many others were corrected by a
    /// greater version number.
    pub fn conflicts(&self) -> (u64, u64) {
        self.conflicts.counts()
    }

    /// Returns the shards that have events or aggregates in the hours, each of which can be recomputed by itself.
    pub fn shards(&self) -> BTreeSet<Shard> {
        let events = self.day.events.iter().filter(|of| of.may_contain_any(&self.hours));
        let events = events.map(|of| of.partition.day.group.shard());
        let stored = self.day.stored.iter().filter(|(partition, _)| self.may_be_replaced(partition));
        let shards = events.chain(stored.map(|(partition, _)| partition.day.group.shard()));
        Shard::apart(shards, self.day.rows() < ROWS_OF_ALL_SHARDS)
    }

    /// Returns the files of a shard's events, those together that may have the same hour.
    pub fn event_files(&self, shard: Shard) -> Vec<Vec<&EventFile>> {
        let is_read = |of: &&EventFile| {
            of.may_contain_any(&self.hours) && of.partition.day.group.shard().overlaps(shard)
        };
        let mut files: Vec<&EventFile> = self.day.events.iter().filter(is_read).collect();
        files.sort_by_key(|of| of.partition.hours_of_day());
        let mut together: Vec<Vec<&EventFile>> = Vec::new();
        let mut end = -1;
        for file in files {
            let (first, last) = file.partition.hours_of_day();
            match together.last_mut().filter(|_| first <= end) {
                Some(files) => files.push(file),
                None => together.push(vec![file]),
            }
            end = end.max(last);
        }
        together
    }

    /// Returns the rollup files of a shard that may hold one of the hours; all of the day's where everything is
    /// recomputed.
    pub fn stored_files(&self, shard: Shard) -> Vec<LiveFile> {
        let is_of = |(partition, _): &&(FilePartition, LiveFile)| {
            partition.day.group.shard().overlaps(shard) && self.may_be_replaced(partition)
        };
        self.day.stored.iter().filter(is_of).map(|(_, file)| file.clone()).collect()
    }

    fn may_be_replaced(&self, partition: &FilePartition) -> bool {
        self.day.is_full() || self.hours.iter().any(|hour| partition.may_contain(*hour))
    }
}

/// The events of some hours and of the categories of a shard that were counted already.
#[derive(Default)]
pub(super) struct CountedEvents(HashSet<EventKey>);

/// Odd, so that multiples of it are all different: each category has keys of its own.
const OF_CATEGORY: EventKey = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;

impl CountedEvents {
    /// Returns whether a row counts in its category, given by number: it has no id, or is the first copy of the
    /// version that counts.
    pub fn counts(&mut self, batch: &EventBatch, row: usize, day: &DedupedDay<'_>, category: u32) -> bool {
        let Some(key) = day.hasher.key_of(batch, row) else { return true };
        let of_category = key.wrapping_add(OF_CATEGORY.wrapping_mul(category.into()));
        day.conflicts.allows(&day.hasher, key, batch, row) && self.0.insert(of_category)
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
