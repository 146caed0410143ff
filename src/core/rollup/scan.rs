//! A scan of the aggregates of a range of hours, item by item, in parts that can be read in parallel.
//!
//! Invariant: no item of a top-level category is in two parts. Files are sorted by category and item, and merged
//! while they are read, so that memory holds a few pages of each file of a part and the rows of one item,
//! however many aggregates there are.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use rayon::prelude::*;

use crate::delta::{NamedFile, Partition, Version};
use crate::lake::DayPartition;
use crate::model::{CategoryGroup, Date, EventTypes, Hour, Shard};
use crate::parquet_format::{AggregateLabels, CategoryFilter, ItemRange, aggregate_labels, first_items};
use crate::rollup::error::RollupError;
use crate::rollup::months::with_copies;
use crate::rollup::path_index::{PathIndexes, may_have_paths};
use crate::rollup::scan_part::ScanPart;
use crate::rollup::scanned_file::ScannedFile;
use crate::rollup::scanned_sets::WantsPath;
use crate::rollup::table::{Rollups, Selection, bytes_of, partition_of, path_of};
use crate::storage::{CheckedParts, Store};

/// A category with more rows than this is read in several parts ...
const ROWS_PER_PART: u64 = 4_000_000;
/// ... each with at least one such share of all rows, since each part reads its files' bytes again.
const SHARES: u64 = 16;
/// How far from its end a file's footer mostly begins.
pub(super) const TAIL_BYTES: u64 = 1 << 16;

/// The rollups of one version, whatever is committed meanwhile.
pub struct Scan<'a> {
    pub(super) store: &'a Store,
    /// None where all files were given.
    version: Option<Version<'a>>,
    /// Those of days from here on, as far as they were needed.
    pub(super) files: Vec<ScannedFile>,
    since: Option<Date>,
    /// Whether copies of whole months are read in the place of their files.
    pub(super) reads_copies: bool,
    /// About how many parts are made; none where one process reads them all.
    pub(super) parts_wanted: Option<u64>,
    /// The oldest day of each event type, in all files; none until it was asked for.
    oldest: Option<BTreeMap<String, Date>>,
    indexes: PathIndexes,
}

impl Rollups {
    /// Returns a scan of the newest version, which may be read in several steps.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn scan(&self) -> Result<Scan<'_>, RollupError> {
        Ok(self.scan_version(None)?.0)
    }

    /// Returns a scan of a version, of the newest for none, and its number.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read, or no longer has the version.
    pub fn scan_version(&self, number: Option<u64>) -> Result<(Scan<'_>, u64), RollupError> {
        let version = match number {
            Some(number) => self.table.at_version(number)?,
            None => self.table.newest()?,
        };
        let number = version.number();
        let scan =
            Scan { version: Some(version), reads_copies: true, ..Scan::of_files(&self.store, Vec::new()) };
        Ok((scan, number))
    }
}

