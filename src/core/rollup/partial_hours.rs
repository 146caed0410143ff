//! Aggregates of some items in parts of hours as of one moment, from events.
//!
//! Invariant: an event counts as a rollup counts it, once of its UTC day by the version that counts, if the time of
//! this version is in one of the parts.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rayon::prelude::*;

use crate::delta::{NamedFile, Partition};
use crate::lake::{DayPartition, FilePartition, Lake, events_log};
use crate::model::{Aggregate, AggregateRow, AggregateRows, Date, Hour, Timestamp};
use crate::parquet_format::{EventBatch, EventColumns};
use crate::rollup::changes::DayKey;
use crate::rollup::conflict_resolution::{Candidates, ShardedMap};
use crate::rollup::error::RollupError;
use crate::rollup::event_file::{EventFile, IdRange};
use crate::rollup::event_hash::{EventHasher, EventKey};
use crate::rollup::live_counts::{ItemQuery, LiveCounts, Pending};
use crate::storage::Store;

impl LiveCounts {
    /// Returns the aggregates of some items in some parts of hours, each within an hour of those that these counts are
    /// of; the hours of the query are not looked at.
    ///
    /// The same item, hour and set of paths may come several times: aggregates add. A row of an event with an id has
    /// all its paths, and there is no other row of it.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn partial_hours(
        &self,
        query: &ItemQuery<'_>,
        parts: &[Range<Timestamp>],
    ) -> Result<AggregateRows, RollupError> {
        let mut found = AggregateRows::default();
        if query.items.is_empty() || parts.is_empty() {
            return Ok(found);
        }
        let hasher = EventHasher::default();
        for ((event_type, _), files) in self.event_files(query, parts)? {
            let day = PartialDay { store: self.store(), query, parts, hasher: &hasher };
            found.append(&query.counted(day.rows(&files)?, &event_type));
        }
        Ok(found)
    }

    /// Returns all files of the events of the days that parts are of, in the version that these counts are of, and of
    /// what was uncommitted then.
    fn event_files(
        &self,
        query: &ItemQuery<'_>,
        parts: &[Range<Timestamp>],
    ) -> Result<BTreeMap<DayKey, Vec<EventFile>>, RollupError> {
        let dates: BTreeSet<Date> = parts.iter().map(|part| part.start.hour().date()).collect();
        let is_counted = |event_type: &str| query.selection.event_types.counting(event_type).is_some();
        let mut days: BTreeMap<DayKey, Vec<EventFile>> = BTreeMap::new();
        let mut add = |of: EventFile| {
            let key = (of.partition.day.event_type.clone(), of.partition.day.date);
            days.entry(key).or_default().push(of);
        };
        for &date in &dates {
            // A malformed partition is an error.
            let wants = |values: &Partition| {
                DayPartition::of(values).is_none_or(|day| day.date == date && is_counted(&day.event_type))
            };
            for file in self.committed_files(date, &wants)? {
                let bad = || RollupError::BadPartition { file: file.path.clone() };
                let partition = FilePartition::of(&file).ok_or_else(bad)?;
                add(EventFile { partition, file, bytes: None });
            }
        }
        let is_wanted = |of: &&EventFile| {
            let day = &of.partition.day;
            of.bytes.is_some() && dates.contains(&day.date) && is_counted(&day.event_type)
        };
        match self.pending() {
            Pending::Files(files) => files.iter().filter(is_wanted).cloned().for_each(&mut add),
            Pending::Hours(hours) => {
                let files = hours.1.days.iter().flat_map(|day| &day.events);
                files.filter(is_wanted).cloned().for_each(&mut add);
            }
        }
        Ok(days)
    }

    /// Returns the wanted files of a day in the version of the events that these counts are of.
    fn committed_files(
        &self,
        date: Date,
        wants: &dyn Fn(&Partition) -> bool,
    ) -> Result<Vec<NamedFile>, RollupError> {
        let (version, day) = (self.versions().events, date..=date);
        let newest = events_log(self.store()).of_days(day.clone()).newest_with_statistics(wants)?;
        if let Some(newest) = newest.filter(|newest| newest.number == version) {
            return Ok(newest.files);
        }
        let lake = Lake::open(self.store().clone())?;
        let files = lake.events().at_version(version).and_then(|version| version.files_of_days(&day, wants));
        match files {
            Ok(files) => Ok(files.into_iter().map(NamedFile::from).collect()),
            // Its commits may have been removed since; whoever reads begins again.
            Err(_) if lake.events().newest()?.number() > version => Err(RollupError::VersionGone { version }),
            Err(error) => Err(error.into()),
        }
    }
}

/// The parts of hours of an event type and day.
struct PartialDay<'a> {
    store: &'a Store,
    query: &'a ItemQuery<'a>,
    parts: &'a [Range<Timestamp>],
    hasher: &'a EventHasher,
}

