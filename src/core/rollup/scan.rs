//! A scan of the aggregates of a range of hours, item by item, in parts that can be read in parallel.
//!
//! Invariant: no item of a top-level category is in two parts. Files are sorted by category and item, and merged
//! while they are read, so that memory holds a few pages of each file of a part and the rows of one item,
//! however many aggregates there are.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::delta::NamedFile;
use crate::lake::FilePartition;
use crate::model::{
    CategoryGroup, Counting, EventTypes, Hour, HourAggregate, Interner, PathSetCategories, Shard,
};
use crate::parquet_format::{
    AggregateLabels, CategoryFilter, ColumnsError, ItemRange, WantsItem, aggregate_labels, first_items,
};
use crate::progress::{Progress, Stage};
use crate::rollup::cursor::Cursor;
use crate::rollup::error::RollupError;
use crate::rollup::k_way_merge::NextKeys;
use crate::rollup::table::{Rollups, Selection, bytes_of, partition_of, path_of};
use crate::storage::{CheckedParts, Store};

/// A category with more rows than this is read in several parts ...
const ROWS_PER_PART: u64 = 4_000_000;
/// ... each with at least one such share of all rows, since each part reads its files' bytes again.
const SHARES: u64 = 16;
/// How far from its end a file's footer mostly begins.
const TAIL_BYTES: u64 = 1 << 16;

/// The rollups of one version, whatever is committed meanwhile.
pub struct Scan<'a> {
    pub(super) store: &'a Store,
    pub(super) files: Vec<ScannedFile>,
}

pub(super) struct ScannedFile {
    pub partition: FilePartition,
    pub file: NamedFile,
    /// The paths in it, once they were read; none where the file does not list them.
    paths: OnceLock<Option<Vec<String>>>,
}

impl ScannedFile {
    pub fn new(partition: FilePartition, file: NamedFile) -> ScannedFile {
        ScannedFile { partition, file, paths: OnceLock::new() }
    }
}

/// Some items of the categories of a shard.
pub struct ScanPart<'a> {
    pub(super) scan: &'a Scan<'a>,
    /// In the order of their days.
    pub(super) files: Vec<&'a ScannedFile>,
    pub(super) range: ItemRange,
    /// Its share of its files' rows.
    pub(super) rows: u64,
    pub(super) selection: Selection<'a>,
}

/// One item's aggregates in a top-level category.
pub struct ItemAggregates<'a> {
    /// None where it has none.
    pub category: Option<&'a str>,
    pub item_id: &'a str,
    /// In no order; the same hour may come several times.
    pub rows: &'a [HourAggregate],
    /// The sets of paths, each written as its paths joined by `|`.
    pub path_sets: &'a Interner,
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
        let files = version.files()?.into_iter();
        let files =
            files.map(|file| partition_of(&file).map(|partition| ScannedFile::new(partition, file.into())));
        Ok((Scan { store: &self.store, files: files.collect::<Result<_, _>>()? }, version.number()))
    }
}

