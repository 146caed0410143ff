//! Files of whole months: copies of the aggregates of small days, by which long spans of time are read without a file
//! for each day.
//!
//! ```text
//! rollups/_months/event_type=purchase/2024-01-….parquet
//! ```
//!
//! Their hours are counted from the first day of the month; otherwise they are like the files of the table.
//!
//! Invariant: the name of a copy has a hash of the names of the files that it was made from, and it is read only where
//! the month has these files and no others. So one that is missing or outdated changes no answer.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use crate::delta::{FileStats, NamedFile};
use crate::lake::{CATEGORY_GROUP, DayPartition, FilePartition, FileSharing, ROLLUPS};
use crate::model::{CategoryGroup, Date, Hour};
use crate::rollup::error::RollupError;
use crate::rollup::names_hash::name_of_month;
use crate::storage::{Store, StoredFile, folder_name};

/// The folder of the copies in that of the table. Programs that look for partitions skip folders whose names begin so.
const MONTHS: &str = "_months";
/// A copy is held in memory while it is written.
const MAX_ROWS: u64 = 1 << 20;

/// A file and its partition.
pub(super) type PartitionedFile = (FilePartition, NamedFile);

/// The files of a month of one event type: those of categories, or those of what has none.
pub(super) struct Month {
    pub event_type: String,
    pub days: RangeInclusive<Date>,
    is_uncategorized: bool,
    pub files: Vec<PartitionedFile>,
}

/// Files by month, and those whose dates are of no month.
pub(super) struct ByMonth {
    pub months: Vec<Month>,
    others: Vec<PartitionedFile>,
}

impl ByMonth {
    pub fn of(files: impl IntoIterator<Item = PartitionedFile>) -> ByMonth {
        let mut months: BTreeMap<(String, Date, bool), Month> = BTreeMap::new();
        let mut others = Vec::new();
        for file in files {
            let DayPartition { event_type, date, group } = &file.0.day;
            let is_uncategorized = *group == CategoryGroup::Uncategorized;
            let Some(days) = date.month() else {
                others.push(file);
                continue;
            };
            let month = months.entry((event_type.clone(), *days.start(), is_uncategorized));
            let event_type = event_type.clone();
            let new = || Month { event_type, days, is_uncategorized, files: Vec::new() };
            month.or_insert_with(new).files.push(file);
        }
        ByMonth { months: months.into_values().collect(), others }
    }
}

impl Month {
    /// Returns whether a copy saves anything, and all of the days are small: whether or not their files are merged yet.
    pub fn may_have_copy(&self) -> bool {
        let mut sharing = FileSharing::default();
        self.files.iter().for_each(|(of, file)| sharing.add(of, file.rows));
        let group = self.group();
        let is_small = |of: &FilePartition| sharing.merged_group(of) == group;
        let rows = self.files.iter().map(|(_, file)| file.rows);
        let first = self.files.first().map(|(of, _)| of.day.date);
        self.files.iter().any(|(of, _)| Some(of.day.date) != first)
            && self.files.iter().all(|(of, _)| is_small(of))
            && rows.sum::<u64>() <= MAX_ROWS
    }

    /// Returns the group of its copy.
    fn group(&self) -> CategoryGroup {
        match self.is_uncategorized {
            true => CategoryGroup::Uncategorized,
            false => CategoryGroup::SharedByAll,
        }
    }

    /// Returns what the name of its copy begins with.
    pub fn copy_name(&self) -> String {
        name_of_month(*self.days.start(), self.files.iter().map(|(_, file)| file.path.as_str()))
    }

    /// Returns the partition of its copy, which has the hours of all of its files.
    fn partition(&self) -> FilePartition {
        let (group, date) = (self.group(), *self.days.start());
        let number = |hour: Option<Hour>| hour.map_or(0, |hour| hour.number() - Hour::of(date, 0).number());
        let first = number(self.files.iter().map(|(of, _)| of.first()).min());
        let last = number(self.files.iter().map(|(of, _)| of.last()).max());
        FilePartition::new(DayPartition { event_type: self.event_type.clone(), date, group }, (first, last))
    }

    /// Returns its copy, given the file.
    fn copy_in(&self, file: &StoredFile) -> PartitionedFile {
        let partition = self.partition();
        let file = NamedFile {
            path: file.path[ROLLUPS.len() + 1..].to_owned(),
            size_bytes: file.size_bytes,
            partition: partition.day.values(),
            rows: self.files.iter().map(|(_, file)| file.rows).sum(),
            stats: FileStats::default(),
        };
        (partition, file)
    }
}

