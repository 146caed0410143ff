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
    BooleanArray, BooleanBuilder, Decimal128Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::compute::{
    SortColumn, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch,
};
use bytes::Bytes;

use crate::columns::fields::{batch_of, text_lists_builder, texts};
use crate::columns::parquet_file::{ColumnsError, Encoded, decode};
use crate::event::Events;

const ROWS_PER_GROUP: usize = 1 << 20;
const COLUMNS: [&str; 9] =
    ["ts", "event_id", "item_id", "categories", "quantity", "amount", "is_primary", "all_categories", BATCH];
const BATCH: &str = "batch";
/// Nearly every id is another: a dictionary of them would be built only to be thrown away.
const PLAIN: [&str; 1] = ["event_id"];

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
    Encoded::of(&rows, ROWS_PER_GROUP, &[], &PLAIN)
}

/// Returns one file with the rows of several, sorted by item, moment and event id.
///
/// # Errors
/// Fails where the bytes are not such files.
pub fn merge_events(files: Vec<Bytes>) -> Result<Encoded, ColumnsError> {
    let mut batches = Vec::new();
    for file in files {
        for batch in decode(file, &COLUMNS)? {
            batches.push(batch?);
        }
    }
    let schema = batches.first().map(RecordBatch::schema).ok_or(ColumnsError::Column("ts"))?;
    let all = concat_batches(&schema, &batches)?;
    let keys = ["item_id", "ts", "event_id"].map(|name| all.column_by_name(name).cloned());
    let keys = keys.into_iter().flatten().map(|values| SortColumn { values, options: None });
    let order = lexsort_to_indices(&keys.collect::<Vec<_>>(), None)?;
    Encoded::of(&take_record_batch(&all, &order)?, ROWS_PER_GROUP, &[], &PLAIN)
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
    for rows in decode(bytes.clone(), &COLUMNS)? {
        let rows = rows?;
        let stays: BooleanArray = texts(&rows, BATCH)?.iter().map(|id| Some(!is_of(id))).collect();
        kept.push(filter_record_batch(&rows, &stays)?);
    }
    let schema = kept.first().map(RecordBatch::schema).ok_or(ColumnsError::Column(BATCH))?;
    Ok(Some(Encoded::of(&concat_batches(&schema, &kept)?, ROWS_PER_GROUP, &[], &PLAIN)?))
}
