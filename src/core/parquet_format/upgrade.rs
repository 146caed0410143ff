//! Rewrites files of older lakes: with decimals where units are whole numbers, and with the category and the hour
//! of each row where these were in the partition.
//!
//! Invariant: the rows, their order and all other columns stay as they were.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{Decimal128Type, Field, FieldRef, Int64Type, Schema};
use bytes::Bytes;

use crate::model::{Date, Hour, Interner, Units};
use crate::parquet_format::aggregate_batch::AggregateBlock;
use crate::parquet_format::aggregate_reader::{ItemRange, decode_aggregates};
use crate::parquet_format::aggregates::{AggregateLine, encode_aggregates};
use crate::parquet_format::dictionary::DictionaryInterner;
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::event_rewrite::{encoded_events, rows_of};
use crate::parquet_format::events::{CATEGORY, COLUMNS, HOUR};
use crate::parquet_format::parquet_file::Encoded;
use crate::parquet_format::pick_rows::all_rows;
use crate::parquet_format::units_column::UNITS;

const QUANTITY: &str = "quantity";

/// Returns an `events` file with quantities as decimals.
///
/// # Errors
/// Fails where the bytes are not such a file.
pub fn with_decimal_quantities(bytes: &Bytes) -> Result<Encoded, ColumnsError> {
    let batches: Result<Vec<RecordBatch>, ColumnsError> = rows_of(bytes)?.iter().map(with_decimals).collect();
    let batches = batches?;
    encoded_events(&batches, &all_rows(&batches))
}

fn with_decimals(batch: &RecordBatch) -> Result<RecordBatch, ColumnsError> {
    let schema = batch.schema();
    let at = schema.index_of(QUANTITY).map_err(|_| ColumnsError::Column(QUANTITY))?;
    let column = batch.column(at);
    if column.as_primitive_opt::<Decimal128Type>().is_some() {
        return Ok(batch.clone());
    }
    let whole = column.as_primitive_opt::<Int64Type>().ok_or(ColumnsError::Column(QUANTITY))?;
    let decimal = |value: i64| {
        let units = Units::whole(value).ok_or(ColumnsError::Column(QUANTITY))?;
        Ok(i128::from(units.ten_thousandths()))
    };
    let decimals: Result<Vec<Option<i128>>, ColumnsError> =
        whole.iter().map(|value| value.map(decimal).transpose()).collect();
    let decimals = Decimal128Array::from(decimals?).with_data_type(UNITS);
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields[at] = Arc::new(Field::new(QUANTITY, UNITS, fields[at].is_nullable()));
    let mut columns = batch.columns().to_vec();
    columns[at] = Arc::new(decimals);
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// Returns an `events` file with columns of the hour of the day and the category that all its rows have.
///
/// # Errors
/// Fails where the bytes are not such a file.
pub fn with_hour_and_category(
    bytes: &Bytes,
    hour: i32,
    category: Option<&str>,
) -> Result<Encoded, ColumnsError> {
    let with_both = |batch: &RecordBatch| {
        let rows = batch.num_rows();
        if batch.column_by_name(HOUR).is_some() {
            return Ok(batch.clone());
        }
        let mut fields: Vec<FieldRef> = batch.schema().fields().iter().cloned().collect();
        let mut columns = batch.columns().to_vec();
        let mut insert = |at: usize, name: &str, values: ArrayRef| {
            fields.insert(at, Arc::new(Field::new(name, values.data_type().clone(), true)));
            columns.insert(at, values);
        };
        let place = |name: &str| COLUMNS.iter().position(|column| *column == name);
        let [of_hour, of_category] =
            [HOUR, CATEGORY].map(|name| place(name).ok_or(ColumnsError::Column(HOUR)));
        insert(of_hour?, HOUR, Arc::new(Int32Array::from(vec![hour; rows])));
        insert(of_category?, CATEGORY, Arc::new(StringArray::from(vec![category; rows])));
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    };
    let batches: Result<Vec<RecordBatch>, ColumnsError> = rows_of(bytes)?.iter().map(with_both).collect();
    let batches = batches?;
    encoded_events(&batches, &all_rows(&batches))
}

/// Returns a file of aggregates as it is written now: with units as decimals, and with the category of each row, which
/// its paths tell.
///
/// # Errors
/// Fails where the bytes are not such a file.
pub fn rewrite_aggregates(bytes: &Bytes) -> Result<Encoded, ColumnsError> {
    let (mut items, mut path_sets, mut rows) = (Interner::default(), Interner::default(), Vec::new());
    let (mut interner, mut block) = (DictionaryInterner::default(), AggregateBlock::default());
    // Only the hour of the day is kept.
    let epoch = Date::parse("1970-01-01").ok_or(ColumnsError::Column("hour"))?;
    let hours: Vec<Option<Hour>> = (0..24).map(|hour| Some(Hour::of(epoch, hour))).collect();
    for batch in decode_aggregates(bytes.clone(), &ItemRange::default(), None)? {
        let batch = batch?.within(hours.len())?;
        batch.read(&mut interner, &mut path_sets, &mut block);
        for of_item in &block.items {
            let item = items.code(batch.item_id(of_item.row));
            rows.extend(batch.rows_of(of_item, &block, &hours).map(|row| row.of_item(item)));
        }
    }
    encode_aggregates(rows.iter().map(|row| AggregateLine {
        hour: row.hour.of_day(),
        item_id: items.name(row.item),
        paths: path_sets.name(row.path_set),
        is_primary: row.is_primary,
        aggregate: row.aggregate,
    }))
}
