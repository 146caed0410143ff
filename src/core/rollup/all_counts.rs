//! All aggregates of some hours as of this moment, each item's copy that counts shop-wide.
//!
//! Invariant: they are those that [`LiveCounts::aggregates`] returns for each item.

use std::collections::BTreeSet;

use crate::delta::{LogReader, Partition};
use crate::lake::{ROLLUPS, events_log};
use crate::model::{Aggregate, AggregateRows, Hour};
use crate::parquet_format::{EventBatch, EventColumns};
use crate::progress::Progress;
use crate::rollup::aggregate::aggregate_shard;
use crate::rollup::dedup::{DedupedDay, dedup};
use crate::rollup::error::RollupError;
use crate::rollup::live_counts::{LiveCounts, Pending};
use crate::rollup::table::{Selection, read_file};
use crate::storage::Store;

/// Takes the event type, item and hour of a row, and what it adds.
type TakeRow<'a> = dyn FnMut(&str, &str, Hour, Aggregate) + 'a;

impl LiveCounts {
    /// Returns the event types of the files in some partitions of either table.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub(super) fn event_types_of(
        store: &Store,
        wants: &dyn Fn(&Partition) -> bool,
    ) -> Result<BTreeSet<String>, RollupError> {
        let mut event_types = BTreeSet::new();
        for log in [LogReader::new(store, ROLLUPS), events_log(store)] {
            let files = log.newest(wants)?.map(|newest| newest.files).unwrap_or_default();
            let of = |partition: &Partition| partition.get("event_type").cloned().flatten();
            event_types.extend(files.iter().filter_map(|file| of(&file.partition)));
        }
        Ok(event_types)
    }

    /// Passes all rows of the selected hours to `take`; rows of the same item, hour and signs may come several times.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub(super) fn for_each_row(
        &self,
        selection: &Selection<'_>,
        take: &mut TakeRow<'_>,
    ) -> Result<(), RollupError> {
        let days: Vec<DedupedDay<'_>> = match self.pending() {
            Pending::Files(_) => Vec::new(),
            Pending::Hours(hours) => {
                hours.1.days.iter().map(|day| dedup(&hours.0, day)).collect::<Result<_, _>>()?
            }
        };
        for (partition, file) in self.stored().iter().filter(|(partition, _)| selection.overlaps(partition)) {
            let mut rows = AggregateRows::default();
            read_file(self.store(), file, &mut rows)?;
            let (event_type, date) = (&partition.day.event_type, partition.day.date);
            let day = days.iter().find(|of| of.day.event_type == *event_type && of.day.date == date);
            let is_valid = |hour: &Hour| !day.is_some_and(|of| of.hours.contains(hour));
            take_rows(&rows, event_type, &|hour| selection.hours.contains(hour) && is_valid(hour), take);
        }
        match self.pending() {
            Pending::Files(files) => {
                for of in files.iter().filter(|of| selection.overlaps(&of.partition)) {
                    let (event_type, date) = (&of.partition.day.event_type, of.partition.day.date);
                    of.read_from(self.store(), EventColumns::WithoutIds, &mut |batch: &EventBatch| {
                        for row in (0..batch.rows()).filter(|&row| batch.is_primary(row)) {
                            let hour = i32::try_from(batch.hour_of_day(row)).expect("a day has 24 hours");
                            let hour = Hour::of(date, hour);
                            if selection.hours.contains(&hour) {
                                take(event_type, batch.item_id(row), hour, batch.aggregate(row));
                            }
                        }
                    })?;
                }
            }
            Pending::Hours(hours) => {
                for day in &days {
                    for shard in day.shards() {
                        let (rows, _) = aggregate_shard(&hours.0, day, shard, &Progress::ignored())?;
                        let is_wanted = |hour: &Hour| selection.hours.contains(hour);
                        take_rows(&rows, &day.day.event_type, &is_wanted, take);
                    }
                }
            }
        }
        Ok(())
    }
}

fn take_rows(
    rows: &AggregateRows,
    event_type: &str,
    is_wanted: &dyn Fn(&Hour) -> bool,
    take: &mut TakeRow<'_>,
) {
    for row in rows.rows.iter().filter(|row| row.is_primary && is_wanted(&row.hour)) {
        take(event_type, rows.items.name(row.item), row.hour, row.aggregate);
    }
}
