//! Rows of an external Parquet file as JSON, for fields inside structs and lists.
//!
//! Times are RFC 3339 in UTC, dates the midnight before them; decimals keep their digits; bytes of a fixed
//! size are hexadecimal.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};
use arrow::json::LineDelimitedWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::external_parquet::ExternalFile;
use crate::parquet_format::panic_guard::{GuardedBatches, guarded};

/// Rows may be long, and are held as text.
const ROWS_PER_BATCH: usize = 1_024;

/// The rows, read in batches.
pub struct ExternalJson {
    reader: GuardedBatches<ParquetRecordBatchReader>,
    rows: u64,
}

impl ExternalFile {
    /// Returns whether a path, such as `items[].sku`, is a value of the file's rows, or may be one inside a
    /// text or a map.
    pub fn has_path(&self, path: &str) -> bool {
        self.schema().fields().iter().any(|field| has_path(field, path))
    }

    /// Returns the file's rows with only the columns that the paths begin with.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn json_rows(self, paths: &[String]) -> Result<ExternalJson, ColumnsError> {
        let begins = |column: &String| {
            paths.iter().any(|path| path.strip_prefix(&**column).is_some_and(is_step_or_end))
        };
        let columns: Vec<usize> =
            self.columns().iter().enumerate().filter(|(_, name)| begins(name)).map(|(at, _)| at).collect();
        let (reader, rows) = self.read(&columns, ROWS_PER_BATCH)?;
        Ok(ExternalJson { reader, rows })
    }
}

impl ExternalJson {
    /// Returns how many rows the file has.
    pub fn total(&self) -> u64 {
        self.rows
    }
}

/// The rows of a batch, an object a line.
impl Iterator for ExternalJson {
    type Item = Result<Vec<u8>, ColumnsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.and_then(|batch| guarded(|| to_json(&batch))))
    }
}

fn to_json(batch: &RecordBatch) -> Result<Vec<u8>, ColumnsError> {
    let plain: Vec<(Field, ArrayRef)> = batch
        .schema()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            let of = plain_type(field.data_type());
            let column = cast(column, &of)?;
            Ok((Field::new(field.name(), of, true), column))
        })
        .collect::<Result<_, ColumnsError>>()?;
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = plain.into_iter().unzip();
    if columns.is_empty() {
        return Ok(b"{}\n".repeat(batch.num_rows()));
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let mut lines = LineDelimitedWriter::new(Vec::new());
    lines.write(&batch)?;
    lines.finish()?;
    Ok(lines.into_inner())
}

/// Returns a type of the same values that JSON can have.
fn plain_type(of: &DataType) -> DataType {
    let inner = |field: &FieldRef| Arc::new(Field::new(field.name(), plain_type(field.data_type()), true));
    match of {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        DataType::Utf8View
        | DataType::LargeUtf8
        | DataType::BinaryView
        | DataType::Binary
        | DataType::LargeBinary => DataType::Utf8,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => DataType::Utf8,
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            DataType::List(inner(field))
        }
        of => of.clone(),
    }
}

fn is_step_or_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['.', '['])
}

fn has_path(field: &Field, path: &str) -> bool {
    path.strip_prefix(field.name().as_str())
        .filter(|rest| is_step_or_end(rest))
        .is_some_and(|rest| has_rest(field.data_type(), rest))
}

fn has_rest(of: &DataType, rest: &str) -> bool {
    let (of, rest) = match (of, rest.strip_prefix("[]")) {
        (
            DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _),
            Some(rest),
        ) => {
            return has_rest(element.data_type(), rest);
        }
        // One struct in the place of a list is its only element.
        (of @ DataType::Struct(_), Some(rest)) => (of, rest),
        (of, _) => (of, rest),
    };
    match (of, rest.strip_prefix('.')) {
        _ if rest.is_empty() => true,
        (DataType::Struct(fields), Some(path)) => fields.iter().any(|field| has_path(field, path)),
        (DataType::Map(..) | DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8, _) => true,
        _ => false,
    }
}
