//! Aggregates of some items as of this moment: the stored ones, and what was ingested since.
//!
//! Invariant: the answer is what it would be after a rollup, which nothing here runs or waits for.
//!
//! Where files were only added since the last rollup and none of their events has an id, their rows
//! are added to the stored aggregates. Where some have ids, or files were removed, the hours that a
//! rollup would recompute are aggregated as it would. Batches that are not committed yet are added like the files of
//! the newest commit.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use rayon::prelude::*;

use crate::delta::{FilesSince, LogReader, NamedFile, Partition, Version};
use crate::lake::{FilePartition, Lake, LakeError, ROLLUPS, UncommittedBatch, events_log};
use crate::model::{AggregateRow, AggregateRows, Counting, Date, Hour, category_of_set};
use crate::parquet_format::{DictionaryInterner, EventBatch, EventColumns};
use crate::progress::Progress;
use crate::rollup::aggregate::aggregate_shard;
use crate::rollup::dedup::{DedupedDay, dedup};
use crate::rollup::error::RollupError;
use crate::rollup::event_file::EventFile;
use crate::rollup::months::{PartitionedFile, with_copies};
use crate::rollup::plan::{DayPlan, Plan, app_id, commit_app_id};
use crate::rollup::point_lookup::{is_read_whole, lookup};
use crate::rollup::table::{Rollups, Selection, partition_of, path_of};
use crate::rollup::uncommitted::{plan_with, still_uncommitted};
use crate::storage::Store;

/// How often the tables are read again when files were vacuumed meanwhile.
const MAX_TRIES: u32 = 10;

/// The items whose aggregates are looked up.
#[derive(Clone, Debug)]
pub struct ItemQuery<'a> {
    /// Sorted, each once.
    pub items: &'a [&'a str],
    pub selection: Selection<'a>,
    /// Only rows below this top-level category.
    pub top_level: Option<&'a str>,
}

/// The versions of the tables that an answer was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadVersions {
    pub events: u64,
    pub rollups: Option<u64>,
}

/// The aggregates as of one moment.
pub struct LiveCounts {
    store: Store,
    /// Files of the table, and copies of whole months in the place of theirs.
    stored: Vec<PartitionedFile>,
    pending: Pending,
    /// The versions of both tables.
    versions: (Option<u64>, u64),
}

/// What the stored aggregates do not cover yet.
pub(super) enum Pending {
    /// Files whose rows are added to them.
    Files(Vec<EventFile>),
    /// Hours that have to be recomputed.
    Hours(Box<(Lake, Plan)>),
}

/// How much of the tables' logs to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogReading {
    /// The commits since the last rollup, if they are all that is needed.
    Newest,
    /// All of it, by the Delta kernel.
    Full,
}

/// Calls `read` with the aggregates of some event types and hours as of one moment.
///
/// # Errors
/// Fails as `read` does, or where there is no lake. A file that was vacuumed after a table's log was
/// read is no failure: the log is read again.
pub fn live_counts<T>(
    store: &Store,
    selection: &Selection<'_>,
    uncommitted: &[Arc<UncommittedBatch>],
    read: impl Fn(&LiveCounts) -> Result<T, RollupError>,
) -> Result<T, RollupError> {
    let mut tried = None;
    let mut reading = LogReading::Newest;
    for _ in 0..MAX_TRIES {
        let counts = LiveCounts::of(store, selection, uncommitted, reading)?;
        match read(&counts) {
            Err(error)
                if is_not_found(&error)
                    && (reading == LogReading::Newest || tried != Some(counts.versions)) =>
            {
                if reading == LogReading::Full {
                    tried = Some(counts.versions);
                }
                reading = LogReading::Full;
            }
            outcome => return outcome,
        }
    }
    read(&LiveCounts::of(store, selection, uncommitted, LogReading::Full)?)
}

fn is_not_found(error: &RollupError) -> bool {
    match error {
        RollupError::Store(error) | RollupError::Lake(LakeError::Store(error)) => error.is_not_found(),
        RollupError::VersionGone { .. } => true,
        _ => false,
    }
}

