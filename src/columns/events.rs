//! Files of the `events` table: one row per event and top-level category.
//!
//! | column | Parquet type |
//! |---|---|
//! | `ts` | INT64, TIMESTAMP(MICROS, UTC) |
//! | `event_id` | BYTE_ARRAY, STRING, or null |
//! | `item_id` | BYTE_ARRAY, STRING |
//! | `categories` | LIST of STRING: the paths below this top-level category |
//! | `quantity` | INT64 |
//! | `amount` | INT64, DECIMAL(18,4), or null |
//! | `is_primary` | BOOLEAN: the one copy that counts shop-wide |
//! | `all_categories` | BYTE_ARRAY, STRING: all the event's paths, joined by `|`, where it has an id and lies under several top-level categories; else null |
//! | `batch` | BYTE_ARRAY, STRING: the id of the batch that brought it |
//!
//! `all_categories` tells versions of one event id apart from any one of their copies.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array, BooleanArray, BooleanBuilder, Decimal128Array, Decimal128Builder, Int64Array, Int64Builder,
    RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::compute::{
    SortColumn, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch,
};
use arrow::datatypes::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;

use crate::columns::fields::{TextLists, batch_of, flags, numbers, text_lists, text_lists_builder, texts};
use crate::columns::parquet_file::{ColumnsError, Encoded, decode};
use crate::event::{Amount, Events, Sums};

const ROWS_PER_GROUP: usize = 1 << 20;
/// The columns that sums are made of.
const SUMMED: [&str; 8] =
    ["ts", "event_id", "item_id", "categories", "quantity", "amount", "is_primary", "all_categories"];
const BATCH: &str = "batch";

/// One event's copy below one top-level category.
#[derive(Clone, Copy)]
pub struct EventCopy<'a> {
    /// Row in the events.
    pub row: usize,
    /// The event's paths below this category.
    pub paths: &'a [&'a str],
    /// All its paths, joined by `|`, where some lie below other top-level categories.
    pub all_paths: Option<&'a str>,
    pub is_primary: bool,
}

