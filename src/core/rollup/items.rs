//! The aggregates of a span of hours, item by item, in parts that can be read side by side.
//!
//! Files are sorted by item, so they are merged while they are read: what is in memory are a few
//! pages of each file of a part and the rows of one item, however many aggregates there are.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::delta::LiveFile;
use crate::model::{AggregateOverflow, Hour, HourAggregate, Interner};
use crate::parquet_format::{ColumnsError, ItemRange, WantsItem, first_items, paths_of};
use crate::progress::{Progress, Stage};
use crate::rollup::cursor::Cursor;
use crate::rollup::heads::Heads;
use crate::rollup::read::{Place, Wanted, path_of, place_of};
use crate::rollup::{RollupError, Rollups};

/// A category with more rows than this is read in several parts, ...
const ROWS_PER_PART: u64 = 4_000_000;
/// ... unless it is a small share of all: each part reads its files' bytes anew.
const PARTS: u64 = 16;
/// Where a file's footer mostly begins, counted from its end.
const TAIL_BYTES: u64 = 1 << 16;

/// The rollups of one version, whatever is committed meanwhile.
pub struct Pinned<'a> {
    rollups: &'a Rollups,
    files: Vec<PinnedFile>,
}

struct PinnedFile {
    place: Place,
    file: LiveFile,
    /// The paths in it, once they were asked for; none where the file does not say.
    paths: OnceLock<Option<Vec<String>>>,
}

/// Some items of one top-level category.
pub struct Part<'a> {
    pinned: &'a Pinned<'a>,
    /// In the order of their days.
    files: Vec<&'a PinnedFile>,
    range: ItemRange,
    /// Its share of what its files have.
    rows: u64,
    wanted: Wanted<'a>,
}

/// One item's aggregates.
pub struct ItemAggregates<'a> {
    pub item_id: &'a str,
    /// Ordered by hour; the same hour may come several times.
    pub rows: &'a [HourAggregate],
    /// The texts of the sets of paths, each its paths joined by `|`.
    pub path_sets: &'a Interner,
}

impl Rollups {
    /// Returns the newest version's aggregates, to be read in several steps that fit together.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn pin(&self) -> Result<Pinned<'_>, RollupError> {
        let files = self.table.newest()?.files()?.into_iter();
        let placed =
            files.map(|file| place_of(&file).map(|place| PinnedFile { place, file, paths: OnceLock::new() }));
        Ok(Pinned { rollups: self, files: placed.collect::<Result<_, _>>()? })
    }
}

impl Pinned<'_> {
    /// Returns the wanted aggregates in parts: no item of a top-level category is in two of them. Where
    /// `wants` is given, files that say their paths, none of which it wants, are left out.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn parts<'a>(
        &'a self,
        wanted: &Wanted<'a>,
        wants: Option<&(dyn Fn(&str) -> bool + Sync)>,
    ) -> Result<Vec<Part<'a>>, RollupError> {
        let mut files: Vec<&PinnedFile> =
            self.files.iter().filter(|pinned| pinned.place.may_be_wanted(wanted)).collect();
        if let Some(wants) = wants {
            let asked = files.into_par_iter().map(|pinned| {
                let paths = self.paths_of(pinned)?;
                let is_wanted = paths.is_none_or(|paths| paths.iter().any(|path| wants(path)));
                Ok(is_wanted.then_some(pinned))
            });
            let asked: Result<Vec<Option<&PinnedFile>>, RollupError> = asked.collect();
            files = asked?.into_iter().flatten().collect();
        }
        let mut by_category: BTreeMap<Option<&str>, Vec<&PinnedFile>> = BTreeMap::new();
        for pinned in files {
            by_category.entry(pinned.place.category.as_deref()).or_default().push(pinned);
        }
        let rows_of = |files: &[&PinnedFile]| files.iter().map(|pinned| pinned.file.rows).sum::<u64>();
        let rows: u64 = by_category.values().map(|files| rows_of(files)).sum();
        let rows_per_part = ROWS_PER_PART.max(rows / PARTS);
        let mut parts = Vec::new();
        for mut files in by_category.into_values() {
            files.sort_by_key(|pinned| pinned.place.date);
            let rows = rows_of(&files);
            let ranges = self.ranges(&files, rows.div_ceil(rows_per_part))?;
            let rows = rows / ranges.len() as u64;
            for range in ranges {
                let (files, wanted) = (files.clone(), wanted.clone());
                parts.push(Part { pinned: self, files, range, rows, wanted });
            }
        }
        // The largest first, so that none of them is left for the end.
        parts.sort_by_key(|part| Reverse(part.rows));
        Ok(parts)
    }

    fn paths_of<'a>(&self, pinned: &'a PinnedFile) -> Result<Option<&'a [String]>, RollupError> {
        if pinned.paths.get().is_none() {
            let path = path_of(&pinned.file);
            let tail = self.rollups.store.get_tail(&path, TAIL_BYTES)?;
            let paths = paths_of(&tail, pinned.file.size_bytes);
            // Another reader of the same file has found the same.
            let _ = pinned.paths.set(paths.map_err(|source| RollupError::Columns { file: path, source })?);
        }
        Ok(pinned.paths.get().and_then(Option::as_deref))
    }

    /// Cuts a category's items into so many ranges of about as many rows, by what its largest file has.
    fn ranges(&self, files: &[&PinnedFile], pieces: u64) -> Result<Vec<ItemRange>, RollupError> {
        let pieces = usize::try_from(pieces).unwrap_or(usize::MAX);
        let largest = files.iter().map(|pinned| &pinned.file).max_by_key(|file| file.rows);
        let Some(largest) = largest.filter(|_| pieces > 1) else { return Ok(vec![ItemRange::default()]) };
        let firsts = first_items(&self.rollups.bytes_of(largest)?)
            .map_err(|source| RollupError::Columns { file: path_of(largest), source })?;
        let step = firsts.len().div_ceil(pieces).max(1);
        let mut cuts: Vec<String> = firsts.into_iter().step_by(step).skip(1).collect();
        cuts.dedup();
        let ends = cuts.iter().cloned().map(Some).chain([None]);
        let starts = std::iter::once(None).chain(cuts.iter().cloned().map(Some));
        Ok(starts.zip(ends).map(|(from, until)| ItemRange { from, until }).collect())
    }
}

