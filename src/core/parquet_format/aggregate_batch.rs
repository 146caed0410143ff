//! Rows of aggregate files, in batches, as rankings and merges read them.

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type};

use crate::model::{Aggregate, Hour, HourAggregate, Interner, ItemKey, PathSetCategories, Units};
use crate::parquet_format::aggregates::ITEM_ID;
use crate::parquet_format::dictionary::{DictionaryInterner, DictionaryLists, dictionary_lists};
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::fields::{flags, numbers, texts};
use crate::parquet_format::units_column::units;

/// Some rows of an aggregate file, in its order.
pub struct AggregateBatch {
    hour: Vec<i32>,
    item_id: StringArray,
    categories: DictionaryLists,
    is_primary: Vec<bool>,
    purchases: Vec<i64>,
    units: Vec<Units>,
    amount: Vec<i128>,
}

impl AggregateBatch {
    pub(super) fn of(batch: &RecordBatch) -> Result<AggregateBatch, ColumnsError> {
        let columns = AggregateBatch::of_columns(
            numbers::<Int32Type>(batch, "hour")?.values().to_vec(),
            texts(batch, ITEM_ID)?,
            dictionary_lists(batch, "categories")?,
            flags(batch, "is_primary")?.values().iter().collect(),
            numbers::<Int64Type>(batch, "purchases")?.values().to_vec(),
            units(batch, "units")?,
            numbers::<Decimal128Type>(batch, "amount")?.values().to_vec(),
        );
        columns.ok_or(ColumnsError::Column("hour"))
    }

    /// Returns rows by their columns, which are of the same length; `None` where an hour is negative.
    pub(super) fn of_columns(
        hour: Vec<i32>,
        item_id: StringArray,
        categories: DictionaryLists,
        is_primary: Vec<bool>,
        purchases: Vec<i64>,
        units: Vec<Units>,
        amount: Vec<i128>,
    ) -> Option<AggregateBatch> {
        let are_hours = hour.iter().all(|hour| *hour >= 0);
        are_hours.then(|| AggregateBatch { hour, item_id, categories, is_primary, purchases, units, amount })
    }

    /// Returns the rows, if their hours are among the first so many of the file's day.
    ///
    /// # Errors
    /// [`ColumnsError::Column`] where one is not.
    pub fn within(self, hours: usize) -> Result<AggregateBatch, ColumnsError> {
        let are_within = self.hour.iter().all(|hour| (*hour as usize) < hours);
        if are_within { Ok(self) } else { Err(ColumnsError::Column("hour")) }
    }

    /// Returns how many rows there are.
    pub fn rows(&self) -> usize {
        self.hour.len()
    }

    /// Returns the item's id.
    #[inline]
    pub fn item_id(&self, row: usize) -> &str {
        self.item_id.value(row)
    }

    /// Sets a block to the items of these rows.
    pub fn read(&self, coder: &mut DictionaryInterner, path_sets: &mut Interner, into: &mut AggregateBlock) {
        let AggregateBlock { items, sets, categories } = into;
        items.clear();
        sets.clear();
        categories.clear();
        coder.codes_of_lists(&self.categories, path_sets, sets);
        for row in 0..self.rows() {
            let key = ItemKey::of(self.item_id(row));
            match items.last_mut() {
                Some(last)
                    if last.key == key && (key.is_whole() || self.item_id(last.row) == self.item_id(row)) =>
                {
                    last.end = row + 1;
                }
                _ => items.push(BlockItem { key, row, end: row + 1 }),
            }
        }
    }

    /// Returns one item's rows of the wanted hours, which are given by hour of day; rows must be within them.
    #[inline]
    pub fn rows_of<'a>(
        &'a self,
        item: &BlockItem,
        block: &'a AggregateBlock,
        hours: &'a [Option<Hour>],
    ) -> impl Iterator<Item = HourAggregate> + 'a {
        (item.row..item.end).filter_map(move |row| {
            let hour = hours.get(self.hour[row] as usize).copied().flatten()?;
            let aggregate = Aggregate {
                purchases: self.purchases[row],
                units: self.units[row],
                amount: self.amount[row],
            };
            let (path_set, is_primary) = (block.sets[row], self.is_primary[row]);
            Some(HourAggregate { hour, path_set, is_primary, aggregate })
        })
    }

    /// Sets a block to the items of these rows, those of each category by themselves.
    ///
    /// # Errors
    /// [`ColumnsError::Unsorted`] where they are not in the order of their categories and ids, each once.
    pub fn read_by_category(
        &self,
        coder: &mut DictionaryInterner,
        path_sets: &mut PathSetCategories,
        into: &mut AggregateBlock,
    ) -> Result<(), ColumnsError> {
        self.read(coder, &mut path_sets.sets, into);
        path_sets.categorize();
        into.split_by_category(path_sets);
        let AggregateBlock { items, categories, .. } = into;
        let is_sorted = (1..items.len()).all(|at| {
            let (a, b) = (&items[at - 1], &items[at]);
            if categories[at - 1] != categories[at] {
                return path_sets.category(categories[at - 1]) < path_sets.category(categories[at]);
            }
            let are_alike = a.key == b.key && !a.key.is_whole();
            a.key < b.key || are_alike && self.item_id(a.row) < self.item_id(b.row)
        });
        if is_sorted { Ok(()) } else { Err(ColumnsError::Unsorted) }
    }
}

/// Which rows of a batch belong to which item, and the code of each row's path set.
#[derive(Default)]
pub struct AggregateBlock {
    pub items: Vec<BlockItem>,
    sets: Vec<u32>,
    /// Of each item, if they were read by category.
    categories: Vec<u32>,
}

/// One item of a block.
#[derive(Clone, Copy)]
pub struct BlockItem {
    pub key: ItemKey,
    /// Its first row in the batch.
    pub row: usize,
    /// Where its rows end, and the next item's begin.
    end: usize,
}

impl AggregateBlock {
    /// Returns the number of an item's category, if items were read by category.
    #[inline]
    pub fn category(&self, item: usize) -> Option<u32> {
        self.categories.get(item).copied()
    }

    /// Returns the sets of paths of an item's rows.
    #[inline]
    pub fn sets_of(&self, item: usize) -> &[u32] {
        &self.sets[self.items[item].row..self.items[item].end]
    }

    /// Keeps the items that are wanted, by their place.
    pub fn retain(&mut self, wants: impl Fn(&AggregateBlock, usize) -> bool) {
        let wanted: Vec<usize> = (0..self.items.len()).filter(|&at| wants(self, at)).collect();
        if wanted.len() < self.items.len() {
            self.items = wanted.iter().map(|&at| self.items[at]).collect();
            self.categories = wanted.iter().map(|&at| self.categories[at]).collect();
        }
    }

    fn split_by_category(&mut self, path_sets: &PathSetCategories) {
        let AggregateBlock { items, sets, categories } = self;
        let mut at = 0;
        while at < items.len() {
            let BlockItem { key, row, end } = items[at];
            let category = path_sets.category_of(sets[row]);
            categories.push(category);
            if let Some(more) = (row..end).find(|&row| path_sets.category_of(sets[row]) != category) {
                items[at].end = more;
                items.insert(at + 1, BlockItem { key, row: more, end });
            }
            at += 1;
        }
    }
}