impl LiveCounts {
    fn of(
        store: &Store,
        selection: &Selection<'_>,
        uncommitted: &[Arc<UncommittedBatch>],
        reading: LogReading,
    ) -> Result<LiveCounts, RollupError> {
        let days = selection.hours.start.date()..=selection.hours.end.plus(-1).date();
        let wants = |partition: &Partition| {
            let text = |name: &str| partition.get(name).and_then(Option::as_deref);
            // A file in an unknown partition is kept, so that reading it reports the error.
            let is_of_days = text("date").and_then(Date::parse).is_none_or(|date| days.contains(&date));
            is_of_days && text("event_type").is_none_or(|of| selection.event_types.counting(of).is_some())
        };
        // The rollups are read before the events, so that they never cover events that are not read.
        if reading == LogReading::Newest
            && let Some(counts) = LiveCounts::of_newest_commits(store, uncommitted, &days, &wants)?
        {
            return Ok(counts);
        }
        let rollups = Rollups::open(store)?;
        let newest = rollups.as_ref().map(|rollups| rollups.table.newest()).transpose()?;
        let files = newest.as_ref().map(|newest| newest.files_of_days(&days, &wants)).transpose()?;
        let stored = with_partitions(files.into_iter().flatten().map(NamedFile::from))?;
        let lake = Lake::open(store.clone())?;
        let mut plan = plan_with(&lake, newest.as_ref(), uncommitted)?;
        plan.days.retain(|day| {
            days.contains(&day.date) && selection.event_types.counting(&day.event_type).is_some()
        });
        let is_recomputed = |event_type: &str, month: &RangeInclusive<Date>| {
            plan.days.iter().any(|day| day.event_type == event_type && month.contains(&day.date))
        };
        let stored = with_copies(store, stored, &|event_type, month| {
            is_within(month, &days) && !is_recomputed(event_type, month)
        })?;
        let versions = (newest.as_ref().map(Version::number), plan.covers);
        let pending = Pending::Hours(Box::new((lake, plan)));
        Ok(LiveCounts { store: store.clone(), stored, pending, versions })
    }

    /// Reads the newest commits of the tables' logs; returns nothing where more may have happened than
    /// that files were added since the last rollup, or an event of theirs has an id.
    fn of_newest_commits(
        store: &Store,
        uncommitted: &[Arc<UncommittedBatch>],
        days: &RangeInclusive<Date>,
        wants: &dyn Fn(&Partition) -> bool,
    ) -> Result<Option<LiveCounts>, RollupError> {
        let log = LogReader::new(store, ROLLUPS).of_days(days.clone());
        let Some(rollups) = log.newest(wants)? else { return Ok(None) };
        let events = events_log(store);
        let Some(id) = events.table_id()? else { return Ok(None) };
        let covered = rollups.transaction(&app_id(&id)).and_then(|version| u64::try_from(version).ok());
        let Some(covered) = covered else { return Ok(None) };
        let recorded = rollups.transaction(&commit_app_id(&id));
        if recorded.is_some() && events.commit_identity(covered)?.is_some_and(|is| Some(is) != recorded) {
            return Ok(None);
        }
        let FilesSince::Appended { until, files } = events.files_since(covered, wants)? else {
            return Ok(None);
        };
        let mut added = Vec::with_capacity(files.len());
        for file in files {
            let Some(partition) = FilePartition::of(&file) else { return Ok(None) };
            let of = EventFile { partition, file, bytes: None };
            if of.has_ids() {
                return Ok(None);
            }
            added.push(of);
        }
        let Some(uncommitted) = still_uncommitted(store, uncommitted, until)? else { return Ok(None) };
        let uncommitted = EventFile::of_uncommitted(&uncommitted)?;
        if uncommitted.iter().any(EventFile::has_ids) {
            return Ok(None);
        }
        added.extend(uncommitted);
        let stored = with_partitions(rollups.files.into_iter())?;
        let stored = with_copies(store, stored, &|_, month| is_within(month, days))?;
        let versions = (Some(rollups.number), until);
        Ok(Some(LiveCounts { store: store.clone(), stored, pending: Pending::Files(added), versions }))
    }

    pub(super) fn pending(&self) -> &Pending {
        &self.pending
    }

