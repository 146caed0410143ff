//! What a table's log tells of a file's columns, so that engines can pass the file over.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::compute::{max, max_boolean, max_string, min, min_boolean, min_string};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType,
};

use crate::columns::ColumnsError;

/// Characters of a text that a log keeps.
const KEPT_CHARS: usize = 32;

/// One column of a file.
#[derive(Clone, Debug)]
pub struct ColumnFacts {
    pub name: String,
    /// How many rows have no value.
    pub nulls: u64,
    /// Nothing in the column is less or more than these, each an array of one; a column of lists
    /// has none.
    pub range: Option<(ArrayRef, ArrayRef)>,
}

/// Returns the facts of every column: some readers take a column whose range is missing for one
/// that no value can match, and wrongly pass the file over.
pub(super) fn facts(batch: &RecordBatch) -> Result<Vec<ColumnFacts>, ColumnsError> {
    let fields = batch.schema();
    let columns = fields.fields().iter().zip(batch.columns());
    let of_column = columns.map(|(field, column)| {
        Ok(ColumnFacts {
            name: field.name().clone(),
            nulls: column.null_count() as u64,
            range: range(column)?,
        })
    });
    of_column.collect()
}

fn range(column: &ArrayRef) -> Result<Option<(ArrayRef, ArrayRef)>, ColumnsError> {
    Ok(Some(match column.data_type() {
        DataType::Int32 => of_numbers::<Int32Type>(column),
        DataType::Int64 => of_numbers::<Int64Type>(column),
        DataType::Timestamp(..) => of_numbers::<TimestampMicrosecondType>(column),
        DataType::Decimal128(..) => of_numbers::<Decimal128Type>(column),
        DataType::Boolean => {
            let flags = column.as_boolean();
            let one = |flag: Option<bool>| Arc::new(BooleanArray::from(vec![flag]));
            (one(min_boolean(flags)), one(max_boolean(flags)))
        }
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            let one = |text: Option<String>| Arc::new(StringArray::from(vec![text]));
            (one(min_string(texts).map(lower_bound)), one(max_string(texts).map(upper_bound)))
        }
        _ => return Ok(None),
    }))
}

fn of_numbers<T: ArrowPrimitiveType>(column: &ArrayRef) -> (ArrayRef, ArrayRef) {
    let numbers = column.as_primitive::<T>();
    let one = |number: Option<T::Native>| -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::from_iter([number]).with_data_type(column.data_type().clone()))
    };
    (one(min(numbers)), one(max(numbers)))
}

fn lower_bound(text: &str) -> String {
    text.chars().take(KEPT_CHARS).collect()
}

/// A cut text sorts before the whole; the last of all characters behind it makes up for that.
fn upper_bound(text: &str) -> String {
    let mut kept = lower_bound(text);
    if kept.len() < text.len() {
        kept.push(char::MAX);
    }
    kept
}
