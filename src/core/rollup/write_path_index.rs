//! Indexes of paths written, checked and removed.
//!
//! Invariant: of each day that an index knows, it has the paths of all files, and no others.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::delta::{LiveFile, NamedFile, Partition, VacuumRule};
use crate::lake::{CompactionDays, DayPartition, FilePartition};
use crate::model::{AggregateRows, CategoryGroup, Date, Hour, Timestamp};
use crate::parquet_format::PathDays;
use crate::rollup::error::RollupError;
use crate::rollup::months::{ByMonth, Month, month_of};
use crate::rollup::names_hash::names_hash;
use crate::rollup::path_index::{FEWEST_FILES, PathIndexes, all_indexes, folder_of, unique_name};
use crate::rollup::scan::paths_in;
use crate::rollup::table::{Rollups, partition_of, read_file_of};
use crate::storage::StoredFile;

/// How far from its end a file's footer begins at most, with very many paths; else the whole file is read.
const TAIL_BYTES: u64 = 4 << 20;

/// The files of some days of a month.
type FilesByDay = BTreeMap<Date, Vec<(FilePartition, NamedFile)>>;

/// By event type and the first day of the month.
type FilesByMonth = BTreeMap<(String, Date), FilesByDay>;

/// An index, and the files of the days that it may know.
pub struct PathIndexFile {
    path: String,
    first: Date,
    last: Date,
    days: FilesByDay,
}

impl PathIndexFile {
    /// Returns its path below the lake.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the end of its month.
    pub fn end(&self) -> Hour {
        Hour::of(self.last, 24)
    }
}

impl Rollups {
    /// Writes the indexes of the months that a compaction has looked at: of all days that ended before `until`, unless
    /// they have few files, or the month has a copy. Days with a file that is damaged or missing are left out.
    ///
    /// # Errors
    /// Fails where the disk does; the indexes that are written stay.
    pub(super) fn write_path_indexes(
        &self,
        looked_at: &CompactionDays,
        until: Timestamp,
    ) -> Result<(), RollupError> {
        let is_wanted = |partition: &Partition| {
            let day = DayPartition::of(partition).filter(|day| day.end() <= until);
            day.and_then(|day| day.date.month()).is_some_and(|month| looked_at.has_month(&month))
        };
        let files = self.table.newest()?.files_of_days(&looked_at.range_of_months(), &is_wanted)?;
        let mut indexes = PathIndexes::default();
        for ((event_type, first), days) in by_month(&files)? {
            let listed = indexes.of_month(&self.store, &event_type, first)?.to_vec();
            let files = || days.values().flatten();
            let mut path = None;
            if files().count() >= FEWEST_FILES && !has_copy(first, &days, until) {
                let folder = folder_of(&event_type);
                let name = unique_name(first, files().map(|(_, file)| file.path.as_str()));
                let is_of_same = |index: &&StoredFile| index.path.starts_with(&format!("{folder}/{name}"));
                path = match listed.last().filter(is_of_same) {
                    Some(newest) => Some(newest.path.clone()),
                    None => {
                        let known = indexes.newest(&self.store, &event_type, first)?.unwrap_or_default();
                        let read = self.path_days(first, &days, known)?.0;
                        Some(self.write_index(&folder, &name, &read)?)
                    }
                };
            }
            for outdated in listed.iter().filter(|index| Some(&index.path) != path.as_ref()) {
                self.store.delete(&outdated.path)?;
            }
        }
        Ok(())
    }

    /// Writes an index, and returns its path.
    fn write_index(&self, folder: &str, name: &str, index: &PathDays) -> Result<String, RollupError> {
        let encoded = index
            .encode()
            .map_err(|source| RollupError::Columns { file: format!("a file of {folder}"), source })?;
        let path = format!("{folder}/{}", encoded.name(name));
        self.store.put(&path, encoded.bytes)?;
        Ok(path)
    }

