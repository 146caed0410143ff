//! Aggregates of some items, or of all, in parts of hours as of one moment, from events.
//!
//! Invariant: an event counts as a rollup counts it, once of its UTC day by the version that counts, if the time of
//! this version is in one of the parts.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::delta::{NamedFile, Partition};
use crate::lake::{DayPartition, FilePartition, Lake, events_log};
use crate::model::{
    Aggregate, AggregateRow, AggregateRows, Date, EventTypes, Hour, Signs, Timestamp, levels_of,
};
use crate::parquet_format::{EventBatch, EventColumns};
use crate::rollup::all_counts::Categories;
use crate::rollup::changes::DayKey;
use crate::rollup::conflict_resolution::{Candidates, ShardedMap};
use crate::rollup::error::RollupError;
use crate::rollup::event_file::{EventFile, IdRange};
use crate::rollup::event_hash::{EventHasher, EventKey};
use crate::rollup::live_counts::{ItemQuery, LiveCounts, Pending};
use crate::storage::Store;

/// Which events are read.
struct PartsQuery<'a> {
    /// Only those of these items, sorted, each once; those of all for none.
    items: Option<&'a [&'a str]>,
    event_types: &'a EventTypes,
    /// Only those in this top-level category.
    top_level: Option<&'a str>,
    /// Each within an hour of those that the counts are of.
    parts: &'a [Range<Timestamp>],
}

impl LiveCounts {
    /// Returns the aggregates of some items in some parts of hours, each within an hour of those that these counts are
    /// of; the hours of the query are not looked at.
    ///
    /// The same item, hour and set of paths may come several times: aggregates add.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn partial_hours(
        &self,
        query: &ItemQuery<'_>,
        parts: &[Range<Timestamp>],
    ) -> Result<AggregateRows, RollupError> {
        if query.items.is_empty() {
            return Ok(AggregateRows::default());
        }
        let ItemQuery { items, selection, top_level } = query;
        let query = PartsQuery {
            items: Some(items),
            event_types: selection.event_types,
            top_level: *top_level,
            parts,
        };
        self.rows_of_parts(&query, &|_| true)
    }

    /// Returns the aggregates of all items of some categories in some parts of hours, as they count; otherwise as
    /// [`LiveCounts::partial_hours`].
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn all_partial_hours(
        &self,
        event_types: &EventTypes,
        categories: Categories<'_>,
        parts: &[Range<Timestamp>],
    ) -> Result<AggregateRows, RollupError> {
        let top_level = match categories {
            Categories::Below(path) => levels_of(path).next(),
            Categories::All | Categories::Shard(_) => None,
        };
        let query = PartsQuery { items: None, event_types, top_level, parts };
        self.rows_of_parts(&query, &|set| categories.has(set))
    }

    /// Returns the rows of the wanted sets of paths, as they count.
    fn rows_of_parts(
        &self,
        query: &PartsQuery<'_>,
        wants: &dyn Fn(&str) -> bool,
    ) -> Result<AggregateRows, RollupError> {
        let mut found = AggregateRows::default();
        if query.parts.is_empty() {
            return Ok(found);
        }
        let hasher = EventHasher::default();
        for ((event_type, _), files) in self.event_files(query)? {
            let Some(counting) = query.event_types.counting(&event_type) else { continue };
            let mut rows = PartialDay { store: self.store(), query, hasher: &hasher }.rows(&files)?;
            rows.rows.iter_mut().for_each(|row| row.aggregate = counting.applied_to(row.aggregate));
            let are_wanted: Vec<bool> = rows.path_sets.iter().map(wants).collect();
            found.append_where(&rows, |row| are_wanted[row.path_set as usize]);
        }
        Ok(found)
    }

    /// Returns all files of the events of the days that parts are of, in the version that these counts are of, and of
    /// what was uncommitted then.
    fn event_files(&self, query: &PartsQuery<'_>) -> Result<BTreeMap<DayKey, Vec<EventFile>>, RollupError> {
        let dates: BTreeSet<Date> = query.parts.iter().map(|part| part.start.hour().date()).collect();
        let is_counted = |event_type: &str| query.event_types.counting(event_type).is_some();
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
    query: &'a PartsQuery<'a>,
    hasher: &'a EventHasher,
}

/// Rows of which those that add up are one: memory holds a few of each item, however many events there are.
#[derive(Default)]
struct SummedRows {
    rows: AggregateRows,
    places: HashMap<(u32, u32, Hour, bool, Signs), usize>,
}

/// What a file has in the parts.
#[derive(Default)]
struct FoundInFile {
    /// Events without ids.
    summed: SummedRows,
    /// Events with ids, and the numbers of their items.
    events: Vec<(EventKey, u32)>,
    /// The least and the greatest of the ids.
    ids: Option<(String, String)>,
}

impl SummedRows {
    fn add(&mut self, new: AggregateRow) {
        let AggregateRow { item, path_set, hour, is_primary, aggregate } = new;
        let rows = &mut self.rows.rows;
        let place = self.places.entry((item, path_set, hour, is_primary, aggregate.signs()));
        let at = *place.or_insert(rows.len());
        match rows.get_mut(at).and_then(|known| Some((known.aggregate.plus(aggregate)?, known))) {
            Some((sum, known)) => known.aggregate = sum,
            // What does not fit in one row is an error when all are added.
            None => rows.push(new),
        }
    }

