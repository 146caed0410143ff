//! What changed in the `events` table since it was aggregated, from its log.

use std::collections::BTreeSet;

use crate::delta::{Change, Partition, PartitionRange};
use crate::lake::{DayPartition, Lake};
use crate::model::{Date, Hour};
use crate::rollup::error::RollupError;

/// An event type and a day.
pub(super) type DayKey = (String, Date);

/// What changed in the `events` table between two versions.
pub(super) struct Changes {
    /// Hours by event type that have files which came.
    pub hours: BTreeSet<(String, Hour)>,
    /// Days with files that went, of whose hours nothing is left that says which they were; and a removed event
    /// may have kept another version of its id from counting, in any hour of its day.
    pub days_with_removals: BTreeSet<DayKey>,
}

impl Changes {
    /// Returns what changed after one version, up to another; none where the log does not say.
    pub fn between(lake: &Lake, after: u64, until: u64) -> Result<Option<Changes>, RollupError> {
        Ok(match lake.events().changes(after, until, "hour")? {
            // A commit by another program may name no partition; then anything may have changed.
            Change::Partitions { added, removed } => Changes::of(&added, &removed),
            Change::Unknown => None,
        })
    }

    fn of(added: &BTreeSet<PartitionRange>, removed: &BTreeSet<Partition>) -> Option<Changes> {
        let mut changes = Changes { hours: BTreeSet::new(), days_with_removals: BTreeSet::new() };
        for (partition, hours) in added {
            let DayPartition { event_type, date, .. } = DayPartition::of(partition)?;
            let (first, last) = hours.unwrap_or((0, 23));
            let hours = first.clamp(0, 23) as i32..=last.clamp(0, 23) as i32;
            changes.hours.extend(hours.map(|hour| (event_type.clone(), Hour::of(date, hour))));
        }
        for partition in removed {
            let DayPartition { event_type, date, .. } = DayPartition::of(partition)?;
            changes.days_with_removals.insert((event_type, date));
        }
        Some(changes)
    }

    /// Returns a day's changed hours; none where events were removed, and any hour may have changed.
    pub fn hours_of(&self, (event_type, date): &DayKey) -> Option<BTreeSet<Hour>> {
        if self.days_with_removals.contains(&(event_type.clone(), *date)) {
            return None;
        }
        let of_day = self.hours.iter().filter(|(of, hour)| of == event_type && hour.date() == *date);
        Some(of_day.map(|(_, hour)| *hour).collect())
    }
}