/// What a file has in the parts.
#[derive(Default)]
struct FoundInFile {
    /// Events without ids.
    rows: AggregateRows,
    /// Events with ids, and the numbers of their items in the query.
    events: Vec<(EventKey, usize)>,
    /// The least and the greatest of the ids.
    ids: Option<(String, String)>,
}

impl PartialDay<'_> {
    /// Returns the rows of the day, given all files of its events.
    fn rows(&self, files: &[EventFile]) -> Result<AggregateRows, RollupError> {
        let hours: BTreeSet<Hour> = self.parts.iter().map(|part| part.start.hour()).collect();
        let may_count = |of: &EventFile| {
            // A version that counts may be in no file of the category itself.
            let has_category =
                self.query.top_level.is_none() || of.partition.day.group.may_have(self.query.top_level);
            of.may_contain_any(&hours) && (has_category || of.has_ids())
        };
        let found = files.par_iter().filter(|of| may_count(of)).map(|of| self.found_in(of));
        let found: Vec<FoundInFile> = found.collect::<Result<_, _>>()?;
        let mut rows = AggregateRows::default();
        let versions: ShardedMap<(usize, Candidates)> = ShardedMap::new();
        let mut ids: Option<(String, String)> = None;
        for of_file in found {
            rows.append(&of_file.rows);
            for (key, item) in of_file.events {
                versions.shard_of(key).entry(key).or_insert_with(|| (item, Candidates::default()));
            }
            if let Some((least, most)) = of_file.ids {
                add_id(&mut ids, &least);
                add_id(&mut ids, &most);
            }
        }
        if let Some((least, most)) = ids {
            self.add_versions(files, &IdRange::between(least, most), &versions)?;
        }
        for (_, (item, versions)) in versions.into_iter() {
            let Some((ts_micros, units, amount, paths)) = versions.smallest() else { continue };
            if let Some(hour) = self.hour_of(ts_micros) {
                let item = rows.items.code(self.query.items[item]);
                let (path_set, aggregate) =
                    (rows.path_sets.code(paths), Aggregate { purchases: 1, units, amount });
                rows.rows.push(AggregateRow { item, path_set, hour, is_primary: true, aggregate });
            }
        }
        Ok(rows)
    }

    fn found_in(&self, of: &EventFile) -> Result<FoundInFile, RollupError> {
        let mut found = FoundInFile::default();
        let mut scratch = String::new();
        of.read_items(self.store, EventColumns::All, self.query.items, &mut |batch| {
            for row in 0..batch.rows() {
                let Some(hour) = self.hour_of(batch.ts_micros(row)) else { continue };
                let Some(item) = self.item_of(batch, row) else { continue };
                let is_primary = batch.is_primary(row);
                match self.hasher.key_of(batch, row).zip(batch.event_id(row)) {
                    Some((key, id)) if is_primary => {
                        found.events.push((key, item));
                        add_id(&mut found.ids, id);
                    }
                    Some(_) => {}
                    None => {
                        let item = found.rows.items.code(self.query.items[item]);
                        let path_set = found.rows.path_sets.code(batch.all_paths(row, &mut scratch));
                        let aggregate = batch.aggregate(row);
                        found.rows.rows.push(AggregateRow { item, path_set, hour, is_primary, aggregate });
                    }
                }
            }
        })?;
        Ok(found)
    }

    /// Adds all versions of some events, which have ids of a range, from wherever they are in the day.
    fn add_versions(
        &self,
        files: &[EventFile],
        ids: &IdRange,
        versions: &ShardedMap<(usize, Candidates)>,
    ) -> Result<(), RollupError> {
        let may_have = |of: &&EventFile| of.id_range().is_some_and(|range| range.overlaps(ids));
        files.par_iter().filter(may_have).try_for_each(|of| {
            of.read_items(self.store, EventColumns::All, self.query.items, &mut |batch| {
                for row in (0..batch.rows()).filter(|&row| batch.is_primary(row)) {
                    if self.item_of(batch, row).is_some()
                        && let Some(key) = self.hasher.key_of(batch, row)
                        && let Some((_, known)) = versions.shard_of(key).get_mut(&key)
                    {
                        known.add(batch, row);
                    }
                }
            })
        })
    }

    /// Returns the number of a row's item in the query; none where it is none of its items.
    fn item_of(&self, batch: &EventBatch, row: usize) -> Option<usize> {
        self.query.items.binary_search(&batch.item_id(row)).ok()
    }

    /// Returns the hour of a moment that is in one of the parts.
    fn hour_of(&self, ts_micros: i64) -> Option<Hour> {
        let has =
            |part: &&Range<Timestamp>| part.start.micros() <= ts_micros && ts_micros < part.end.micros();
        self.parts.iter().find(has).map(|part| part.start.hour())
    }
}

/// Extends a range of ids to an id.
fn add_id(ids: &mut Option<(String, String)>, id: &str) {
    match ids {
        None => *ids = Some((id.to_owned(), id.to_owned())),
        Some((least, _)) if id < least.as_str() => id.clone_into(least),
        Some((_, most)) if id > most.as_str() => id.clone_into(most),
        Some(_) => {}
    }
}
