//! All aggregates of some hours as of this moment, each item's copy that counts shop-wide.
//!
//! Invariant: they are those that [`LiveCounts::aggregates`] returns for each item.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use hashbrown::HashMap;

use crate::delta::{LogReader, Partition};
use crate::lake::{FilePartition, ROLLUPS, events_log};
use crate::model::{
    Aggregate, AggregateOverflow, AggregateRow, AggregateRows, CategoryGroup, Date, Hour, Shard, Signs,
    category_of_set, levels_of,
};
use crate::parquet_format::{DictionaryInterner, EventBatch, EventColumns};
use crate::progress::Progress;
use crate::rollup::aggregate::aggregate_shard;
use crate::rollup::dedup::{DedupedDay, dedup};
use crate::rollup::error::RollupError;
use crate::rollup::event_file::EventFile;
use crate::rollup::live_counts::{LiveCounts, Pending};
use crate::rollup::scan::{TAIL_BYTES, paths_in};
use crate::rollup::table::{Selection, read_file_of};
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
        self.for_each_part(selection, &mut |event_type, rows, wants| {
            for row in rows.rows.iter().filter(|row| row.is_primary && wants(row)) {
                take(event_type, rows.items.name(row.item), row.hour, row.aggregate);
            }
        })
    }

    /// Returns whether any event is in a category or below it; files are read up to the first that has one.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn has_category(&self, path: &str) -> Result<bool, RollupError> {
        let categories = Categories::Below(path);
        let has = |rows: &AggregateRows| rows.path_sets.iter().any(|set| categories.has(set));
        for (partition, file) in self.stored().iter().filter(|(of, _)| categories.may_be_in(&of.day.group)) {
            let has_path = match paths_in(self.store(), file, TAIL_BYTES)? {
                Some(paths) => paths.iter().any(|path| categories.has(path)),
                None => {
                    let mut rows = AggregateRows::default();
                    read_file_of(self.store(), partition, file, &mut rows)?;
                    has(&rows)
                }
            };
            if has_path {
                return Ok(true);
            }
        }
        let pending: Vec<&EventFile> = match self.pending() {
            Pending::Files(files) => files.iter().collect(),
            Pending::Hours(hours) => hours.1.days.iter().flat_map(|day| &day.events).collect(),
        };
        for of in pending.into_iter().filter(|of| categories.may_be_in(&of.partition.day.group)) {
            if has(&rows_of(self.store(), of)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Passes the rows of each file and each recomputed shard to `take`, and which of them are wanted.
    fn for_each_part(&self, selection: &Selection<'_>, take: &mut TakePart<'_>) -> Result<(), RollupError> {
        LiveAggregates::of(self)?.for_each_part(selection, Categories::All, take)
    }
}

/// All aggregates as of one moment, which may be read in several passes.
pub struct LiveAggregates<'a> {
    counts: &'a LiveCounts,
    /// Which events of pending days count.
    days: Vec<DedupedDay<'a>>,
}

/// Whose aggregates are read.
#[derive(Clone, Copy, Debug)]
pub enum Categories<'a> {
    All,
    /// Those of a shard.
    Shard(Shard),
    /// A category and those below it.
    Below(&'a str),
}

impl Categories<'_> {
    fn may_be_in(self, group: &CategoryGroup) -> bool {
        match self {
            Categories::All => true,
            Categories::Shard(shard) => group.shard().overlaps(shard),
            Categories::Below(path) => group.may_have(levels_of(path).next()),
        }
    }

    fn may_be_of(self, shard: Shard) -> bool {
        match self {
            Categories::All => true,
            Categories::Shard(of) => of.overlaps(shard),
            Categories::Below(path) => shard.has(levels_of(path).next()),
        }
    }

    /// Returns whether a set of paths is of these categories.
    pub(super) fn has(self, set: &str) -> bool {
        match self {
            Categories::All => true,
            Categories::Shard(shard) => shard.has(category_of_set(set)),
            Categories::Below(path) => set.split('|').any(|of| levels_of(of).any(|level| level == path)),
        }
    }
}