    pub(super) fn stored(&self) -> &[PartitionedFile] {
        &self.stored
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the versions of both tables.
    pub fn versions(&self) -> ReadVersions {
        ReadVersions { rollups: self.versions.0, events: self.versions.1 }
    }

    /// Returns the spans of hours that are read together, a day or a month each: no other hour has aggregates. They
    /// are sorted by their first hours, and may overlap.
    pub fn spans(&self) -> Vec<Range<Hour>> {
        let of_day = |date: Date| (Hour::of(date, 0), Hour::of(date, 24));
        let of_file = |of: &FilePartition| match of.last().date() == of.day.date {
            true => of_day(of.day.date),
            false => (Hour::of(of.first().date(), 0), Hour::of(of.last().date(), 24)),
        };
        let mut spans: BTreeSet<(Hour, Hour)> = self.stored.iter().map(|(of, _)| of_file(of)).collect();
        match &self.pending {
            Pending::Files(files) => spans.extend(files.iter().map(|of| of_day(of.partition.day.date))),
            Pending::Hours(hours) => spans.extend(hours.1.days.iter().map(|day| of_day(day.date))),
        }
        spans.into_iter().map(|(first, end)| first..end).collect()
    }

    /// Returns the names of the stored files that have a day, sorted, where nothing else counts on it; none where there
    /// are events that they do not cover. A copy of a month is one of them, whose name changes with each of its days.
    pub fn only_stored_files(&self, date: Date) -> Option<Vec<&str>> {
        let is_pending = match &self.pending {
            Pending::Files(files) => files.iter().any(|of| of.partition.day.date == date),
            Pending::Hours(hours) => hours.1.days.iter().any(|day| day.date == date),
        };
        let hours = Hour::of(date, 0)..Hour::of(date, 24);
        let of_day = self.stored.iter().filter(|(partition, _)| partition.overlaps(&hours));
        let mut files: Vec<&str> = of_day.map(|(_, file)| file.path.as_str()).collect();
        files.sort_unstable();
        (!is_pending).then_some(files)
    }

    /// Returns the aggregates of some items in some of the selected hours.
    ///
    /// The same item, hour and set of paths may come several times: aggregates add.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn aggregates(&self, query: &ItemQuery<'_>) -> Result<AggregateRows, RollupError> {
        if query.items.is_empty() {
            return Ok(AggregateRows::default());
        }
        let (recomputed, added): (Vec<DedupedDay<'_>>, &[EventFile]) = match &self.pending {
            Pending::Files(files) => (Vec::new(), files),
            Pending::Hours(hours) => {
                let days = hours.1.days.iter().filter(|day| query.includes_day(day));
                (days.map(|day| dedup(&hours.0, day)).collect::<Result<_, _>>()?, &[])
            }
        };
        let whole = self.stored.iter().filter(|(partition, _)| query.overlaps(partition));
        let whole = whole.map(|(_, file)| file).filter(|file| is_read_whole(&self.store, file));
        self.store.read_ahead(whole.map(|file| (path_of(file), file.size_bytes)));
        let stored = self.stored.par_iter().filter(|(partition, _)| query.overlaps(partition));
        let stored = stored.map(|(partition, file)| {
            let is_of_day = |of: &&DedupedDay<'_>| {
                of.day.event_type == partition.day.event_type && of.day.date == partition.day.date
            };
            let day = recomputed.iter().find(is_of_day);
            let is_valid = |hour: &Hour| !day.is_some_and(|of| of.hours.contains(hour));
            let found = lookup(&self.store, file, query.items, &query.hours_of(partition, is_valid))?;
            Ok(query.counted(found, &partition.day.event_type))
        });
        let added = added.par_iter().filter(|of| query.overlaps(&of.partition)).map(|of| {
            let found = aggregate_file(&self.store, of, query)?;
            Ok(query.counted(found, &of.partition.day.event_type))
        });
        let parts: Result<Vec<AggregateRows>, RollupError> = stored.chain(added).collect();
        let mut found = AggregateRows::default();
        parts?.iter().for_each(|part| found.append(part));
        if let Pending::Hours(hours) = &self.pending {
            for day in &recomputed {
                append_recomputed(&hours.0, day, query, &mut found)?;
            }
        }
        if query.top_level.is_some() {
            let is_wanted = |set: &str| category_of_set(set) == query.top_level;
            let are_wanted: Vec<bool> = found.path_sets.iter().map(is_wanted).collect();
            found.rows.retain(|row| are_wanted[row.path_set as usize]);
        }
        Ok(found)
    }
}

