//! Files of the `rollups` table: sums by item, set of paths and hour, sorted for merging.
//!
//! | column | Parquet type |
//! |---|---|
//! | `hour` | INT32, 0 to 23 of the partition's date |
//! | `item_id` | BYTE_ARRAY, STRING |
//! | `categories` | LIST of STRING: the paths below this top-level category |
//! | `is_primary` | BOOLEAN |
//! | `purchases` | INT64: number of events |
//! | `units` | INT64 |
//! | `amount` | FIXED_LEN_BYTE_ARRAY(16), DECIMAL(38,4) |
//!
//! Rows are sorted by `item_id`, `categories`, `is_primary`, `hour`; no two share all four.

use std::sync::Arc;

use arrow::array::{BooleanBuilder, Decimal128Builder, Int32Builder, Int64Builder, StringBuilder};
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type};
use bytes::Bytes;

use crate::columns::fields::{batch_of, flags, numbers, text_lists, text_lists_builder, texts};
use crate::columns::parquet_file::{ColumnsError, Encoded, decode};
use crate::event::{SumRow, SumRows, Sums};
use crate::time::{Date, Hour};

const ROWS_PER_GROUP: usize = 1 << 20;

/// One row of a rollup file.
#[derive(Clone, Copy, Debug)]
pub struct SumLine<'a> {
    pub hour_of_day: i32,
    pub item_id: &'a str,
    /// Joined by `|`.
    pub paths: &'a str,
    pub is_primary: bool,
    pub sums: Sums,
}

/// Returns the file of the given rows, in their order.
///
/// # Errors
/// Fails where the rows do not fit into Parquet.
pub fn encode_sums<'a>(lines: impl IntoIterator<Item = SumLine<'a>>) -> Result<Encoded, ColumnsError> {
    let mut hour = Int32Builder::new();
    let mut item_id = StringBuilder::new();
    let mut categories = text_lists_builder();
    let mut is_primary = BooleanBuilder::new();
    let mut purchases = Int64Builder::new();
    let mut units = Int64Builder::new();
    let mut amount = Decimal128Builder::new();
    for line in lines {
        hour.append_value(line.hour_of_day);
        item_id.append_value(line.item_id);
        categories.append_value(line.paths.split('|').filter(|path| !path.is_empty()).map(Some));
        is_primary.append_value(line.is_primary);
        purchases.append_value(line.sums.purchases);
        units.append_value(line.sums.units);
        amount.append_value(line.sums.amount);
    }
    let batch = batch_of(vec![
        ("hour", Arc::new(hour.finish())),
        ("item_id", Arc::new(item_id.finish())),
        ("categories", Arc::new(categories.finish())),
        ("is_primary", Arc::new(is_primary.finish())),
        ("purchases", Arc::new(purchases.finish())),
        ("units", Arc::new(units.finish())),
        ("amount", Arc::new(amount.finish().with_precision_and_scale(38, 4)?)),
    ])?;
    Encoded::of(&batch, ROWS_PER_GROUP)
}

/// Appends a rollup file's rows of the wanted hours and sets of paths.
///
/// # Errors
/// Fails where the bytes are not such a file.
pub fn decode_sums(
    bytes: Bytes,
    date: Date,
    wants_hour: &dyn Fn(Hour) -> bool,
    wants_paths: &dyn Fn(&str) -> bool,
    into: &mut SumRows,
) -> Result<(), ColumnsError> {
    let columns = ["hour", "item_id", "categories", "is_primary", "purchases", "units", "amount"];
    let hours_wanted: Vec<bool> = (0..24).map(|hour| wants_hour(Hour::of(date, hour))).collect();
    let mut scratch = String::new();
    // Rows are sorted by item and paths, so the last one's numbers mostly serve again.
    let mut last_item: Option<(String, u32)> = None;
    let mut last_paths: Option<(String, Option<u32>)> = None;
    for batch in decode(bytes, &columns)? {
        let batch = &batch?;
        let hour = numbers::<Int32Type>(batch, "hour")?;
        let item_id = texts(batch, "item_id")?;
        let categories = text_lists(batch, "categories")?;
        let is_primary = flags(batch, "is_primary")?;
        let purchases = numbers::<Int64Type>(batch, "purchases")?;
        let units = numbers::<Int64Type>(batch, "units")?;
        let amount = numbers::<Decimal128Type>(batch, "amount")?;
        for row in 0..batch.num_rows() {
            let hour = hour.value(row);
            let wanted = usize::try_from(hour).ok().and_then(|at| hours_wanted.get(at));
            if !*wanted.ok_or(ColumnsError::Column("hour"))? {
                continue;
            }
            let paths = categories.joined(row, &mut scratch);
            let path_set = match &last_paths {
                Some((text, code)) if text == paths => *code,
                _ => {
                    let code = wants_paths(paths).then(|| into.path_sets.code(paths));
                    last_paths = Some((paths.to_owned(), code));
                    code
                }
            };
            let Some(path_set) = path_set else { continue };
            let item_text = item_id.value(row);
            let item = match &last_item {
                Some((text, code)) if text == item_text => *code,
                _ => {
                    let code = into.items.code(item_text);
                    last_item = Some((item_text.to_owned(), code));
                    code
                }
            };
            into.rows.push(SumRow {
                item,
                path_set,
                hour: Hour::of(date, hour),
                is_primary: is_primary.value(row),
                sums: Sums {
                    purchases: purchases.value(row),
                    units: units.value(row),
                    amount: amount.value(row),
                },
            });
        }
    }
    Ok(())
}
