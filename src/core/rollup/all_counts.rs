//! All aggregates of some hours as of this moment, each item's copy that counts shop-wide.
//!
//! Invariant: they are those that [`LiveCounts::aggregates`] returns for each item.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use hashbrown::HashMap;

use crate::delta::{LogReader, Partition};
use crate::lake::{FilePartition, ROLLUPS, events_log};
use crate::model::{
    Aggregate, AggregateOverflow, AggregateRow, AggregateRows, Date, Hour, Shard, Signs, category_of_set,
};
use crate::parquet_format::{DictionaryInterner, EventBatch, EventColumns};
use crate::progress::Progress;
use crate::rollup::aggregate::aggregate_shard;
use crate::rollup::dedup::{DedupedDay, dedup};
use crate::rollup::error::RollupError;
use crate::rollup::event_file::EventFile;
use crate::rollup::live_counts::{LiveCounts, Pending};
use crate::rollup::table::{Selection, read_file};
use crate::storage::Store;

/// Takes the event type, item and hour of a row, and what it adds.
type TakeRow<'a> = dyn FnMut(&str, &str, Hour, Aggregate) + 'a;
/// Takes the event type of some rows, the rows, and which of them are wanted.
type TakePart<'a> = dyn FnMut(&str, &AggregateRows, &dyn Fn(&AggregateRow) -> bool) + 'a;

impl LiveCounts {
    /// Returns the event types of the files in some partitions of either table.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub(super) fn event_types_of(
        store: &Store,
        days: &RangeInclusive<Date>,
        wants: &dyn Fn(&Partition) -> bool,
    ) -> Result<BTreeSet<String>, RollupError> {
        let mut event_types = BTreeSet::new();
        for log in [LogReader::new(store, ROLLUPS), events_log(store)] {
            let files =
                log.of_days(days.clone()).newest(wants)?.map(|newest| newest.files).unwrap_or_default();
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
        self.for_each_part(selection, None, &mut |event_type, rows, wants| {
            for row in rows.rows.iter().filter(|row| row.is_primary && wants(row)) {
                take(event_type, rows.items.name(row.item), row.hour, row.aggregate);
            }
        })
    }

    /// Returns what each item has in the selected hours, as it counts, all of it under the last hour; only of one
    /// top-level category where it is given. So memory holds a row or two of each item, however many hours there are.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, or the item whose aggregates do not fit.
    pub fn summed_over_hours(
        &self,
        selection: &Selection<'_>,
        top_level: Option<&str>,
    ) -> Result<AggregateRows, RollupError> {
        let hour = selection.hours.end.plus(-1);
        let mut all = AggregateRows::default();
        let mut places: HashMap<(u32, u32, bool, Signs), usize> = HashMap::new();
        let mut overflow = None;
        self.for_each_part(selection, top_level, &mut |event_type, rows, wants| {
            let Some(counting) = selection.event_types.counting(event_type) else { return };
            let is_wanted = |set: &str| top_level.is_none() || category_of_set(set) == top_level;
            let are_wanted: Vec<bool> = rows.path_sets.iter().map(is_wanted).collect();
            let mut part = AggregateRows::default();
            part.append_where(rows, |row| are_wanted[row.path_set as usize] && wants(row));
            let (items, sets) = (all.items.codes_of(&part.items), all.path_sets.codes_of(&part.path_sets));
            for row in &part.rows {
                let (item, path_set) = (items[row.item as usize], sets[row.path_set as usize]);
                let aggregate = counting.applied_to(row.aggregate);
                let place = places.entry((item, path_set, row.is_primary, aggregate.signs()));
                let at = *place.or_insert_with(|| {
                    let aggregate = Aggregate::default();
                    all.rows.push(AggregateRow {
                        item,
                        path_set,
                        hour,
                        is_primary: row.is_primary,
                        aggregate,
                    });
                    all.rows.len() - 1
                });
                match all.rows[at].aggregate.plus(aggregate) {
                    Some(sum) => all.rows[at].aggregate = sum,
                    None => overflow = Some(AggregateOverflow::of(all.items.name(item))),
                }
            }
        })?;
        overflow.map_or(Ok(all), |overflow| Err(overflow.into()))
    }

    /// Passes the rows of each file and each recomputed shard to `take`, and which of them are wanted.
    fn for_each_part(
        &self,
        selection: &Selection<'_>,
        top_level: Option<&str>,
        take: &mut TakePart<'_>,
    ) -> Result<(), RollupError> {
        let days: Vec<DedupedDay<'_>> = match self.pending() {
            Pending::Files(_) => Vec::new(),
            Pending::Hours(hours) => {
                hours.1.days.iter().map(|day| dedup(&hours.0, day)).collect::<Result<_, _>>()?
            }
        };
        let may_have = |of: &FilePartition| {
            selection.overlaps(of) && (top_level.is_none() || of.day.group.may_have(top_level))
        };
        let is_selected = |row: &AggregateRow| selection.hours.contains(&row.hour);
        for (partition, file) in self.stored().iter().filter(|(partition, _)| may_have(partition)) {
            let mut rows = AggregateRows::default();
            read_file(self.store(), file, &mut rows)?;
            let (event_type, date) = (&partition.day.event_type, partition.day.date);
            let day = days.iter().find(|of| of.day.event_type == *event_type && of.day.date == date);
            let is_valid = |row: &AggregateRow| !day.is_some_and(|of| of.hours.contains(&row.hour));
            take(event_type, &rows, &|row| is_selected(row) && is_valid(row));
        }
        match self.pending() {
            Pending::Files(files) => {
                for of in files.iter().filter(|of| may_have(&of.partition)) {
                    let rows = rows_of(self.store(), of)?;
                    take(&of.partition.day.event_type, &rows, &is_selected);
                }
            }
            Pending::Hours(hours) => {
                let is_wanted = |shard: &Shard| top_level.is_none() || shard.has(top_level);
                for day in &days {
                    for shard in day.shards().into_iter().filter(is_wanted) {
                        let (rows, _) = aggregate_shard(&hours.0, day, shard, &Progress::ignored())?;
                        take(&day.day.event_type, &rows, &is_selected);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Returns a row for each event of a file none of whose events has an id.
fn rows_of(store: &Store, of: &EventFile) -> Result<AggregateRows, RollupError> {
    let (mut rows, mut interner) = (AggregateRows::default(), DictionaryInterner::default());
    of.read_from(store, EventColumns::WithoutIds, &mut |batch: &EventBatch| {
        let mut path_sets = Vec::with_capacity(batch.rows());
        batch.path_sets(&mut interner, &mut rows.path_sets, &mut path_sets);
        for (row, path_set) in path_sets.into_iter().enumerate() {
            let hour = i32::try_from(batch.hour_of_day(row)).expect("a day has 24 hours");
            let item = rows.items.code(batch.item_id(row));
            let (hour, is_primary) = (Hour::of(of.partition.day.date, hour), batch.is_primary(row));
            rows.rows.push(AggregateRow {
                item,
                path_set,
                hour,
                is_primary,
                aggregate: batch.aggregate(row),
            });
        }
    })?;
    Ok(rows)
}