/// Returns whether all days of a month are among those that are read.
fn is_within(month: &RangeInclusive<Date>, days: &RangeInclusive<Date>) -> bool {
    days.contains(month.start()) && days.contains(month.end())
}

fn with_partitions(files: impl Iterator<Item = NamedFile>) -> Result<Vec<PartitionedFile>, RollupError> {
    files.map(|file| Ok((partition_of(&file)?, file))).collect()
}

/// Returns the rows of some items in a file none of whose events has an id.
fn aggregate_file(
    store: &Store,
    of: &EventFile,
    query: &ItemQuery<'_>,
) -> Result<AggregateRows, RollupError> {
    let (mut found, mut interner) = (AggregateRows::default(), DictionaryInterner::default());
    let hours = query.hours_of(&of.partition, |_| true);
    let mut take = |batch: &EventBatch| {
        let mut path_sets = Vec::with_capacity(batch.rows());
        batch.path_sets(&mut interner, &mut found.path_sets, &mut path_sets);
        for (row, path_set) in path_sets.into_iter().enumerate() {
            if let Some(hour) = hours[batch.hour_of_day(row)]
                && query.items.binary_search(&batch.item_id(row)).is_ok()
            {
                let item = found.items.code(batch.item_id(row));
                let is_primary = batch.is_primary(row);
                let aggregate = batch.aggregate(row);
                found.rows.push(AggregateRow { item, path_set, hour, is_primary, aggregate });
            }
        }
    };
    of.read_items(store, EventColumns::WithoutIds, query.items, &mut take)?;
    Ok(found)
}

/// Appends the aggregates of a day's hours that have to be recomputed.
fn append_recomputed(
    lake: &Lake,
    day: &DedupedDay<'_>,
    query: &ItemQuery<'_>,
    found: &mut AggregateRows,
) -> Result<(), RollupError> {
    for shard in day.shards() {
        if query.top_level.is_some() && !shard.has(query.top_level) {
            continue;
        }
        let (aggregates, _) = aggregate_shard(lake, day, shard, &Progress::ignored())?;
        let mut codes = vec![None; aggregates.items.len()];
        for item in query.items {
            if let Some(code) = aggregates.items.find(item) {
                codes[code as usize] = Some(found.items.code(item));
            }
        }
        let sets = found.path_sets.codes_of(&aggregates.path_sets);
        let aggregates = query.counted(aggregates, &day.day.event_type);
        for row in aggregates.rows.iter().filter(|row| query.selection.hours.contains(&row.hour)) {
            if let Some(item) = codes[row.item as usize] {
                found.rows.push(AggregateRow { item, path_set: sets[row.path_set as usize], ..*row });
            }
        }
    }
    Ok(())
}

impl ItemQuery<'_> {
    /// Returns the rows of an event type as they count.
    pub(super) fn counted(&self, mut rows: AggregateRows, event_type: &str) -> AggregateRows {
        if let Some(Counting::Subtracted) = self.selection.event_types.counting(event_type) {
            for row in &mut rows.rows {
                row.aggregate = Counting::Subtracted.applied_to(row.aggregate);
            }
        }
        rows
    }

    fn overlaps(&self, partition: &FilePartition) -> bool {
        let has_category = self.top_level.is_none() || partition.day.group.may_have(self.top_level);
        has_category && self.selection.overlaps(partition)
    }

    fn includes_day(&self, day: &DayPlan) -> bool {
        let hours: Range<Hour> = Hour::of(day.date, 0)..Hour::of(day.date, 24);
        let Range { start, end } = &self.selection.hours;
        hours.start < *end
            && *start < hours.end
            && self.selection.event_types.counting(&day.event_type).is_some()
    }

    /// Returns the wanted hours of a file, by hour of day.
    fn hours_of(&self, partition: &FilePartition, is_valid: impl Fn(&Hour) -> bool) -> Vec<Option<Hour>> {
        partition.hours_by_number(|hour| self.selection.hours.contains(hour) && is_valid(hour))
    }
}
