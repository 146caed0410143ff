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

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use crate::delta::{FileStats, NamedFile};
use crate::lake::{DayPartition, FilePartition, ROLLUPS};
use crate::model::{CategoryGroup, Date, Hour};
use crate::rollup::error::RollupError;
use crate::storage::{Store, StoredFile, checksum_of, folder_name};

/// The folder of the copies in that of the table. By its first character, other programs know that it is none of a
/// partition.
const MONTHS: &str = "_months";
/// A copy is held in memory while it is written.
const MAX_ROWS: u64 = 1 << 20;

/// A file and its partition.
pub(super) type PartitionedFile = (FilePartition, NamedFile);

/// The files of a month of one event type.
pub(super) struct Month {
    pub event_type: String,
    pub days: RangeInclusive<Date>,
    pub files: Vec<PartitionedFile>,
}

/// Files by month, and those whose dates are of no month.
pub(super) struct ByMonth {
    pub months: Vec<Month>,
    others: Vec<PartitionedFile>,
}

impl ByMonth {
    pub fn of(files: impl IntoIterator<Item = PartitionedFile>) -> ByMonth {
        let mut months: BTreeMap<(String, Date), Month> = BTreeMap::new();
        let mut others = Vec::new();
        for file in files {
            let DayPartition { event_type, date, .. } = &file.0.day;
            let Some(days) = date.month() else {
                others.push(file);
                continue;
            };
            let month = months.entry((event_type.clone(), *days.start()));
            let new = || Month { event_type: event_type.clone(), days, files: Vec::new() };
            month.or_insert_with(new).files.push(file);
        }
        ByMonth { months: months.into_values().collect(), others }
    }
}

impl Month {
    /// Returns whether a copy saves anything, and all of the files are small.
    pub fn may_have_copy(&self) -> bool {
        let are_small = self.files.iter().all(|(of, _)| of.day.group == CategoryGroup::SharedByAll);
        let rows = self.files.iter().map(|(_, file)| file.rows);
        are_small && self.files.len() > 1 && rows.sum::<u64>() <= MAX_ROWS
    }

    /// Returns what the name of its copy begins with.
    pub fn copy_name(&self) -> String {
        copy_name(*self.days.start(), self.files.iter().map(|(_, file)| file.path.as_str()))
    }

    /// Returns the partition of its copy, which has the hours of all of its files.
    pub fn partition(&self) -> FilePartition {
        let group = CategoryGroup::SharedByAll;
        let date = *self.days.start();
        let number = |hour: Option<Hour>| hour.map_or(0, |hour| hour.number() - Hour::of(date, 0).number());
        let first = number(self.files.iter().map(|(of, _)| of.first()).min());
        let last = number(self.files.iter().map(|(of, _)| of.last()).max());
        FilePartition::new(DayPartition { event_type: self.event_type.clone(), date, group }, (first, last))
    }

    /// Returns its copy, if it is among some.
    pub fn copy_among(&self, copies: &Copies) -> Option<PartitionedFile> {
        let copy = copies.0.get(&self.copy_name())?;
        let partition = self.partition();
        let file = NamedFile {
            path: copy.path[ROLLUPS.len() + 1..].to_owned(),
            size_bytes: copy.size_bytes,
            partition: partition.day.values(),
            rows: self.files.iter().map(|(_, file)| file.rows).sum(),
            stats: FileStats::default(),
        };
        Some((partition, file))
    }
}

fn copy_name<'a>(first: Date, paths: impl Iterator<Item = &'a str>) -> String {
    let mut paths: Vec<&str> = paths.collect();
    paths.sort_unstable();
    let hash = checksum_of(&[paths.join("\n").as_bytes()]);
    let date = first.to_string();
    let month = date.rsplit_once('-').map_or(date.as_str(), |(month, _)| month);
    format!("{month}-{hash:016x}")
}

/// The copies of an event type, by what their names begin with.
pub(super) struct Copies(HashMap<String, StoredFile>);

impl Copies {
    /// Lists the copies of an event type.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn of(store: &Store, event_type: &str) -> Result<Copies, RollupError> {
        let files = store.files(&folder_of(event_type))?;
        Ok(Copies(files.into_iter().filter_map(|file| Some((name_of(&file.path)?, file))).collect()))
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
    let mut copies: BTreeMap<String, Copies> = BTreeMap::new();
    for month in months {
        let copy = match month.may_have_copy() && is_whole(&month.event_type, &month.days) {
            true => {
                if !copies.contains_key(&month.event_type) {
                    copies.insert(month.event_type.clone(), Copies::of(store, &month.event_type)?);
                }
                copies.get(&month.event_type).and_then(|copies| month.copy_among(copies))
            }
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
    let mut months: HashMap<(&str, Date), Vec<&str>> = HashMap::new();
    for path in live {
        let folder = path.split('/').next().unwrap_or_default();
        let date = path.split('/').find_map(|folder| Date::parse(folder.strip_prefix("date=")?));
        if let Some(days) = date.and_then(Date::month) {
            months.entry((folder, *days.start())).or_default().push(path);
        }
    }
    copies.retain(|copy| {
        let folder = copy.path.rsplit('/').nth(1).unwrap_or_default();
        let (Some(name), Some(days)) = (name_of(&copy.path), month_of(&copy.path)) else { return true };
        let of_month = months.get(&(folder, *days.start())).into_iter().flatten().copied();
        copy_name(*days.start(), of_month) != name
    });
    Ok(copies)
}

fn month_of(path: &str) -> Option<RangeInclusive<Date>> {
    Date::parse(&format!("{}-01", path.rsplit('/').next()?.get(..7)?))?.month()
}
