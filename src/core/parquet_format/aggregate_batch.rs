//! Rows of aggregate files, in batches, as rankings and merges read them.

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type};

use crate::model::{Aggregate, Hour, HourAggregate, Interner, ItemKey, Units};
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

    /// Returns rows by their columns, which are of the same length; `None` where an hour is not one of a day.
    pub(super) fn of_columns(
        hour: Vec<i32>,
        item_id: StringArray,
        categories: DictionaryLists,
        is_primary: Vec<bool>,
        purchases: Vec<i64>,
        units: Vec<Units>,
        amount: Vec<i128>,
    ) -> Option<AggregateBatch> {
        let are_hours = hour.iter().all(|hour| (0..24).contains(hour));
        are_hours.then(|| AggregateBatch { hour, item_id, categories, is_primary, purchases, units, amount })
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
        let AggregateBlock { items, sets } = into;
        items.clear();
        sets.clear();
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

    /// Returns one item's rows of the wanted hours, which are given by hour of day.
    #[inline]
    pub fn rows_of<'a>(
        &'a self,
        item: &BlockItem,
        block: &'a AggregateBlock,
        hours: &'a [Option<Hour>; 24],
    ) -> impl Iterator<Item = HourAggregate> + 'a {
        (item.row..item.end).filter_map(move |row| {
            let hour = hours[self.hour[row] as usize]?;
            let aggregate = Aggregate {
                purchases: self.purchases[row],
                units: self.units[row],
                amount: self.amount[row],
            };
            let (path_set, is_primary) = (block.sets[row], self.is_primary[row]);
            Some(HourAggregate { hour, path_set, is_primary, aggregate })
        })
    }

    /// Tells whether the items of a block, read from here, are in the order of their ids, each once.
    pub fn is_sorted(&self, block: &AggregateBlock) -> bool {
        block.items.is_sorted_by(|a, b| {
            let are_alike = a.key == b.key && !a.key.is_whole();
            a.key < b.key || are_alike && self.item_id(a.row) < self.item_id(b.row)
        })
    }
}

/// Which rows of a batch belong to which item, and the code of each row's path set.
#[derive(Default)]
pub struct AggregateBlock {
    pub items: Vec<BlockItem>,
    sets: Vec<u32>,
}

/// One item of a block.
pub struct BlockItem {
    pub key: ItemKey,
    /// Its first row in the batch.
    pub row: usize,
    /// Where its rows end, and the next item's begin.
    end: usize,
}