    /// Adds an event, a row for each of its top-level categories.
    fn add_event(&mut self, item: u32, hour: Hour, aggregate: Aggregate, paths: &str) {
        for (nth, set) in sets_by_category(paths).iter().enumerate() {
            let path_set = self.rows.path_sets.code(set);
            self.add(AggregateRow { item, path_set, hour, is_primary: nth == 0, aggregate });
        }
    }
}

impl PartialDay<'_> {
    /// Returns the rows of the day, given all files of its events.
    fn rows(&self, files: &[EventFile]) -> Result<AggregateRows, RollupError> {
        let hours: BTreeSet<Hour> = self.query.parts.iter().map(|part| part.start.hour()).collect();
        let may_count = |of: &EventFile| {
            // A version that counts may be in no file of the category itself.
            let has_category =
                self.query.top_level.is_none() || of.partition.day.group.may_have(self.query.top_level);
            of.may_contain_any(&hours) && (has_category || of.has_ids())
        };
        let found = files.par_iter().filter(|of| may_count(of)).map(|of| self.found_in(of));
        let found: Vec<FoundInFile> = found.collect::<Result<_, _>>()?;
        let mut summed = SummedRows::default();
        let versions: ShardedMap<(u32, Candidates)> = ShardedMap::new();
        let mut ids: Option<(String, String)> = None;
        for of_file in found {
            let AggregateRows { items, path_sets, rows } = &of_file.summed.rows;
            let (items, sets) =
                (summed.rows.items.codes_of(items), summed.rows.path_sets.codes_of(path_sets));
            for row in rows {
                let (item, path_set) = (items[row.item as usize], sets[row.path_set as usize]);
                summed.add(AggregateRow { item, path_set, ..*row });
            }
            for (key, item) in of_file.events {
                let item = items[item as usize];
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
                summed.add_event(item, hour, Aggregate { purchases: 1, units, amount }, paths);
            }
        }
        Ok(summed.rows)
    }

    fn found_in(&self, of: &EventFile) -> Result<FoundInFile, RollupError> {
        let mut found = FoundInFile::default();
        let mut scratch = String::new();
        self.read(of, &mut |batch| {
            for row in 0..batch.rows() {
                let Some(hour) = self.hour_of(batch.ts_micros(row)) else { continue };
                if !self.wants_item_of(batch, row) {
                    continue;
                }
                let is_primary = batch.is_primary(row);
                let rows = &mut found.summed.rows;
                match self.hasher.key_of(batch, row).zip(batch.event_id(row)) {
                    Some((key, id)) if is_primary => {
                        found.events.push((key, rows.items.code(batch.item_id(row))));
                        add_id(&mut found.ids, id);
                    }
                    Some(_) => {}
                    None => {
                        let item = rows.items.code(batch.item_id(row));
                        let path_set = rows.path_sets.code(batch.all_paths(row, &mut scratch));
                        let aggregate = batch.aggregate(row);
                        found.summed.add(AggregateRow { item, path_set, hour, is_primary, aggregate });
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
        versions: &ShardedMap<(u32, Candidates)>,
    ) -> Result<(), RollupError> {
        let may_have = |of: &&EventFile| of.id_range().is_some_and(|range| range.overlaps(ids));
        files.par_iter().filter(may_have).try_for_each(|of| {
            self.read(of, &mut |batch| {
                for row in (0..batch.rows()).filter(|&row| batch.is_primary(row)) {
                    if self.wants_item_of(batch, row)
                        && let Some(key) = self.hasher.key_of(batch, row)
                        && let Some((_, known)) = versions.shard_of(key).get_mut(&key)
                    {
                        known.add(batch, row);
                    }
                }
            })
        })
    }

    /// Passes the rows of a file that may be of the wanted items to `take`.
    fn read(&self, of: &EventFile, take: &mut dyn FnMut(&EventBatch)) -> Result<(), RollupError> {
        match self.query.items {
            Some(items) => of.read_items(self.store, EventColumns::All, items, take),
            None => of.read_from(self.store, EventColumns::All, take),
        }
    }

    fn wants_item_of(&self, batch: &EventBatch, row: usize) -> bool {
        self.query.items.is_none_or(|items| items.binary_search(&batch.item_id(row)).is_ok())
    }

    /// Returns the hour of a moment that is in one of the parts.
    fn hour_of(&self, ts_micros: i64) -> Option<Hour> {
        let has =
            |part: &&Range<Timestamp>| part.start.micros() <= ts_micros && ts_micros < part.end.micros();
        self.query.parts.iter().find(has).map(|part| part.start.hour())
    }
}

/// Returns the paths of each top-level category of an event, joined by `|`: the empty text, where it has no path.
pub(super) fn sets_by_category(paths: &str) -> Vec<String> {
    let mut sets: Vec<(&str, String)> = Vec::new();
    for path in paths.split('|') {
        let category = levels_of(path).next().unwrap_or(path);
        match sets.iter_mut().find(|(of, _)| *of == category) {
            Some((_, set)) => {
                set.push('|');
                set.push_str(path);
            }
            None => sets.push((category, path.to_owned())),
        }
    }
    sets.into_iter().map(|(_, set)| set).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_an_event_are_parted_by_their_first_level() {
        let check = |paths: &str, expected: &[&str]| assert_eq!(sets_by_category(paths), expected, "{paths}");
        check("", &[""]);
        check("A/x", &["A/x"]);
        // In byte order, another category is between two paths of one.
        check("A|A B/x|A/y|B", &["A|A/y", "A B/x", "B"]);
    }
}