    /// Writes the index of the month of a damaged or wrong one again, as of all of its files.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn rewrite_path_index(&self, path: &str) -> Result<(), RollupError> {
        let indexes = self.path_indexes(&self.files()?.1)?;
        self.store.delete(path)?;
        if let Some(PathIndexFile { first, days, .. }) = indexes.iter().find(|index| index.path == path) {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let paths = days.values().flatten().map(|(_, file)| file.path.as_str());
            let read = self.path_days(*first, days, PathDays::default())?.0;
            self.write_index(folder, &unique_name(*first, paths), &read)?;
        }
        Ok(())
    }

    /// Returns on which days there are which paths, without days that cannot be read; and the first error of these.
    ///
    /// # Errors
    /// Fails where the disk does.
    fn path_days(
        &self,
        first: Date,
        days: &FilesByDay,
        known: PathDays,
    ) -> Result<(PathDays, Option<RollupError>), RollupError> {
        let mut files = hashes_of(first, days);
        let is_known = |number: &u32| known.files.get(number) == files.get(number);
        let kept = mask_of(files.keys().copied().filter(is_known));
        let (mut paths, mut failed) = (on_days(known.paths, kept), None);
        // Day by day, since each of its files may have most of its paths.
        for (date, of_day) in days {
            let number = number_in(first, *date);
            if kept & 1 << number != 0 {
                continue;
            }
            let of_files: Result<Vec<Vec<String>>, RollupError> =
                of_day.par_iter().map(|file| self.all_paths_in(file)).collect();
            match of_files {
                Ok(of_files) => {
                    for path in of_files.into_iter().flatten() {
                        *paths.entry(path).or_default() |= 1 << number;
                    }
                }
                Err(RollupError::Store(error)) if error.is_out_of_reach() => return Err(error.into()),
                Err(error) => {
                    files.remove(&number);
                    failed.get_or_insert(error);
                }
            }
        }
        Ok((PathDays { files, paths }, failed))
    }

    fn all_paths_in(
        &self,
        (partition, file): &(FilePartition, NamedFile),
    ) -> Result<Vec<String>, RollupError> {
        if let Some(paths) = paths_in(&self.store, file, TAIL_BYTES)? {
            return Ok(paths);
        }
        let mut rows = AggregateRows::default();
        read_file_of(&self.store, partition, file, &mut rows)?;
        let paths = rows.path_sets.iter().flat_map(|set| set.split('|')).filter(|path| !path.is_empty());
        Ok(paths.map(str::to_owned).collect())
    }

    /// Returns the newest index of each month, given all files of these months.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn path_indexes(&self, files: &[LiveFile]) -> Result<Vec<PathIndexFile>, RollupError> {
        let (mut indexes, mut found) = (PathIndexes::default(), Vec::new());
        for ((event_type, first), days) in by_month(files)? {
            let newest = indexes.of_month(&self.store, &event_type, first)?.last();
            if let Some((newest, month)) = newest.zip(first.month()) {
                found.push(PathIndexFile { path: newest.path.clone(), first, last: *month.end(), days });
            }
        }
        Ok(found)
    }

    /// Returns what an index has.
    ///
    /// # Errors
    /// Says that it is missing or damaged.
    pub fn read_path_index(&self, index: &PathIndexFile) -> Result<PathDays, RollupError> {
        let bytes = self.store.get_checked(&index.path)?;
        PathDays::decode(bytes).map_err(|source| RollupError::Columns { file: index.path.clone(), source })
    }

    /// Returns whether what an index has are the paths of the files of each day that it knows.
    ///
    /// # Errors
    /// Names the file of a day that is missing or damaged.
    pub fn has_right_paths(&self, index: &PathIndexFile, read: &PathDays) -> Result<bool, RollupError> {
        let hash_in_index = |date: &Date| read.files.get(&number_in(index.first, *date)).copied();
        let mut days = index.days.clone();
        days.retain(|date, files| hash_in_index(date) == Some(hash_of(files)));
        let files = hashes_of(index.first, &days);
        let paths = on_days(read.paths.clone(), mask_of(files.keys().copied()));
        match self.path_days(index.first, &days, PathDays::default())? {
            (_, Some(error)) => Err(error),
            (there, None) => Ok(there == PathDays { files, paths }),
        }
    }

    /// Returns the indexes of months of which the table has no file, and that are old enough to be removed.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read, or the disk fails.
    pub(super) fn outdated_indexes(&self, rule: &VacuumRule) -> Result<Vec<StoredFile>, RollupError> {
        if !self.store.has_folder(&all_indexes()) {
            return Ok(Vec::new());
        }
        let months = RefCell::new(BTreeSet::new());
        self.table.newest()?.files_of(&|partition| {
            if let Some(day) = DayPartition::of(partition)
                && let Some(month) = day.date.month()
            {
                months.borrow_mut().insert((folder_of(&day.event_type), *month.start()));
            }
            false
        })?;
        let months = months.into_inner();
        let mut outdated = self.store.files(&all_indexes())?;
        outdated.retain(|index| {
            let folder = index.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            month_of(&index.path).is_none_or(|month| !months.contains(&(folder.to_owned(), *month.start())))
        });
        self.old_enough(rule, outdated)
    }
}