impl Scan<'_> {
    /// Returns a scan of given files.
    pub(super) fn of_files<'a>(store: &'a Store, files: Vec<ScannedFile>) -> Scan<'a> {
        Scan {
            store,
            version: None,
            files,
            since: None,
            reads_copies: false,
            parts_wanted: None,
            oldest: None,
            indexes: PathIndexes::default(),
        }
    }

    /// Returns the first hour of the oldest day with aggregates of some event types; none where there are none. It is
    /// read from what the log has of all days.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn oldest_hour(&mut self, event_types: &EventTypes) -> Result<Option<Hour>, RollupError> {
        if self.oldest.is_none() {
            self.oldest = Some(self.read_oldest()?);
        }
        let of_types = self.oldest.iter().flatten().filter(|(of, _)| event_types.counting(of).is_some());
        Ok(of_types.map(|(_, date)| Hour::of(*date, 0)).min())
    }

    fn read_oldest(&self) -> Result<BTreeMap<String, Date>, RollupError> {
        let oldest = RefCell::new(BTreeMap::new());
        let note = |values: &Partition| {
            if let Some(DayPartition { event_type, date, .. }) = DayPartition::of(values) {
                let mut oldest = oldest.borrow_mut();
                let first = oldest.entry(event_type).or_insert(date);
                *first = date.min(*first);
            }
            false
        };
        if let Some(version) = &self.version {
            version.files_of(&note)?;
        }
        Ok(oldest.into_inner())
    }

    /// Reads which files there are of days from one on; when earlier ones are asked for later, of all days.
    fn load(&mut self, since: Date) -> Result<(), RollupError> {
        let until = self.since;
        let since = if until.is_some_and(|until| since < until) { Date::MIN } else { since };
        let Some(version) = self.version.as_ref().filter(|_| until.is_none_or(|until| since < until)) else {
            return Ok(());
        };
        let days = since..=until.map_or(Date::MAX, |until| Date::new(until.number() - 1));
        // A malformed partition is an error.
        let wants = |values: &Partition| DayPartition::of(values).is_none_or(|day| days.contains(&day.date));
        for file in version.files_of_days(&days, &wants)? {
            self.files.push(ScannedFile::new(partition_of(&file)?, file.into()));
        }
        self.since = Some(since);
        if self.reads_copies {
            let files = std::mem::take(&mut self.files).into_iter().map(|of| (of.partition, of.file));
            let is_whole = |_: &str, month: &RangeInclusive<Date>| since <= *month.start();
            let files = with_copies(self.store, files.collect(), &is_whole)?;
            self.files =
                files.into_iter().map(|(partition, file)| ScannedFile::new(partition, file)).collect();
        }
        Ok(())
    }

    /// Returns the selected aggregates in parts. Where `wants` is given, files are left out that list their
    /// paths and have none that it wants.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn parts<'a>(
        &'a mut self,
        selection: &Selection<'a>,
        wants: Option<WantsPath<'_>>,
    ) -> Result<Vec<ScanPart<'a>>, RollupError> {
        self.load(selection.hours.start.date())?;
        let is_selected = |scanned: &ScannedFile| selection.overlaps(&scanned.partition);
        let Some(wants) = wants else {
            let files: Vec<&ScannedFile> = self.files.iter().filter(|of| is_selected(of)).collect();
            return self.parts_of(selection, &files);
        };
        let may_have = may_have_paths(self.store, &mut self.indexes, &self.files, &is_selected, wants)?;
        let selected = self.files.par_iter().zip(may_have).filter(|(scanned, _)| is_selected(scanned));
        let wanted = selected.map(|(scanned, may_have)| {
            let may_have = match may_have {
                Some(may_have) => may_have,
                None => self.paths_of(scanned)?.is_none_or(|paths| paths.iter().any(|path| wants(path))),
            };
            Ok(may_have.then_some(scanned))
        });
        let wanted: Result<Vec<Option<&ScannedFile>>, RollupError> = wanted.collect();
        let files: Vec<&ScannedFile> = wanted?.into_iter().flatten().collect();
        self.parts_of(selection, &files)
    }

    fn parts_of<'a>(
        &'a self,
        selection: &Selection<'a>,
        files: &[&'a ScannedFile],
    ) -> Result<Vec<ScanPart<'a>>, RollupError> {
        self.store.read_ahead(files.iter().map(|scanned| (path_of(&scanned.file), scanned.file.size_bytes)));
        let rows_per_part = match self.parts_wanted {
            Some(wanted) => rows_of(files).div_ceil(wanted.max(1)).max(1),
            None => ROWS_PER_PART.max(rows_of(files) / SHARES),
        };
        let packing = if self.parts_wanted.is_some() { Packing::ToSize } else { Packing::AllOthers };
        let mut parts = Vec::new();
        for (shard, mut files) in by_shard(files) {
            files.sort_by_key(|scanned| scanned.partition.day.date);
            for (categories, files) in split_by_category(files, rows_per_part, packing) {
                let rows = rows_of_shard(&files, shard);
                let ranges = match &categories {
                    CategoryFilter::Only(_) => {
                        self.ranges(&files, &categories, rows.div_ceil(rows_per_part))?
                    }
                    _ => vec![ItemRange { categories, ..ItemRange::default() }],
                };
                let rows = rows / ranges.len() as u64;
                for range in ranges {
                    let (files, selection) = (files.clone(), selection.clone());
                    parts.push(ScanPart { store: self.store, files, range, shard, rows, selection });
                }
            }
        }
        // The largest first, so that none of them is left for the end.
        parts.sort_by_key(|part| Reverse(part.rows));
        Ok(parts)
    }

    fn paths_of<'a>(&self, scanned: &'a ScannedFile) -> Result<Option<&'a [String]>, RollupError> {
        if scanned.paths.get().is_none() {
            // Another reader of the same file may have set the same.
            let _ = scanned.paths.set(paths_in(self.store, &scanned.file, TAIL_BYTES)?);
        }
        Ok(scanned.paths.get().and_then(Option::as_deref))
    }

    /// Splits a category's items into ranges of about as many rows, by the items of its largest file.
    fn ranges(
        &self,
        files: &[&ScannedFile],
        categories: &CategoryFilter,
        pieces: u64,
    ) -> Result<Vec<ItemRange>, RollupError> {
        let pieces = usize::try_from(pieces).unwrap_or(usize::MAX);
        let own = files.iter().filter(|scanned| own_category(scanned).is_some());
        let largest = own.map(|scanned| &scanned.file).max_by_key(|file| file.rows);
        let Some(largest) = largest.filter(|_| pieces > 1) else {
            return Ok(vec![ItemRange { categories: categories.clone(), ..ItemRange::default() }]);
        };
        let firsts = first_items(&bytes_of(self.store, largest)?, pieces)
            .map_err(|source| RollupError::Columns { file: path_of(largest), source })?;
        let step = firsts.len().div_ceil(pieces).max(1);
        let mut cuts: Vec<String> = firsts.into_iter().step_by(step).skip(1).collect();
        cuts.dedup();
        let ends = cuts.iter().cloned().map(Some).chain([None]);
        let starts = std::iter::once(None).chain(cuts.iter().cloned().map(Some));
        let range = |(from, until)| ItemRange { categories: categories.clone(), from, until, shard: None };
        Ok(starts.zip(ends).map(range).collect())
    }
}