impl Scan<'_> {
    /// Returns the oldest hour that any file of some event types may have; none where there is no such file.
    pub fn oldest_hour(&self, event_types: &EventTypes) -> Option<Hour> {
        let partitions = self.files.iter().map(|scanned| &scanned.partition);
        let of_types = partitions.filter(|of| event_types.counting(&of.day.event_type).is_some());
        of_types.map(FilePartition::first).min()
    }

    /// Returns the selected aggregates in parts. Where `wants` is given, files are left out that list their
    /// paths and have none that it wants.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn parts<'a>(
        &'a self,
        selection: &Selection<'a>,
        wants: Option<&(dyn Fn(&str) -> bool + Sync)>,
    ) -> Result<Vec<ScanPart<'a>>, RollupError> {
        let mut files: Vec<&ScannedFile> =
            self.files.iter().filter(|scanned| selection.overlaps(&scanned.partition)).collect();
        if let Some(wants) = wants {
            let with_paths = files.into_par_iter().map(|scanned| {
                let paths = self.paths_of(scanned)?;
                let is_wanted = paths.is_none_or(|paths| paths.iter().any(|path| wants(path)));
                Ok(is_wanted.then_some(scanned))
            });
            let with_paths: Result<Vec<Option<&ScannedFile>>, RollupError> = with_paths.collect();
            files = with_paths?.into_iter().flatten().collect();
        }
        let mut by_shard: BTreeMap<Shard, Vec<&ScannedFile>> = BTreeMap::new();
        for scanned in files {
            by_shard.entry(scanned.partition.day.group.shard()).or_default().push(scanned);
        }
        let rows: u64 = by_shard.values().map(|files| rows_of(files)).sum();
        let rows_per_part = ROWS_PER_PART.max(rows / SHARES);
        let mut parts = Vec::new();
        for mut files in by_shard.into_values() {
            files.sort_by_key(|scanned| scanned.partition.day.date);
            for (categories, files) in split_large(files, rows_per_part) {
                let rows = rows_of(&files);
                let ranges = match &categories {
                    CategoryFilter::Only(_) => {
                        self.ranges(&files, &categories, rows.div_ceil(rows_per_part))?
                    }
                    _ => vec![ItemRange { categories, ..ItemRange::default() }],
                };
                let rows = rows / ranges.len() as u64;
                for range in ranges {
                    let (files, selection) = (files.clone(), selection.clone());
                    parts.push(ScanPart { scan: self, files, range, rows, selection });
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
            let _ = scanned.paths.set(self.read_paths(&scanned.file)?);
        }
        Ok(scanned.paths.get().and_then(Option::as_deref))
    }

    /// Reads which paths a file has; none where it does not list them, or its footer is a long one.
    fn read_paths(&self, file: &NamedFile) -> Result<Option<Vec<String>>, RollupError> {
        let (store, path) = (self.store, path_of(file));
        let tail = store.get_tail(&path, TAIL_BYTES)?;
        let labels = aggregate_labels(&tail, file.size_bytes)
            .map_err(|source| RollupError::Columns { file: path.clone(), source })?;
        let Some(AggregateLabels { paths, blocks }) = labels else { return Ok(None) };
        // A list that is damaged would leave the file out.
        let checked = CheckedParts::open(store, &path, file.size_bytes, tail, blocks)?;
        Ok(paths.filter(|_| checked.is_some()))
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
        let firsts = first_items(&bytes_of(self.store, largest)?)
            .map_err(|source| RollupError::Columns { file: path_of(largest), source })?;
        let step = firsts.len().div_ceil(pieces).max(1);
        let mut cuts: Vec<String> = firsts.into_iter().step_by(step).skip(1).collect();
        cuts.dedup();
        let ends = cuts.iter().cloned().map(Some).chain([None]);
        let starts = std::iter::once(None).chain(cuts.iter().cloned().map(Some));
        let range = |(from, until)| ItemRange { categories: categories.clone(), from, until };
        Ok(starts.zip(ends).map(range).collect())
    }
}

fn rows_of(files: &[&ScannedFile]) -> u64 {
    files.iter().map(|scanned| scanned.file.rows).sum()
}

/// Returns the category of a file that has only this one.
fn own_category(scanned: &ScannedFile) -> Option<&str> {
    match &scanned.partition.day.group {
        CategoryGroup::Own(category) => Some(category),
        CategoryGroup::Uncategorized | CategoryGroup::Shared(_) => None,
    }
}

/// Splits the files of a shard by categories: those with more rows than a part has, and all others. Files that
/// categories share are read for each.
fn split_large(files: Vec<&ScannedFile>, rows_per_part: u64) -> Vec<(CategoryFilter, Vec<&ScannedFile>)> {
    let mut large: BTreeMap<&str, u64> = BTreeMap::new();
    for scanned in &files {
        if let Some(category) = own_category(scanned) {
            *large.entry(category).or_default() += scanned.file.rows;
        }
    }
    large.retain(|_, rows| *rows > rows_per_part);
    if large.is_empty() {
        return vec![(CategoryFilter::All, files)];
    }
    let is_of = |wants: &dyn Fn(&str) -> bool| -> Vec<&ScannedFile> {
        files.iter().copied().filter(|scanned| own_category(scanned).is_none_or(wants)).collect()
    };
    let mut split: Vec<(CategoryFilter, Vec<&ScannedFile>)> = large
        .keys()
        .map(|&category| (CategoryFilter::Only(category.to_owned()), is_of(&|own| own == category)))
        .collect();
    let others = is_of(&|own| !large.contains_key(own));
    if !others.is_empty() {
        split.push((CategoryFilter::Except(large.keys().map(|&name| name.to_owned()).collect()), others));
    }
    split
}

