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
//! Rows are sorted by `item_id`, `categories`, `is_primary`, `hour`; no two share all four. The
//! footer's key-value metadata has `topsell.paths`: a JSON array of all the paths in the file, by
//! which it can be passed over.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    BooleanArray, BooleanBuilder, Decimal128Array, Decimal128Builder, Int32Array, Int32Builder, Int64Array,
    Int64Builder, RecordBatch, StringArray, StringBuilder,
};
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type};
use bytes::Bytes;
use parquet::file::statistics::Statistics;

use crate::columns::coded::{CodedLists, Coder, coded_lists};
use crate::columns::fields::{batch_of, flags, numbers, text_lists_builder, texts};
use crate::columns::parquet_file::{ColumnsError, Encoded, decode_coded, footer, label};
use crate::event::{Names, Sums};

/// Small groups, so that the items between two bounds are found without the rest.
const ROWS_PER_GROUP: usize = 1 << 17;
const COLUMNS: [&str; 7] = ["hour", ITEM_ID, "categories", "is_primary", "purchases", "units", "amount"];
const ITEM_ID: &str = "item_id";
/// An id that comes again comes at once, and amounts seldom do: compression finds what repeats in
/// less room than a dictionary and the numbers of its entries take, and no text is looked up.
const PLAIN: [&str; 2] = [ITEM_ID, "amount"];
const PATHS: &str = "topsell.paths";

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
    let mut paths = BTreeSet::new();
    let mut last_paths = None;
    for line in lines {
        hour.append_value(line.hour_of_day);
        item_id.append_value(line.item_id);
        let paths_of_line = || line.paths.split('|').filter(|path| !path.is_empty());
        categories.append_value(paths_of_line().map(Some));
        if last_paths != Some(line.paths) {
            paths.extend(paths_of_line());
            last_paths = Some(line.paths);
        }
        is_primary.append_value(line.is_primary);
        purchases.append_value(line.sums.purchases);
        units.append_value(line.sums.units);
        amount.append_value(line.sums.amount);
    }
    let batch = batch_of(vec![
        ("hour", Arc::new(hour.finish())),
        (ITEM_ID, Arc::new(item_id.finish())),
        ("categories", Arc::new(categories.finish())),
        ("is_primary", Arc::new(is_primary.finish())),
        ("purchases", Arc::new(purchases.finish())),
        ("units", Arc::new(units.finish())),
        ("amount", Arc::new(amount.finish().with_precision_and_scale(38, 4)?)),
    ])?;
    let paths = serde_json::to_string(&paths).map_err(|e| ColumnsError::Unwritable(e.to_string()))?;
    Encoded::of(&batch, ROWS_PER_GROUP, &[(PATHS, paths)], &PLAIN)
}

/// Returns all the paths in a rollup file, whose end is given; none where they are not known or the
/// end given is too short.
///
/// # Errors
/// Fails where this is no end of a Parquet file.
pub fn paths_of(tail: &Bytes, size: u64) -> Result<Option<Vec<String>>, ColumnsError> {
    let text = label(tail, size, PATHS)?.and_then(|label| label.0);
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// The items to read: those from one id on, up to but not including another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemRange {
    pub from: Option<String>,
    pub until: Option<String>,
}

/// Some rows of a rollup file, in its order.
pub struct SumBatch {
    hour: Int32Array,
    item_id: StringArray,
    categories: CodedLists,
    is_primary: BooleanArray,
    purchases: Int64Array,
    units: Int64Array,
    amount: Decimal128Array,
}

/// Returns a rollup file's rows, some at a time; all of the range's, and some around them.
///
/// # Errors
/// Fails, or an item does, where the bytes are not such a file.
pub fn decode_sums(
    bytes: Bytes,
    range: &ItemRange,
) -> Result<impl Iterator<Item = Result<SumBatch, ColumnsError>> + Send + use<>, ColumnsError> {
    let may_hold = |item_id: Option<&Statistics>| {
        let ends = item_id.and_then(|of| of.min_bytes_opt().zip(of.max_bytes_opt()));
        let is_before = |max: &[u8]| range.from.as_ref().is_some_and(|from| max < from.as_bytes());
        let is_behind = |min: &[u8]| range.until.as_ref().is_some_and(|until| min >= until.as_bytes());
        ends.is_none_or(|(min, max)| !is_before(max) && !is_behind(min))
    };
    let batches = decode_coded(bytes, &COLUMNS, &["categories"], (ITEM_ID, &may_hold))?;
    Ok(batches.map(|batch| {
        let batch = &batch?;
        SumBatch::of(batch)
    }))
}

/// Returns the smallest item id of each group of rows, perhaps cut short: where a file can be parted.
///
/// # Errors
/// Fails where the bytes are no Parquet file.
pub fn first_items(bytes: &Bytes) -> Result<Vec<String>, ColumnsError> {
    let footer = footer(bytes)?;
    let column = footer.parquet_schema().columns().iter().position(|column| column.name() == ITEM_ID);
    let column = column.ok_or(ColumnsError::Column(ITEM_ID))?;
    let groups = footer.metadata().row_groups().iter();
    let first = groups.filter_map(|group| group.column(column).statistics()?.min_bytes_opt());
    // A text that is cut in the middle of a letter bounds nothing less for being left out.
    Ok(first.filter_map(|min| String::from_utf8(min.to_vec()).ok()).collect())
}

impl SumBatch {
    fn of(batch: &RecordBatch) -> Result<SumBatch, ColumnsError> {
        let hour = numbers::<Int32Type>(batch, "hour")?;
        if !hour.values().iter().all(|hour| (0..24).contains(hour)) {
            return Err(ColumnsError::Column("hour"));
        }
        Ok(SumBatch {
            hour,
            item_id: texts(batch, ITEM_ID)?,
            categories: coded_lists(batch, "categories")?,
            is_primary: flags(batch, "is_primary")?,
            purchases: numbers::<Int64Type>(batch, "purchases")?,
            units: numbers::<Int64Type>(batch, "units")?,
            amount: numbers::<Decimal128Type>(batch, "amount")?,
        })
    }

    /// Returns how many rows there are.
    pub fn rows(&self) -> usize {
        self.hour.len()
    }

    /// Returns the hour, 0 to 23.
    pub fn hour_of_day(&self, row: usize) -> i32 {
        self.hour.value(row)
    }

    /// Returns the item's id.
    pub fn item_id(&self, row: usize) -> &str {
        self.item_id.value(row)
    }

    /// Returns the number of the paths, joined by `|`, in a table of names.
    pub fn path_set(&self, row: usize, coder: &mut Coder, names: &mut Names) -> u32 {
        coder.code_of_list(&self.categories, row, names)
    }

    /// Returns whether the sums count shop-wide.
    pub fn is_primary(&self, row: usize) -> bool {
        self.is_primary.value(row)
    }

    /// Returns the sums.
    pub fn sums(&self, row: usize) -> Sums {
        Sums {
            purchases: self.purchases.value(row),
            units: self.units.value(row),
            amount: self.amount.value(row),
        }
    }
}