/// Returns the files of categories by month and day.
fn by_month(files: &[LiveFile]) -> Result<FilesByMonth, RollupError> {
    let mut months = FilesByMonth::new();
    for file in files {
        let partition = partition_of(file)?;
        let DayPartition { event_type, date, group } = &partition.day;
        if *group == CategoryGroup::Uncategorized {
            continue;
        }
        if let Some(month) = date.month() {
            let days = months.entry((event_type.clone(), *month.start())).or_default();
            days.entry(*date).or_default().push((partition, file.clone().into()));
        }
    }
    Ok(months)
}

/// Returns whether all files of a month are copied into one.
fn has_copy(first: Date, days: &FilesByDay, until: Timestamp) -> bool {
    let has_ended = first.month().is_some_and(|month| Hour::of(*month.end(), 24).start() <= until);
    has_ended && ByMonth::of(days.values().flatten().cloned()).months.iter().all(Month::may_have_copy)
}

fn hashes_of(first: Date, days: &FilesByDay) -> BTreeMap<u32, u64> {
    days.iter().map(|(date, files)| (number_in(first, *date), hash_of(files))).collect()
}

fn hash_of(files: &[(FilePartition, NamedFile)]) -> u64 {
    names_hash(files.iter().map(|(_, file)| file.path.as_str()))
}

/// Returns a bit for each of some days.
fn mask_of(numbers: impl Iterator<Item = u32>) -> u32 {
    numbers.fold(0, |mask, number| mask | 1 << number)
}

/// Returns the paths of some days.
fn on_days(mut paths: BTreeMap<String, u32>, mask: u32) -> BTreeMap<String, u32> {
    paths.retain(|_, days| {
        *days &= mask;
        *days != 0
    });
    paths
}

