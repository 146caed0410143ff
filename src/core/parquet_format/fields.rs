//! Typed columns of a batch; a missing one is an error that names it.

use arrow::array::{AsArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::ArrowPrimitiveType;

use crate::parquet_format::error::ColumnsError;

/// Returns a column of numbers.
pub(super) fn numbers<T: ArrowPrimitiveType>(
    batch: &RecordBatch,
    name: &'static str,
) -> Result<PrimitiveArray<T>, ColumnsError> {
    let column = batch.column_by_name(name).ok_or(ColumnsError::Column(name))?;
    column.as_primitive_opt::<T>().cloned().ok_or(ColumnsError::Column(name))
}

/// Returns a column of texts.
pub(super) fn texts(batch: &RecordBatch, name: &'static str) -> Result<StringArray, ColumnsError> {
    let column = batch.column_by_name(name).ok_or(ColumnsError::Column(name))?;
    column.as_string_opt::<i32>().cloned().ok_or(ColumnsError::Column(name))
}

/// Returns a column of flags.
pub(super) fn flags(
    batch: &RecordBatch,
    name: &'static str,
) -> Result<arrow::array::BooleanArray, ColumnsError> {
    let column = batch.column_by_name(name).ok_or(ColumnsError::Column(name))?;
    column.as_boolean_opt().cloned().ok_or(ColumnsError::Column(name))
}