/// Returns the file of the given copies, in their order, that a batch brings.
///
/// # Errors
/// Fails where the rows do not fit into Parquet.
pub fn encode_events(
    events: &Events,
    copies: &[EventCopy<'_>],
    batch_id: &str,
) -> Result<Encoded, ColumnsError> {
    let mut ts = Vec::with_capacity(copies.len());
    let mut event_id = StringBuilder::new();
    let mut item_id = StringBuilder::new();
    let mut categories = text_lists_builder();
    let mut quantity = Int64Builder::new();
    let mut amount = Decimal128Builder::new();
    let mut is_primary = BooleanBuilder::new();
    let mut all_categories = StringBuilder::new();
    let mut batch = StringBuilder::new();
    for copy in copies {
        let event = events.event(copy.row);
        ts.push(event.ts.micros());
        event_id.append_option(event.event_id);
        item_id.append_value(event.item_id);
        categories.append_value(copy.paths.iter().map(Some));
        quantity.append_value(event.quantity);
        amount.append_option(event.amount.map(|a| i128::from(a.ten_thousandths())));
        is_primary.append_value(copy.is_primary);
        all_categories.append_option(copy.all_paths.filter(|_| event.event_id.is_some()));
        batch.append_value(batch_id);
    }
    let amount = amount.finish().with_precision_and_scale(18, 4)?;
    let rows = batch_of(vec![
        ("ts", Arc::new(TimestampMicrosecondArray::from(ts).with_timezone("UTC"))),
        ("event_id", Arc::new(event_id.finish())),
        ("item_id", Arc::new(item_id.finish())),
        ("categories", Arc::new(categories.finish())),
        ("quantity", Arc::new(quantity.finish())),
        ("amount", Arc::new(amount)),
        ("is_primary", Arc::new(is_primary.finish())),
        ("all_categories", Arc::new(all_categories.finish())),
        (BATCH, Arc::new(batch.finish())),
    ])?;
    Encoded::of(&rows, ROWS_PER_GROUP)
}

/// Some rows of an `events` file.
pub struct EventBatch {
    ts: TimestampMicrosecondArray,
    event_id: StringArray,
    item_id: StringArray,
    categories: TextLists,
    quantity: Int64Array,
    amount: Decimal128Array,
    is_primary: BooleanArray,
    all_categories: StringArray,
}

/// Returns an `events` file's rows, some at a time.
///
/// # Errors
/// Fails, or an item does, where the bytes are not such a file.
pub fn decode_events(
    bytes: Bytes,
) -> Result<impl Iterator<Item = Result<EventBatch, ColumnsError>>, ColumnsError> {
    Ok(decode(bytes, &SUMMED)?.map(|batch| {
        let batch = &batch?;
        Ok(EventBatch {
            ts: numbers::<TimestampMicrosecondType>(batch, "ts")?,
            event_id: texts(batch, "event_id")?,
            item_id: texts(batch, "item_id")?,
            categories: text_lists(batch, "categories")?,
            quantity: numbers::<Int64Type>(batch, "quantity")?,
            amount: numbers::<Decimal128Type>(batch, "amount")?,
            is_primary: flags(batch, "is_primary")?,
            all_categories: texts(batch, "all_categories")?,
        })
    }))
}

/// Returns one file with the rows of several, sorted by item, moment and event id.
///
/// # Errors
/// Fails where the bytes are not such files.
pub fn merge_events(files: Vec<Bytes>) -> Result<Encoded, ColumnsError> {
    let mut batches = Vec::new();
    for file in files {
        for batch in decode(file, &every_column())? {
            batches.push(batch?);
        }
    }
    let schema = batches.first().map(RecordBatch::schema).ok_or(ColumnsError::Column("ts"))?;
    let all = concat_batches(&schema, &batches)?;
    let keys = ["item_id", "ts", "event_id"].map(|name| all.column_by_name(name).cloned());
    let keys = keys.into_iter().flatten().map(|values| SortColumn { values, options: None });
    let order = lexsort_to_indices(&keys.collect::<Vec<_>>(), None)?;
    Encoded::of(&take_record_batch(&all, &order)?, ROWS_PER_GROUP)
}

/// Returns an `events` file without the rows that some batches brought; none where it has none of
/// them.
///
/// # Errors
/// Fails where the bytes are not such a file.
pub fn without_batches(bytes: &Bytes, ids: &HashSet<&str>) -> Result<Option<Encoded>, ColumnsError> {
    let is_of = |id: Option<&str>| id.is_some_and(|id| ids.contains(id));
    let mut are_there = false;
    for rows in decode(bytes.clone(), &[BATCH])? {
        are_there |= texts(&rows?, BATCH)?.iter().any(is_of);
    }
    if !are_there {
        return Ok(None);
    }
    let mut kept = Vec::new();
    for rows in decode(bytes.clone(), &every_column())? {
        let rows = rows?;
        let stays: BooleanArray = texts(&rows, BATCH)?.iter().map(|id| Some(!is_of(id))).collect();
        kept.push(filter_record_batch(&rows, &stays)?);
    }
    let schema = kept.first().map(RecordBatch::schema).ok_or(ColumnsError::Column(BATCH))?;
    Ok(Some(Encoded::of(&concat_batches(&schema, &kept)?, ROWS_PER_GROUP)?))
}

fn every_column() -> Vec<&'static str> {
    SUMMED.into_iter().chain([BATCH]).collect()
}

impl EventBatch {
    /// Returns how many rows there are.
    pub fn rows(&self) -> usize {
        self.ts.len()
    }

    /// Returns when the event was, in microseconds.
    pub fn ts_micros(&self, row: usize) -> i64 {
        self.ts.value(row)
    }

    /// Returns the event's own id, if it has one.
    pub fn event_id(&self, row: usize) -> Option<&str> {
        self.event_id.is_valid(row).then(|| self.event_id.value(row))
    }

    /// Returns the item's id.
    pub fn item_id(&self, row: usize) -> &str {
        self.item_id.value(row)
    }

    /// Returns the paths below this top-level category, joined by `|`.
    pub fn paths<'a>(&'a self, row: usize, scratch: &'a mut String) -> &'a str {
        self.categories.joined(row, scratch)
    }

    /// Returns all the event's paths, joined by `|`; only those below this top-level category where
    /// the event has no id.
    pub fn all_paths<'a>(&'a self, row: usize, scratch: &'a mut String) -> &'a str {
        match self.all_categories.is_valid(row) {
            true => self.all_categories.value(row),
            false => self.paths(row, scratch),
        }
    }

    /// Returns whether this copy counts shop-wide.
    pub fn is_primary(&self, row: usize) -> bool {
        self.is_primary.value(row)
    }

    /// Returns what the one event adds up to.
    pub fn sums(&self, row: usize) -> Sums {
        let amount = self.amount.is_valid(row).then(|| self.amount.value(row));
        Sums::of(self.quantity.value(row), amount.and_then(Amount::from_ten_thousandths))
    }
}
