//! The index of paths: on which days of a month there are aggregates of which path, by which a ranking that looks
//! back opens only the files that have a category.
//!
//! ```text
//! rollups/_paths/event_type=purchase/2024-01-….paths-….parquet
//! ```
//!
//! Files of what has no category have no paths and are in no index.
//!
//! Invariant: an index has the hash of the names of each day's files, and is asked only about days that have these
//! files and no others. So one that is missing, outdated or damaged changes no answer.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, hash_map};

use bytes::Bytes;

use crate::lake::{FilePartition, ROLLUPS};
use crate::model::{CategoryGroup, Date, Shard, category_of_set};
use crate::parquet_format::PathDays;
use crate::rollup::error::RollupError;
use crate::rollup::months::month_of;
use crate::rollup::names_hash::{name_of_month, names_hash};
use crate::rollup::scanned_file::ScannedFile;
use crate::rollup::scanned_sets::WantsPath;
use crate::storage::{Store, StoredFile, folder_name};

/// The folder of the indexes in that of the table. Programs that look for partitions skip folders whose names begin
/// so.
const PATHS: &str = "_paths";

/// A month of fewer files has no index: their own lists of paths are read.
pub(super) const FEWEST_FILES: usize = 8;

/// Returns the folder of all indexes.
pub(super) fn all_indexes() -> String {
    format!("{ROLLUPS}/{PATHS}")
}

/// Returns the folder of the indexes of an event type.
pub(super) fn folder_of(event_type: &str) -> String {
    format!("{}/{}", all_indexes(), folder_name("event_type", Some(event_type)))
}

/// Returns the unique part of the name of the index of a month: with a hash of the names of the files that it knows.
pub(super) fn unique_name<'a>(first: Date, paths: impl Iterator<Item = &'a str>) -> String {
    // A hash at the end would be taken for a checksum.
    format!("{}.paths", name_of_month(first, paths))
}

/// The indexes of a lake, listed when the first of an event type is asked for.
#[derive(Default)]
pub(super) struct PathIndexes {
    /// By event type and the first day of the month; the newest is the last.
    listed: BTreeMap<String, BTreeMap<Date, Vec<StoredFile>>>,
    /// By path, as far as they were read; none that are missing or damaged.
    read: HashMap<String, Option<Bytes>>,
}

impl PathIndexes {
    /// Returns the indexes of a month, the newest last: one, unless a compaction was killed.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn of_month(
        &mut self,
        store: &Store,
        event_type: &str,
        first: Date,
    ) -> Result<&[StoredFile], RollupError> {
        let of_type = match self.listed.entry(event_type.to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(listed(store, event_type)?),
        };
        Ok(of_type.get(&first).map_or(&[], Vec::as_slice))
    }

    /// Returns the newest index of a month; none where there is none, or it cannot be read.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn newest(
        &mut self,
        store: &Store,
        event_type: &str,
        first: Date,
    ) -> Result<Option<PathDays>, RollupError> {
        let Some(newest) = self.of_month(store, event_type, first)?.last().cloned() else { return Ok(None) };
        let read = self.read.entry(newest.path);
        let bytes = match read {
            hash_map::Entry::Occupied(known) => known.into_mut(),
            hash_map::Entry::Vacant(unknown) => {
                let bytes = match store.get_checked(unknown.key()) {
                    Ok(bytes) => Some(bytes),
                    Err(error) if error.is_not_found() || error.is_damaged() => None,
                    Err(error) => return Err(error.into()),
                };
                unknown.insert(bytes)
            }
        };
        Ok(bytes.clone().and_then(|bytes| PathDays::decode(bytes).ok()))
    }

    /// Begins to read the newest indexes of some months.
    fn read_ahead<'a>(
        &mut self,
        store: &Store,
        months: impl Iterator<Item = (&'a str, Date)>,
    ) -> Result<(), RollupError> {
        let mut ahead = Vec::new();
        for (event_type, first) in months {
            ahead.extend(self.of_month(store, event_type, first)?.last().cloned());
        }
        ahead.retain(|index| !self.read.contains_key(&index.path));
        store.read_ahead(ahead.into_iter().map(|index| (index.path, index.size_bytes)));
        Ok(())
    }
}

