//! A part of a scan: its files merged item by item.
//!
//! Invariant: items come in the order of their categories and ids. Memory holds a few pages of each file and the rows
//! of one item.

use crate::model::{Counting, HourAggregate, Interner, PathSetCategories, Shard};
use crate::parquet_format::{ColumnsError, ItemRange, WantsItem};
use crate::progress::{Progress, Stage};
use crate::rollup::cursor::Cursor;
use crate::rollup::error::RollupError;
use crate::rollup::k_way_merge::NextKeys;
use crate::rollup::scanned_file::ScannedFile;
use crate::rollup::scanned_sets::{ScannedSets, WantsPath};
use crate::rollup::table::{Selection, bytes_of, path_of};
use crate::storage::Store;

/// Some items of the categories of a shard.
pub struct ScanPart<'a> {
    pub(super) store: &'a Store,
    /// In the order of their days.
    pub(super) files: Vec<&'a ScannedFile>,
    pub(super) range: ItemRange,
    /// The shard of its categories; files of all shards have others, too.
    pub(super) shard: Shard,
    /// Its share of its files' rows.
    pub(super) rows: u64,
    pub(super) selection: Selection<'a>,
}

/// Which rows of a file are wanted.
#[derive(Clone, Copy, Default)]
pub struct WantedRows<'a> {
    /// All items for none.
    pub item: Option<WantsItem<'a>>,
    /// All paths for none; an item's other rows may come, too.
    pub path: Option<WantsPath<'a>>,
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

impl ScanPart<'_> {
    /// Calls `take` with the aggregates of each item, or of each that has some that are wanted, in the order of
    /// categories and ids.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, or fails as `take` does.
    pub fn for_each_item<E: From<RollupError>>(
        &self,
        progress: &Progress,
        wants: WantedRows<'_>,
        take: &mut dyn FnMut(ItemAggregates<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut sets = ScannedSets::wanting(wants.path);
        let mut cursors = self.open(wants.item, &mut sets)?;
        let subtracts: Vec<bool> = self.files.iter().map(|scanned| self.subtracts(scanned)).collect();
        let mut merge = Merge::default();
        while let Some(category) = first_category(&cursors, &sets.path_sets) {
            merge.name = sets.path_sets.category(category).map(str::to_owned);
            merge.next_keys.set_all(cursors.iter().map(|cursor| cursor.key_in(category)));
            while merge.find_next(&cursors) {
                for &at in &merge.having {
                    let (cursor, taken) = (&mut cursors[at], merge.rows.len());
                    let failed = |source| self.failed(at, source);
                    cursor.take_item(&mut sets, &mut merge.rows).map_err(failed)?;
                    if subtracts[at] {
                        subtract(&mut merge.rows[taken..]);
                    }
                    merge.next_keys.set(at, cursor.key_in(category));
                }
                if !merge.rows.is_empty() {
                    take(merge.item(&sets.path_sets))?;
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

    /// Returns about how many rows it has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn open(
        &self,
        wants: Option<WantsItem<'_>>,
        sets: &mut ScannedSets<'_>,
    ) -> Result<Vec<Cursor>, RollupError> {
        let open = |(at, ScannedFile { partition, file, .. }): (usize, &&ScannedFile)| {
            let hours = partition.hours_by_number(|hour| self.selection.hours.contains(hour));
            let bytes = bytes_of(self.store, file)?;
            let is_part = self.shard.is_part_of(partition.day.group.shard());
            let shard = is_part.then_some(self.shard);
            let range = ItemRange { shard, ..self.range.clone() };
            Cursor::open(bytes, &range, wants, hours, sets).map_err(|source| self.failed(at, source))
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
