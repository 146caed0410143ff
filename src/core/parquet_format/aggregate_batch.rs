//! Rows of aggregate files, in batches, as rankings and merges read them.

use arrow::array::{Array, BooleanArray, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use crate::model::{Aggregate, Hour, HourAggregate, Interner, ItemKey, Units};
use crate::parquet_format::aggregates::PATHS;
use crate::parquet_format::dictionary::{DictionaryInterner, DictionaryLists, dictionary_lists};
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::fields::{flags, numbers, texts};
use crate::parquet_format::parquet_file::{decode_with_dictionaries, footer, label};
use crate::parquet_format::units_column::units;

const COLUMNS: [&str; 7] = ["hour", ITEM_ID, "categories", "is_primary", "purchases", "units", "amount"];
const ITEM_ID: &str = "item_id";

/// Returns all paths in an aggregate file, given the end of the file; `None` where the file does not
/// list them or the end is too short.
///
/// # Errors
/// Fails where the bytes are not the end of a Parquet file.
pub fn paths_of(tail: &Bytes, size: u64) -> Result<Option<Vec<String>>, ColumnsError> {
    Ok(label(tail, size, PATHS)?.and_then(|text| serde_json::from_str(&text).ok()))
}

/// The items to read: from one id up to but not including another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemRange {
    pub from: Option<String>,
    pub until: Option<String>,
}

/// Some rows of an aggregate file, in its order.
pub struct AggregateBatch {
    hour: Int32Array,
    item_id: StringArray,
    categories: DictionaryLists,
    is_primary: BooleanArray,
    purchases: Int64Array,
    units: Vec<Units>,
    amount: Decimal128Array,
}

/// Returns whether the rows of an item are wanted.
pub type WantsItem<'a> = &'a (dyn Fn(&str) -> bool + Sync);

/// Returns an aggregate file's rows in batches: all rows of the range, and some before and after it. With
/// `wants`, only the rows of wanted items; of all others only the id is read.
///
/// # Errors
/// Fails, or an item does, where the bytes are not such a file.
pub fn decode_aggregates(
    bytes: Bytes,
    range: &ItemRange,
    wants: Option<WantsItem<'_>>,
) -> Result<impl Iterator<Item = Result<AggregateBatch, ColumnsError>> + Send + use<>, ColumnsError> {
    let may_contain = |group: &RowGroupMetaData| {
        let item_id = group.columns().iter().find(|column| column.column_path().parts() == [ITEM_ID]);
        let item_id = item_id.and_then(ColumnChunkMetaData::statistics);
        let ends = item_id.and_then(|of| of.min_bytes_opt().zip(of.max_bytes_opt()));
        let is_before = |max: &[u8]| range.from.as_ref().is_some_and(|from| max < from.as_bytes());
        let is_behind = |min: &[u8]| range.until.as_ref().is_some_and(|until| min >= until.as_bytes());
        ends.is_none_or(|(min, max)| !is_before(max) && !is_behind(min))
    };
    let rows = match wants {
        Some(wants) => Some(rows_of(
            decode_with_dictionaries(bytes.clone(), &[ITEM_ID], &[], &may_contain, None)?,
            wants,
        )?),
        None => None,
    };
    let batches = decode_with_dictionaries(bytes, &COLUMNS, &["categories"], &may_contain, rows)?;
    Ok(batches.map(|batch| AggregateBatch::of(&batch?)))
}

/// Returns which rows are of the wanted items.
fn rows_of(
    batches: impl Iterator<Item = Result<RecordBatch, ColumnsError>>,
    wants: WantsItem<'_>,
) -> Result<RowSelection, ColumnsError> {
    let mut stretches: Vec<RowSelector> = Vec::new();
    for batch in batches {
        let item_id = texts(&batch?, ITEM_ID)?;
        let mut last: Option<(&str, bool)> = None;
        for row in 0..item_id.len() {
            let id = item_id.value(row);
            let is_wanted = match last {
                Some((last, is_wanted)) if last == id => is_wanted,
                _ => wants(id),
            };
            last = Some((id, is_wanted));
            match stretches.last_mut() {
                Some(stretch) if stretch.skip != is_wanted => stretch.row_count += 1,
                _ if is_wanted => stretches.push(RowSelector::select(1)),
                _ => stretches.push(RowSelector::skip(1)),
            }
        }
    }
    Ok(stretches.into())
}

/// Returns the smallest item id of each row group, possibly truncated: the places to split a file.
///
/// # Errors
/// Fails where the bytes are not a Parquet file.
pub fn first_items(bytes: &Bytes) -> Result<Vec<String>, ColumnsError> {
    let footer = footer(bytes)?;
    let column = footer.parquet_schema().columns().iter().position(|column| column.name() == ITEM_ID);
    let column = column.ok_or(ColumnsError::Column(ITEM_ID))?;
    let groups = footer.metadata().row_groups().iter();
    let first = groups.filter_map(|group| group.column(column).statistics()?.min_bytes_opt());
    // An id truncated within a character is left out: fewer places to split at are still correct.
    Ok(first.filter_map(|min| String::from_utf8(min.to_vec()).ok()).collect())
}

impl AggregateBatch {
    pub(super) fn of(batch: &RecordBatch) -> Result<AggregateBatch, ColumnsError> {
        let hour = numbers::<Int32Type>(batch, "hour")?;
        if !hour.values().iter().all(|hour| (0..24).contains(hour)) {
            return Err(ColumnsError::Column("hour"));
        }
        Ok(AggregateBatch {
            hour,
            item_id: texts(batch, ITEM_ID)?,
            categories: dictionary_lists(batch, "categories")?,
            is_primary: flags(batch, "is_primary")?,
            purchases: numbers::<Int64Type>(batch, "purchases")?,
            units: units(batch, "units")?,
            amount: numbers::<Decimal128Type>(batch, "amount")?,
        })
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
            let hour = hours[self.hour.value(row) as usize]?;
            let aggregate = Aggregate {
                purchases: self.purchases.value(row),
                units: self.units[row],
                amount: self.amount.value(row),
            };
            let (path_set, is_primary) = (block.sets[row], self.is_primary.value(row));
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