impl ScanPart<'_> {
    /// Calls `take` with the aggregates of each item, or of each that is wanted, in the order of categories and
    /// ids.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, or fails as `take` does.
    pub fn for_each_item<E: From<RollupError>>(
        &self,
        progress: &Progress,
        wants: Option<WantsItem<'_>>,
        take: &mut dyn FnMut(ItemAggregates<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut path_sets = PathSetCategories::default();
        let mut cursors = self.open(wants, &mut path_sets)?;
        let subtracts: Vec<bool> = self.files.iter().map(|scanned| self.subtracts(scanned)).collect();
        let mut merge = Merge::default();
        while let Some(category) = first_category(&cursors, &path_sets) {
            merge.name = path_sets.category(category).map(str::to_owned);
            merge.next_keys.set_all(cursors.iter().map(|cursor| cursor.key_in(category)));
            while merge.find_next(&cursors) {
                for &at in &merge.having {
                    let (cursor, taken) = (&mut cursors[at], merge.rows.len());
                    let failed = |source| self.failed(at, source);
                    cursor.take_item(&mut path_sets, &mut merge.rows).map_err(failed)?;
                    if subtracts[at] {
                        subtract(&mut merge.rows[taken..]);
                    }
                    merge.next_keys.set(at, cursor.key_in(category));
                }
                if !merge.rows.is_empty() {
                    take(merge.item(&path_sets))?;
                    merge.rows.clear();
                }
            }
        }
        progress.advance(Stage::Rank, self.rows);
        Ok(())
    }

    fn subtracts(&self, scanned: &ScannedFile) -> bool {
        let counting = self.selection.event_types.counting(&scanned.partition.day.event_type);
        counting == Some(Counting::Subtracted)
    }

    /// Returns the shard of its categories.
    pub fn shard(&self) -> Shard {
        self.files.first().map_or(Shard::of(None), |scanned| scanned.partition.day.group.shard())
    }

    /// Returns about how many rows it has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn open(
        &self,
        wants: Option<WantsItem<'_>>,
        path_sets: &mut PathSetCategories,
    ) -> Result<Vec<Cursor>, RollupError> {
        let open = |(at, ScannedFile { partition, file, .. }): (usize, &&ScannedFile)| {
            let wanted = |hour| {
                Some(Hour::of(partition.day.date, hour)).filter(|hour| self.selection.hours.contains(hour))
            };
            let hours = std::array::from_fn(|hour| i32::try_from(hour).ok().and_then(wanted));
            let bytes = bytes_of(self.scan.store, file)?;
            Cursor::open(bytes, &self.range, wants, hours, path_sets)
                .map_err(|source| self.failed(at, source))
        };
        self.files.iter().enumerate().map(open).collect()
    }

    fn failed(&self, at: usize, source: ColumnsError) -> RollupError {
        RollupError::Columns { file: path_of(&self.files[at].file), source }
    }
}

fn subtract(rows: &mut [HourAggregate]) {
    for row in rows {
        row.aggregate = Counting::Subtracted.applied_to(row.aggregate);
    }
}

/// A merge of files by the items of a category; kept from one category to the next for its allocations.
#[derive(Default)]
struct Merge {
    /// The category.
    name: Option<String>,
    next_keys: NextKeys,
    /// The files that have the next item.
    having: Vec<usize>,
    item_id: String,
    rows: Vec<HourAggregate>,
}

impl Merge {
    /// Finds the next item of the category, and returns whether there is one.
    fn find_next(&mut self, cursors: &[Cursor]) -> bool {
        let Some(key) = self.next_keys.smallest(&mut self.having) else { return false };
        let item_of = |at: usize| cursors[at].item_id().unwrap_or_default();
        if !key.is_whole() {
            // The ids have the same prefix: the smallest of them comes next.
            let smallest = self.having.iter().map(|&at| item_of(at)).min().unwrap_or_default();
            self.having.retain(|&at| item_of(at) == smallest);
        }
        self.item_id.clear();
        self.item_id.push_str(self.having.first().map_or("", |&at| item_of(at)));
        true
    }

    fn item<'a>(&'a self, path_sets: &'a PathSetCategories) -> ItemAggregates<'a> {
        let (category, path_sets) = (self.name.as_deref(), &path_sets.sets);
        ItemAggregates { category, item_id: &self.item_id, rows: &self.rows, path_sets }
    }
}

/// Returns the first category that comes next in some files.
fn first_category(cursors: &[Cursor], path_sets: &PathSetCategories) -> Option<u32> {
    cursors.iter().filter_map(Cursor::category).min_by_key(|number| path_sets.category(*number))
}