/// The copies of a lake, by what their names begin with, listed when the first of an event type is asked for.
pub(super) struct Copies<'a> {
    store: &'a Store,
    of_types: BTreeMap<String, HashMap<String, StoredFile>>,
}

impl<'a> Copies<'a> {
    pub fn of(store: &'a Store) -> Copies<'a> {
        Copies { store, of_types: BTreeMap::new() }
    }

    /// Returns the copy of a month; none where it has none, or one of other files.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn of_month(&mut self, month: &Month) -> Result<Option<PartitionedFile>, RollupError> {
        let of_type = match self.of_types.entry(month.event_type.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let files = self.store.files(&folder_of(&month.event_type))?.into_iter();
                unknown.insert(files.filter_map(|file| Some((name_of(&file.path)?, file))).collect())
            }
        };
        Ok(of_type.get(&month.copy_name()).map(|copy| month.copy_in(copy)))
    }
}

/// Returns the folder of all copies.
pub(super) fn all_copies() -> String {
    format!("{ROLLUPS}/{MONTHS}")
}

/// Returns the folder of the copies of an event type.
pub(super) fn folder_of(event_type: &str) -> String {
    format!("{}/{}", all_copies(), folder_name("event_type", Some(event_type)))
}

/// Returns what the name of a copy begins with: its month, and the hash of the files that it was made from.
fn name_of(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.rsplit('/').next()?.strip_suffix(".parquet")?.split('-').collect();
    match parts[..] {
        [year, month, hash, _, ..] => Some(format!("{year}-{month}-{hash}")),
        _ => None,
    }
}

/// Returns files with copies in the place of those of whole months. `is_whole` tells, given an event type and a month,
/// whether these are all of its files, and may be read from a copy.
///
/// # Errors
/// Fails where the disk does.
pub(super) fn with_copies(
    store: &Store,
    files: Vec<PartitionedFile>,
    is_whole: &dyn Fn(&str, &RangeInclusive<Date>) -> bool,
) -> Result<Vec<PartitionedFile>, RollupError> {
    let ByMonth { months, others: mut replaced } = ByMonth::of(files);
    let mut copies = Copies::of(store);
    for month in months {
        let copy = match month.may_have_copy() && is_whole(&month.event_type, &month.days) {
            true => copies.of_month(&month)?,
            false => None,
        };
        match copy {
            Some(copy) => replaced.push(copy),
            None => replaced.extend(month.files),
        }
    }
    Ok(replaced)
}

/// Returns the copies that are not of the files with these paths below the table's folder.
///
/// # Errors
/// Fails where the disk does.
pub(super) fn outdated_copies(store: &Store, live: &[String]) -> Result<Vec<StoredFile>, RollupError> {
    let mut copies = store.files(&all_copies())?;
    if copies.is_empty() {
        return Ok(copies);
    }
    let uncategorized = folder_name(CATEGORY_GROUP, None);
    let mut months: HashMap<(&str, Date, bool), Vec<&str>> = HashMap::new();
    for path in live {
        let folder = path.split('/').next().unwrap_or_default();
        let date = path.split('/').find_map(|folder| Date::parse(folder.strip_prefix("date=")?));
        if let Some(days) = date.and_then(Date::month) {
            let is_uncategorized = path.split('/').nth(1) == Some(&uncategorized);
            months.entry((folder, *days.start(), is_uncategorized)).or_default().push(path);
        }
    }
    copies.retain(|copy| {
        let folder = copy.path.rsplit('/').nth(1).unwrap_or_default();
        let (Some(name), Some(days)) = (name_of(&copy.path), month_of(&copy.path)) else { return true };
        let is_of = |is_uncategorized| {
            let paths = months.get(&(folder, *days.start(), is_uncategorized)).into_iter().flatten();
            name_of_month(*days.start(), paths.copied()) == name
        };
        !is_of(false) && !is_of(true)
    });
    Ok(copies)
}

/// Returns the days of the month that the name of a file begins with.
pub(super) fn month_of(path: &str) -> Option<RangeInclusive<Date>> {
    Date::parse(&format!("{}-01", path.rsplit('/').next()?.get(..7)?))?.month()
}