impl Part<'_> {
    /// Gives the aggregates of each item, or of each that is wanted, to `take`, in the order of their ids.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, or fails as `take` does.
    pub fn each_item(
        &self,
        progress: &Progress,
        wants: Option<WantsItem<'_>>,
        take: &mut dyn FnMut(ItemAggregates<'_>) -> Result<(), AggregateOverflow>,
    ) -> Result<(), RollupError> {
        let (mut path_sets, mut rows) = (Interner::default(), Vec::new());
        let mut cursors = self.open(wants, &mut path_sets)?;
        let mut heads = Heads::of(cursors.iter().map(Cursor::key));
        let (mut item_id, mut having) = (String::new(), Vec::new());
        while let Some(key) = heads.smallest(&mut having) {
            if !key.is_whole() {
                // The ids begin alike: the smallest of them comes next.
                let smallest = having.iter().filter_map(|&at| cursors[at].item_id()).min().map(str::to_owned);
                having.retain(|&at| cursors[at].item_id() == smallest.as_deref());
            }
            for (nth, &at) in having.iter().enumerate() {
                let cursor = &mut cursors[at];
                if nth == 0 {
                    cursor.item_id().unwrap_or_default().clone_into(&mut item_id);
                }
                cursor.take_item(&mut path_sets, &mut rows).map_err(|source| self.failed(at, source))?;
                heads.set(at, cursor.key());
            }
            give(&item_id, &mut rows, &path_sets, take)?;
        }
        progress.advance(Stage::Rank, self.rows);
        Ok(())
    }

    /// Returns the top-level category; none where its items have none.
    pub fn category(&self) -> Option<&str> {
        self.files.first().and_then(|pinned| pinned.place.category.as_deref())
    }

    /// Returns about how many rows it has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn open(
        &self,
        wants: Option<WantsItem<'_>>,
        path_sets: &mut Interner,
    ) -> Result<Vec<Cursor>, RollupError> {
        let open = |(at, PinnedFile { place, file, .. }): (usize, &&PinnedFile)| {
            let wanted =
                |hour| Some(Hour::of(place.date, hour)).filter(|hour| self.wanted.hours.contains(hour));
            let hours = std::array::from_fn(|hour| i32::try_from(hour).ok().and_then(wanted));
            let bytes = self.pinned.rollups.bytes_of(file)?;
            Cursor::open(bytes, &self.range, wants, hours, path_sets)
                .map_err(|source| self.failed(at, source))
        };
        self.files.iter().enumerate().map(open).collect()
    }

    fn failed(&self, at: usize, source: ColumnsError) -> RollupError {
        RollupError::Columns { file: path_of(&self.files[at].file), source }
    }
}

/// Gives an item's rows on, ordered by hour, and lets go of them.
fn give(
    item_id: &str,
    rows: &mut Vec<HourAggregate>,
    path_sets: &Interner,
    take: &mut dyn FnMut(ItemAggregates<'_>) -> Result<(), AggregateOverflow>,
) -> Result<(), AggregateOverflow> {
    if rows.is_empty() {
        return Ok(());
    }
    if !rows.is_sorted_by_key(|row| row.hour) {
        rows.sort_by_key(|row| row.hour);
    }
    take(ItemAggregates { item_id, rows, path_sets })?;
    rows.clear();
    Ok(())
}