impl<'a> LiveAggregates<'a> {
    /// Deduplicates the events that the stored aggregates do not cover.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn of(counts: &'a LiveCounts) -> Result<LiveAggregates<'a>, RollupError> {
        let days = match counts.pending() {
            Pending::Files(_) => Vec::new(),
            Pending::Hours(hours) => {
                hours.1.days.iter().map(|day| dedup(&hours.0, day)).collect::<Result<_, _>>()?
            }
        };
        Ok(LiveAggregates { counts, days })
    }

    /// Returns shares of all categories, each of which can be read by itself.
    pub fn shares(&self) -> Vec<Categories<'static>> {
        let stored = self.counts.stored().iter().map(|(of, file)| (of.day.group.shard(), file.rows));
        let added = match self.counts.pending() {
            Pending::Files(files) => files.iter().collect::<Vec<_>>(),
            Pending::Hours(_) => self.days.iter().flat_map(|day| &day.day.events).collect(),
        };
        let added = added.into_iter().map(|of| (of.partition.day.group.shard(), of.file.rows));
        Shard::to_read(stored.chain(added)).into_iter().map(Categories::Shard).collect()
    }

    /// Returns what each item has in the selected hours, as it counts, all of it under the last hour. So memory holds a
    /// row or two of each item, however many hours there are.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, or the item whose aggregates do not fit.
    pub fn summed_over_hours(
        &self,
        selection: &Selection<'_>,
        categories: Categories<'_>,
    ) -> Result<AggregateRows, RollupError> {
        let hour = selection.hours.end.plus(-1);
        let mut all = AggregateRows::default();
        let mut places: HashMap<(u32, u32, bool, Signs), usize> = HashMap::new();
        self.for_each_counted(selection, categories, &mut |part| {
            let (items, sets) = (all.items.codes_of(&part.items), all.path_sets.codes_of(&part.path_sets));
            for row in &part.rows {
                let (item, path_set) = (items[row.item as usize], sets[row.path_set as usize]);
                let place = places.entry((item, path_set, row.is_primary, row.aggregate.signs()));
                let at = *place.or_insert_with(|| {
                    let (is_primary, aggregate) = (row.is_primary, Aggregate::default());
                    all.rows.push(AggregateRow { item, path_set, hour, is_primary, aggregate });
                    all.rows.len() - 1
                });
                let sum = all.rows[at].aggregate.plus(row.aggregate);
                all.rows[at].aggregate = sum.ok_or_else(|| AggregateOverflow::of(all.items.name(item)))?;
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// Passes the rows of the selected hours of some categories to `take`, as they count: those of one file or recomputed
    /// shard at a time. Rows of the same item, set of paths and hour may come several times.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, or fails as `take` does.
    pub fn for_each_counted(
        &self,
        selection: &Selection<'_>,
        categories: Categories<'_>,
        take: &mut dyn FnMut(&AggregateRows) -> Result<(), RollupError>,
    ) -> Result<(), RollupError> {
        let mut outcome = Ok(());
        self.for_each_part(selection, categories, &mut |event_type, rows, wants| {
            let Some(counting) = selection.event_types.counting(event_type).filter(|_| outcome.is_ok())
            else {
                return;
            };
            let are_wanted: Vec<bool> = rows.path_sets.iter().map(|set| categories.has(set)).collect();
            let mut part = AggregateRows::default();
            part.append_where(rows, |row| are_wanted[row.path_set as usize] && wants(row));
            part.rows.iter_mut().for_each(|row| row.aggregate = counting.applied_to(row.aggregate));
            outcome = take(&part);
        })?;
        outcome
    }

    /// Passes the rows of each file and each recomputed shard to `take`, and which of them are wanted; some may be of
    /// other categories.
    fn for_each_part(
        &self,
        selection: &Selection<'_>,
        categories: Categories<'_>,
        take: &mut TakePart<'_>,
    ) -> Result<(), RollupError> {
        let LiveAggregates { counts, days } = self;
        let may_have = |of: &FilePartition| selection.overlaps(of) && categories.may_be_in(&of.day.group);
        let is_selected = |row: &AggregateRow| selection.hours.contains(&row.hour);
        for (partition, file) in counts.stored().iter().filter(|(partition, _)| may_have(partition)) {
            if let Categories::Below(_) = categories
                && let Some(paths) = paths_in(counts.store(), file, TAIL_BYTES)?
                && !paths.iter().any(|path| categories.has(path))
            {
                continue;
            }
            let mut rows = AggregateRows::default();
            read_file_of(counts.store(), partition, file, &mut rows)?;
            let (event_type, date) = (&partition.day.event_type, partition.day.date);
            let day = days.iter().find(|of| of.day.event_type == *event_type && of.day.date == date);
            let is_valid = |row: &AggregateRow| !day.is_some_and(|of| of.hours.contains(&row.hour));
            take(event_type, &rows, &|row| is_selected(row) && is_valid(row));
        }
        match counts.pending() {
            Pending::Files(files) => {
                for of in files.iter().filter(|of| may_have(&of.partition)) {
                    let rows = rows_of(counts.store(), of)?;
                    take(&of.partition.day.event_type, &rows, &is_selected);
                }
            }
            Pending::Hours(hours) => {
                let dates = selection.hours.start.date()..=selection.hours.end.plus(-1).date();
                for day in days.iter().filter(|of| dates.contains(&of.day.date)) {
                    for shard in day.shards().into_iter().filter(|shard| categories.may_be_of(*shard)) {
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
