//! Column statistics of a file for a table's log, by which engines can skip the file.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int32Array, Int64Array, PrimitiveArray,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::{max, max_boolean, max_string, min, min_boolean, min_string};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Field, Int32Type, Int64Type, TimestampMicrosecondType,
};

use crate::parquet_format::error::ColumnsError;

/// Characters that a bound in the log keeps of a text.
const KEPT_CHARS: usize = 32;

/// One column of a file.
#[derive(Clone, Debug)]
pub struct ColumnStats {
    pub name: String,
    /// How many rows have no value.
    pub nulls: u64,
    /// The least and the greatest value, each as an array of one; `None` for a column of lists.
    pub range: Option<(ArrayRef, ArrayRef)>,
}

/// The least and the greatest value of a column.
#[derive(Clone, Debug)]
pub(super) enum Range {
    Numbers(i64, i64),
    Wide(i128, i128),
    Flags(bool, bool),
    Texts(String, String),
}

impl Range {
    /// Returns the range that covers both.
    pub fn and(self, other: Range) -> Range {
        match (self, other) {
            (Range::Numbers(a, b), Range::Numbers(c, d)) => Range::Numbers(a.min(c), b.max(d)),
            (Range::Wide(a, b), Range::Wide(c, d)) => Range::Wide(a.min(c), b.max(d)),
            (Range::Flags(a, b), Range::Flags(c, d)) => Range::Flags(a.min(c), b.max(d)),
            (Range::Texts(a, b), Range::Texts(c, d)) => Range::Texts(a.min(c), b.max(d)),
            // A column has values of one type.
            (one, _) => one,
        }
    }
}

impl ColumnStats {
    /// Returns the statistics of a column, given its range if it has any value.
    pub(super) fn of(field: &Field, nulls: u64, range: Option<Range>) -> ColumnStats {
        let (least, most) = match range {
            Some(Range::Numbers(least, most)) => {
                (End::Number(i128::from(least)), End::Number(i128::from(most)))
            }
            Some(Range::Wide(least, most)) => (End::Number(least), End::Number(most)),
            Some(Range::Flags(least, most)) => (End::Flag(least), End::Flag(most)),
            Some(Range::Texts(least, most)) => {
                (End::Text(lower_bound(&least)), End::Text(upper_bound(&most)))
            }
            None => (End::None, End::None),
        };
        let of = field.data_type();
        let range = least.array(of).zip(most.array(of));
        ColumnStats { name: field.name().clone(), nulls, range }
    }
}

/// One bound of a range.
pub(super) enum End {
    Number(i128),
    Flag(bool),
    Text(String),
    None,
}

impl End {
    /// Returns the bound as an array of one; `None` for a column of lists.
    pub fn array(self, of: &DataType) -> Option<ArrayRef> {
        let wide = match self {
            End::Number(number) => Some(number),
            _ => None,
        };
        // The number comes from a column of this type.
        let number = wide.and_then(|number| i64::try_from(number).ok());
        let small = wide.and_then(|number| i32::try_from(number).ok());
        Some(match (of, self) {
            (DataType::Int32, _) => Arc::new(Int32Array::from(vec![small])),
            (DataType::Int64, _) => Arc::new(Int64Array::from(vec![number])),
            (DataType::Timestamp(..), _) => {
                Arc::new(TimestampMicrosecondArray::from(vec![number]).with_data_type(of.clone()))
            }
            (DataType::Decimal128(..), _) => {
                Arc::new(Decimal128Array::from(vec![wide]).with_data_type(of.clone()))
            }
            (DataType::Boolean, End::Flag(flag)) => Arc::new(BooleanArray::from(vec![flag])),
            (DataType::Boolean, _) => Arc::new(BooleanArray::from(vec![None])),
            (DataType::Utf8, End::Text(text)) => Arc::new(StringArray::from(vec![text])),
            (DataType::Utf8, _) => Arc::new(StringArray::from(vec![None::<&str>])),
            _ => return None,
        })
    }
}

/// Returns the statistics of every column: some readers wrongly skip a file that has no range of a
/// column they filter by.
pub(super) fn facts(batch: &RecordBatch) -> Result<Vec<ColumnStats>, ColumnsError> {
    let fields = batch.schema();
    let columns = fields.fields().iter().zip(batch.columns());
    let of_column = columns.map(|(field, column)| {
        Ok(ColumnStats {
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

/// Returns a short text that is not greater.
pub(super) fn lower_bound(text: &str) -> String {
    text.chars().take(KEPT_CHARS).collect()
}

/// Returns a short text that is not less.
///
/// A truncated text sorts before the whole one; the greatest character, appended, makes up for that.
pub(super) fn upper_bound(text: &str) -> String {
    let mut kept = lower_bound(text);
    if kept.len() < text.len() {
        kept.push(char::MAX);
    }
    kept
}