/// Returns the files of each shard that is read.
fn by_shard<'a>(files: &[&'a ScannedFile]) -> BTreeMap<Shard, Vec<&'a ScannedFile>> {
    let shard_of = |scanned: &ScannedFile| scanned.partition.day.group.shard();
    let of_shard = |shard: Shard| {
        let is_of = |scanned: &&ScannedFile| shard_of(scanned).overlaps(shard);
        (shard, files.iter().copied().filter(is_of).collect())
    };
    let shards = files.iter().map(|scanned| (shard_of(scanned), scanned.file.rows));
    Shard::to_read(shards).into_iter().map(of_shard).collect()
}

/// Reads which paths a file has, from its last bytes; none where it does not list them, or its footer is longer.
pub(super) fn paths_in(
    store: &Store,
    file: &NamedFile,
    tail_bytes: u64,
) -> Result<Option<Vec<String>>, RollupError> {
    let path = path_of(file);
    let tail = store.get_tail(&path, tail_bytes)?;
    let labels = aggregate_labels(&tail, file.size_bytes)
        .map_err(|source| RollupError::Columns { file: path.clone(), source })?;
    let Some(AggregateLabels { paths, blocks }) = labels else { return Ok(None) };
    // A list that is damaged would leave the file out.
    let checked = CheckedParts::open(store, &path, file.size_bytes, tail, blocks)?;
    Ok(paths.filter(|_| checked.is_some()))
}

fn rows_of(files: &[&ScannedFile]) -> u64 {
    files.iter().map(|scanned| scanned.file.rows).sum()
}

/// Returns about how many rows some files have of a shard's categories.
fn rows_of_shard(files: &[&ScannedFile], shard: Shard) -> u64 {
    let share = Shard::numbered().count() as u64;
    let of_file = |scanned: &&ScannedFile| match (scanned.partition.day.group.shard(), shard) {
        (Shard::All, Shard::Numbered(_)) => scanned.file.rows / share,
        _ => scanned.file.rows,
    };
    files.iter().map(of_file).sum()
}