fn number_in(first: Date, date: Date) -> u32 {
    date.number().abs_diff(first.number())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::delta::StepLimits;
    use crate::lake::Lake;
    use crate::lake::test_events::add_sales_of;
    use crate::model::{EventTypes, ROWS_OF_OWN_FILES};
    use crate::progress::Progress;
    use crate::rollup::scan_part::WantedRows;
    use crate::rollup::table::Selection;
    use crate::rollup::{Replaces, Scope, rollup};
    use crate::storage::temporary;

    const PATHS: [&str; 5] = ["Food/Fruit", "Food/Bread", "Toys", "Toys/Cars", ""];
    /// January 1970 and some days of February, whose month has not ended.
    const HOURS: i32 = 1_200;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        /// Whatever is added to whichever days, before and after they were indexed: a scan that wants one path finds
        /// all of its sales, and each index has the paths of its days.
        #[test]
        fn no_day_with_a_wanted_path_is_left_out(
            rounds in vec(
                (vec((0..5_usize, 0..HOURS, 1..4_i32, prop::bool::weighted(0.2)), 1..14), any::<bool>(), any::<bool>()),
                1..6,
            ),
            from in 0..HOURS,
            wanted in 0..4_usize,
        ) {
            let (store, _folder) = temporary();
            let lake = Lake::open_or_create(store.clone(), None).expect("a lake can be made");
            let types = EventTypes::of(vec!["purchase".to_owned()], Vec::new());
            let (mut id, mut sold) = (0, 0);
            for (added, is_compacted, is_recomputed) in rounds {
                for (path, hour, quantity, is_large) in added {
                    // So many that the category has a file of its own.
                    let sales = if is_large { ROWS_OF_OWN_FILES } else { 1 };
                    let items: Vec<String> = (0..sales).map(|item| format!("item{item}")).collect();
                    let sales: Vec<(u32, &str, i32)> =
                        (id..).zip(&items).map(|(id, item)| (id, item.as_str(), quantity)).collect();
                    add_sales_of(&lake, PATHS[path], Hour::new(hour), &sales);
                    id += sales.len() as u32;
                    let is_wanted = path == wanted && hour >= from;
                    sold += if is_wanted { sales.iter().map(|sale| i64::from(sale.2)).sum() } else { 0 };
                }
                let scope = if is_recomputed { Scope::all() } else { Scope::Changed };
                rollup(&lake, scope, Replaces::DamagedOnly, 0, &Progress::ignored()).expect("it is done");
                let rollups = Rollups::open_or_create(&store).expect("it can be read");
                if is_compacted {
                    let until = Hour::new(HOURS).start();
                    let plan = rollups.plan_compaction(until, StepLimits::default()).expect("it can be read");
                    plan.run(0, &|_| {}).expect("it is done");
                }
                let wants = |path: &str| path == PATHS[wanted];
                let mut scan = rollups.scan().expect("it can be read");
                let selection = Selection { event_types: &types, hours: Hour::new(from)..Hour::new(HOURS) };
                let mut scanned = 0;
                for part in scan.parts(&selection, Some(&wants)).expect("it can be read") {
                    let wanted_rows = WantedRows { item: None, path: Some(&wants) };
                    part.for_each_item::<RollupError>(&Progress::ignored(), wanted_rows, &mut |of| {
                        let rows = of.rows.iter().filter(|row| wants(of.path_sets.name(row.path_set)));
                        scanned += rows.map(|row| row.aggregate.units.ten_thousandths() / 10_000).sum::<i64>();
                        Ok(())
                    })
                    .expect("it can be read");
                }
                prop_assert_eq!(scanned, sold);
                for index in rollups.path_indexes(&rollups.files().expect("it can be read").1).expect("they can be read") {
                    let read = rollups.read_path_index(&index).expect("it can be read");
                    prop_assert!(rollups.has_right_paths(&index, &read).expect("they can be read"));
                }
            }
        }
    }

    /// The files of a lake whose category is sold on few days are found without opening those of other days.
    #[test]
    fn files_without_a_wanted_path_are_not_opened() {
        let (store, _folder) = temporary();
        let lake = Lake::open_or_create(store.clone(), None).expect("a lake can be made");
        for day in 0..20 {
            let path = if day % 10 == 3 { "Toys" } else { "Food" };
            add_sales_of(&lake, path, Hour::new(24 * day), &[(day.cast_unsigned(), "item", 1)]);
        }
        // Of what has no category there is a copy, of all else there is none, since one category has its own file.
        for day in [1, 3, 8] {
            add_sales_of(&lake, "", Hour::new(24 * day), &[(100 + day.cast_unsigned(), "item", 1)]);
        }
        let items: Vec<String> = (0..ROWS_OF_OWN_FILES).map(|item| format!("item{item}")).collect();
        let large: Vec<(u32, &str, i32)> =
            (200..).zip(&items).map(|(id, item)| (id, item.as_str(), 1)).collect();
        add_sales_of(&lake, "Books", Hour::new(24 * 5), &large);
        rollup(&lake, Scope::Changed, Replaces::DamagedOnly, 0, &Progress::ignored()).expect("it is done");
        let rollups = Rollups::open_or_create(&store).expect("it can be read");
        let types = EventTypes::of(vec!["purchase".to_owned()], Vec::new());
        let selection = Selection { event_types: &types, hours: Hour::new(0)..Hour::new(24 * 20) };
        let bytes_read = || {
            let before = store.bytes_read();
            let mut scan = rollups.scan().expect("it can be read");
            let parts = scan.parts(&selection, Some(&|path: &str| path == "Toys")).expect("it can be read");
            let files: Vec<Date> =
                parts.iter().flat_map(|part| part.files.iter().map(|of| of.partition.day.date)).collect();
            (files, store.bytes_read() - before)
        };
        let (without_index, tails) = bytes_read();
        let plan = rollups.plan_compaction(Hour::new(24 * 40).start(), StepLimits::default());
        plan.expect("it can be read").run(0, &|_| {}).expect("it is done");
        let (with_index, of_index) = bytes_read();
        assert_eq!(without_index, [Date::new(3), Date::new(13)]);
        assert_eq!(store.files("rollups/_months").expect("it can be listed").len(), 1);
        assert_eq!(with_index, without_index);
        assert!(of_index * 3 < tails, "{tails} bytes without an index, {of_index} with one");
    }
}
