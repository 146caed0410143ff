//! Deduplication: which hours of a planned day to recompute, and which event rows count in them.
//!
//! Invariant: of the rows that share an event id, an item and the sign of the quantity within an event
//! type and day, exactly one counts.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashSet;

use crate::delta::{LiveFile, NamedFile};
use crate::lake::Lake;
use crate::model::Hour;
use crate::parquet_format::EventBatch;
use crate::rollup::conflict_resolution::{Conflicts, Limits, resolve_conflicts};
use crate::rollup::error::RollupError;
use crate::rollup::event_hash::{EventHasher, EventKey};
use crate::rollup::plan::{DayPlan, EventFile};
use crate::rollup::table::DayPartition;

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
    let (files, others) = split_by_hours(&day.events, hours);
    let mut conflicts = resolve_conflicts(lake, &files, &others, hasher, Limits::default())?;
    let further: BTreeSet<Hour> = conflicts.hours(day.date).difference(hours).copied().collect();
    if !further.is_empty() {
        // Conflicts of these hours with the rest of the day are resolved as before, but must be known.
        let (files, others) = split_by_hours(&day.events, &further);
        conflicts.extend(resolve_conflicts(lake, &files, &others, hasher, Limits::default())?);
    }
    Ok((hours.union(&further).copied().collect(), conflicts))
}

fn split_by_hours<'a>(
    files: &'a [EventFile],
    hours: &BTreeSet<Hour>,
) -> (Vec<&'a EventFile>, Vec<&'a EventFile>) {
    files.iter().partition(|of| hours.contains(&of.partition.hour))
}

impl DedupedDay<'_> {
    /// Returns how many events came with different contents, and how many others were corrected by a
    /// greater version number.
    pub fn conflicts(&self) -> (u64, u64) {
        self.conflicts.counts()
    }

    /// Returns the categories that have events or aggregates in the hours.
    pub fn categories(&self) -> BTreeSet<&Option<String>> {
        let events = self.day.events.iter().filter(|of| self.hours.contains(&of.partition.hour));
        let events = events.map(|of| &of.partition.category);
        let stored = self.day.stored.iter().filter(|(partition, _)| self.may_be_replaced(partition));
        events.chain(stored.map(|(partition, _)| &partition.category)).collect()
    }

    /// Returns the files of a category's events, by hour.
    pub fn event_files(&self, category: &Option<String>) -> BTreeMap<Hour, Vec<&NamedFile>> {
        let mut hours: BTreeMap<Hour, Vec<&NamedFile>> = BTreeMap::new();
        for EventFile { partition, file } in &self.day.events {
            if self.hours.contains(&partition.hour) && partition.category == *category {
                hours.entry(partition.hour).or_default().push(file);
            }
        }
        hours
    }

    /// Returns the category's rollup files that may hold one of the hours; all of the day's where
    /// everything is recomputed.
    pub fn stored_files(&self, category: &Option<String>) -> Vec<LiveFile> {
        let stored = self.day.stored.iter();
        let stored = stored
            .filter(|(partition, _)| partition.category == *category && self.may_be_replaced(partition));
        stored.map(|(_, file)| file.clone()).collect()
    }

    fn may_be_replaced(&self, partition: &DayPartition) -> bool {
        self.day.is_full() || self.hours.iter().any(|hour| partition.may_contain(*hour))
    }
}

/// The events of an hour and category that were counted already.
#[derive(Default)]
pub(super) struct CountedEvents(HashSet<EventKey>);

impl CountedEvents {
    /// Returns whether a row counts: it has no id, or is the first copy of the version that counts.
    pub fn counts(&mut self, batch: &EventBatch, row: usize, day: &DedupedDay<'_>) -> bool {
        let Some(key) = day.hasher.key_of(batch, row) else { return true };
        day.conflicts.allows(&day.hasher, key, batch, row) && self.0.insert(key)
    }
}