/// Returns the category of a file that has only this one.
fn own_category(scanned: &ScannedFile) -> Option<&str> {
    match &scanned.partition.day.group {
        CategoryGroup::Own(category) => Some(category),
        CategoryGroup::Uncategorized | CategoryGroup::Shared(_) | CategoryGroup::SharedByAll => None,
    }
}

/// How the categories of a shard share parts that do not have more rows than a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    /// All are one part.
    AllOthers,
    /// As many as have about the rows of a part.
    ToSize,
}

/// Splits the files of a shard by categories: those with more rows than a part has, and all others. Files that
/// categories share are read for each.
fn split_by_category(
    files: Vec<&ScannedFile>,
    rows_per_part: u64,
    packing: Packing,
) -> Vec<(CategoryFilter, Vec<&ScannedFile>)> {
    let mut own: BTreeMap<&str, u64> = BTreeMap::new();
    for scanned in &files {
        if let Some(category) = own_category(scanned) {
            *own.entry(category).or_default() += scanned.file.rows;
        }
    }
    let (large, small): (BTreeMap<&str, u64>, _) =
        own.into_iter().partition(|(_, rows)| *rows > rows_per_part);
    let packed = match packing {
        Packing::AllOthers => Vec::new(),
        Packing::ToSize => packs_of(small, rows_per_part),
    };
    if large.is_empty() && packed.is_empty() {
        return vec![(CategoryFilter::All, files)];
    }
    let is_of = |wants: &dyn Fn(&str) -> bool| -> Vec<&ScannedFile> {
        files.iter().copied().filter(|scanned| own_category(scanned).is_none_or(wants)).collect()
    };
    let named = |categories: &BTreeSet<&str>| categories.iter().map(|&name| name.to_owned()).collect();
    let mut apart: BTreeSet<&str> = large.keys().copied().collect();
    let mut split: Vec<(CategoryFilter, Vec<&ScannedFile>)> = apart
        .iter()
        .map(|&category| (CategoryFilter::Only(category.to_owned()), is_of(&|own| own == category)))
        .collect();
    split.extend(
        packed.iter().map(|pack| (CategoryFilter::Among(named(pack)), is_of(&|own| pack.contains(own)))),
    );
    apart.extend(packed.into_iter().flatten());
    let others = is_of(&|own| !apart.contains(own));
    if !others.is_empty() {
        split.push((CategoryFilter::Except(named(&apart)), others));
    }
    split
}

/// Packs categories so that each pack has about the rows of a part; none where all of them have fewer.
fn packs_of(categories: BTreeMap<&str, u64>, rows_per_part: u64) -> Vec<BTreeSet<&str>> {
    if categories.values().sum::<u64>() <= rows_per_part {
        return Vec::new();
    }
    let (mut packs, mut pack, mut rows_of_pack) = (Vec::new(), BTreeSet::new(), 0);
    for (category, rows) in categories {
        if rows_of_pack > 0 && rows_of_pack + rows > rows_per_part {
            packs.push(std::mem::take(&mut pack));
            rows_of_pack = 0;
        }
        pack.insert(category);
        rows_of_pack += rows;
    }
    packs.push(pack);
    packs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_categories_are_packed_and_the_rows_of_a_pack_are_about_those_of_a_part() {
        let names: Vec<String> = (0..10_000).map(|number| format!("c{number:05}")).collect();
        let categories: BTreeMap<&str, u64> =
            names.iter().map(String::as_str).zip((0..).map(|number| 1 + number % 7)).collect();
        let all: u64 = categories.values().sum();
        assert!(packs_of(categories.clone(), all).is_empty());
        let packs = packs_of(categories.clone(), all / 40);
        assert!((40..=42).contains(&packs.len()), "{}", packs.len());
        let rows = |pack: &BTreeSet<&str>| pack.iter().map(|name| categories[name]).sum::<u64>();
        assert!(packs.iter().all(|pack| rows(pack) <= all / 40));
        assert_eq!(packs.iter().map(BTreeSet::len).sum::<usize>(), names.len());
    }
}