fn listed(store: &Store, event_type: &str) -> Result<BTreeMap<Date, Vec<StoredFile>>, RollupError> {
    let mut months: BTreeMap<Date, Vec<StoredFile>> = BTreeMap::new();
    for file in store.files(&folder_of(event_type))? {
        if let Some(days) = month_of(&file.path) {
            months.entry(*days.start()).or_default().push(file);
        }
    }
    for of_month in months.values_mut() {
        of_month.sort_by(|a, b| (a.modified_ms, &a.path).cmp(&(b.modified_ms, &b.path)));
    }
    Ok(months)
}

/// Which days of a month have paths that are wanted.
pub(super) struct WantedDays {
    first: Date,
    files: BTreeMap<u32, u64>,
    /// A bit for each day, by category; none for what has none.
    of_categories: HashMap<Option<String>, u32>,
    of_shards: BTreeMap<Shard, u32>,
}

impl WantedDays {
    pub fn of(index: PathDays, first: Date, wants: WantsPath<'_>) -> WantedDays {
        let (mut of_categories, mut of_shards) = (HashMap::new(), BTreeMap::new());
        for (path, days) in index.paths.iter().filter(|(path, _)| wants(path)) {
            let category = category_of_set(path);
            *of_categories.entry(category.map(str::to_owned)).or_default() |= days;
            *of_shards.entry(Shard::of(category)).or_default() |= days;
        }
        WantedDays { first, files: index.files, of_categories, of_shards }
    }

    /// Returns whether it knows a day, given the paths of the files that it has below the table's folder.
    pub fn knows<'a>(&self, date: Date, paths: impl Iterator<Item = &'a str>) -> bool {
        self.files.get(&self.number(date)) == Some(&names_hash(paths))
    }

    /// Returns whether a file of a day that it knows may have wanted paths.
    pub fn may_have(&self, partition: &FilePartition) -> bool {
        let days = match &partition.day.group {
            CategoryGroup::Own(category) => self.of_categories.get(&Some(category.clone())).copied(),
            group => {
                let shards = self.of_shards.iter().filter(|(shard, _)| shard.overlaps(group.shard()));
                shards.map(|(_, days)| *days).reduce(|all, days| all | days)
            }
        };
        let day = 1_u32.checked_shl(self.number(partition.day.date)).unwrap_or(0);
        days.is_some_and(|days| days & day != 0)
    }

    fn number(&self, date: Date) -> u32 {
        date.number().abs_diff(self.first.number())
    }
}

/// Returns, for each of all files of some days, whether it may have wanted paths; none where its own list is to be read.
///
/// # Errors
/// Fails where the disk does.
pub(super) fn may_have_paths(
    store: &Store,
    indexes: &mut PathIndexes,
    files: &[ScannedFile],
    is_selected: &dyn Fn(&ScannedFile) -> bool,
    wants: WantsPath<'_>,
) -> Result<Vec<Option<bool>>, RollupError> {
    let mut may_have = vec![None; files.len()];
    let mut months: BTreeMap<(&str, Date), BTreeMap<Date, Vec<usize>>> = BTreeMap::new();
    for (number, scanned) in files.iter().enumerate() {
        let day = &scanned.partition.day;
        if day.group == CategoryGroup::Uncategorized {
            may_have[number] = Some(false);
        } else if let Some(month) = day.date.month() {
            let of_month = months.entry((day.event_type.as_str(), *month.start())).or_default();
            of_month.entry(day.date).or_default().push(number);
        }
    }
    let is_asked = |number: &&usize| is_selected(&files[**number]) && files[**number].paths.get().is_none();
    months.retain(|_, days| days.values().flatten().filter(is_asked).count() >= FEWEST_FILES);
    indexes.read_ahead(store, months.keys().copied())?;
    for ((event_type, first), days) in months {
        let Some(index) = indexes.newest(store, event_type, first)? else { continue };
        let wanted = WantedDays::of(index, first, wants);
        for (date, numbers) in days {
            if wanted.knows(date, numbers.iter().map(|number| files[*number].file.path.as_str())) {
                for number in numbers {
                    may_have[number] = Some(wanted.may_have(&files[number].partition));
                }
            }
        }
    }
    Ok(may_have)
}
