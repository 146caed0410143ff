//! Other people's Parquet: any file with the columns that a purchase log has, by name.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::columns::ColumnsError;
use crate::columns::parquet_file::plain_options;

const ROWS_PER_BATCH: usize = 8_192;

/// A Parquet file of purchases, read some rows at a time.
pub struct ForeignFile {
    reader: ParquetRecordBatchReader,
    columns: Vec<String>,
    rows: u64,
}

/// When a foreign row says it happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ForeignTime<'a> {
    /// Microseconds since 1970; a timestamp without a zone counts as UTC.
    Micros(i64),
    /// An epoch number of whatever unit.
    Epoch(i64),
    Text(&'a str),
    Missing,
}

/// Some rows of a foreign file, each column as the fields of a log.
pub struct ForeignBatch {
    rows: usize,
    ts: Option<ArrayRef>,
    texts: Vec<TextColumn>,
    lists: Vec<(String, ArrayRef)>,
}

/// A column as texts, and as it came.
struct TextColumn {
    name: String,
    texts: StringArray,
    original: ArrayRef,
}

/// A value is there, and is no text: bytes that are not UTF-8, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotText;

impl ForeignFile {
    /// Reads the footer, and keeps the wanted columns alone.
    ///
    /// # Errors
    /// Fails where the file is no Parquet.
    pub fn open(file: File, wanted: &[&str]) -> Result<ForeignFile, ColumnsError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, plain_options())?;
        let schema = builder.parquet_schema();
        let names: Vec<String> =
            schema.root_schema().get_fields().iter().map(|f| f.name().to_owned()).collect();
        let kept: Vec<usize> = (0..names.len()).filter(|&at| wanted.contains(&names[at].as_str())).collect();
        let mask = ProjectionMask::roots(schema, kept.iter().copied());
        let rows = builder.metadata().file_metadata().num_rows().max(0).unsigned_abs();
        Ok(ForeignFile {
            reader: builder.with_projection(mask).with_batch_size(ROWS_PER_BATCH).build()?,
            columns: kept.into_iter().map(|at| names[at].clone()).collect(),
            rows,
        })
    }

    /// Returns the wanted columns that the file has.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Returns how many rows the file has.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl Iterator for ForeignFile {
    type Item = Result<ForeignBatch, ColumnsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.map_err(ColumnsError::from).and_then(|batch| ForeignBatch::of(&batch)))
    }
}

impl ForeignBatch {
    fn of(batch: &RecordBatch) -> Result<ForeignBatch, ColumnsError> {
        let mut into =
            ForeignBatch { rows: batch.num_rows(), ts: None, texts: Vec::new(), lists: Vec::new() };
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let name = field.name().clone();
            if name == "ts" {
                into.ts = Some(time_column(column)?);
            } else if matches!(column.data_type(), DataType::List(_)) {
                into.lists.push((name, Arc::clone(column)));
            } else {
                into.texts.push(TextColumn {
                    name,
                    texts: text_column(column)?,
                    original: Arc::clone(column),
                });
            }
        }
        Ok(into)
    }

    /// Returns how many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns when a row says it happened.
    pub fn time(&self, row: usize) -> ForeignTime<'_> {
        let Some(column) = self.ts.as_ref().filter(|column| column.is_valid(row)) else {
            return ForeignTime::Missing;
        };
        match column.data_type() {
            DataType::Timestamp(..) => {
                ForeignTime::Micros(column.as_primitive::<TimestampMicrosecondType>().value(row))
            }
            DataType::Int64 => ForeignTime::Epoch(column.as_primitive::<Int64Type>().value(row)),
            _ => ForeignTime::Text(column.as_string::<i32>().value(row)),
        }
    }

    /// Returns a row's field as a log would have it; none where it is null or no such column.
    ///
    /// # Errors
    /// The value is no text.
    pub fn text(&self, name: &str, row: usize) -> Result<Option<&str>, NotText> {
        let Some(column) = self.texts.iter().find(|column| column.name == name) else { return Ok(None) };
        if column.texts.is_valid(row) {
            return Ok(Some(column.texts.value(row)));
        }
        // Not-a-number stands for no value where the column is one of floats.
        let is_lost = column.original.is_valid(row) && !column.original.data_type().is_floating();
        if is_lost { Err(NotText) } else { Ok(None) }
    }

    /// Returns a row's list of texts, or of lists of texts, whichever the column has.
    ///
    /// # Errors
    /// The list holds something that is no text, or nothing.
    pub fn list(&self, name: &str, row: usize) -> Result<Option<Vec<Vec<String>>>, NotText> {
        let Some((_, column)) = self.lists.iter().find(|(of, _)| of == name) else { return Ok(None) };
        let list = column.as_list::<i32>();
        if list.is_null(row) {
            return Ok(None);
        }
        let values = list.value(row);
        if let Some(inner) = values.as_list_opt::<i32>() {
            return (0..inner.len()).map(|at| strings(&inner.value(at))).collect::<Result<_, _>>().map(Some);
        }
        Ok(Some(strings(&values)?.into_iter().map(|text| vec![text]).collect()))
    }

    /// Tells whether the column's lists hold lists.
    pub fn is_nested(&self, name: &str) -> bool {
        let column = self.lists.iter().find(|(of, _)| of == name);
        column.is_some_and(
            |(_, c)| matches!(c.data_type(), DataType::List(f) if matches!(f.data_type(), DataType::List(_))),
        )
    }
}

fn strings(values: &ArrayRef) -> Result<Vec<String>, NotText> {
    let texts = cast(values, &DataType::Utf8).map_err(|_| NotText)?;
    texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned).ok_or(NotText)).collect()
}

/// Returns a column of moments as microseconds, of integers as they are, of anything else as text.
fn time_column(column: &ArrayRef) -> Result<ArrayRef, ColumnsError> {
    let to = match column.data_type() {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        of if of.is_integer() => DataType::Int64,
        _ => return Ok(Arc::new(text_column(column)?)),
    };
    cast(column, &to).map_err(|_| ColumnsError::Column("ts"))
}

/// Returns a column as texts; floats that are whole numbers lose their point, since other
/// programs turn integers with gaps into floats.
fn text_column(column: &ArrayRef) -> Result<StringArray, ColumnsError> {
    if column.data_type().is_floating() {
        let floats = cast(column, &DataType::Float64)?;
        let floats: &Float64Array = floats.as_primitive::<Float64Type>();
        // Not-a-number is how those programs write that there is none.
        return Ok(floats
            .iter()
            .map(|value| value.filter(|v| !v.is_nan()).map(|v| format!("{v}")))
            .collect());
    }
    let texts = cast(column, &DataType::Utf8)?;
    Ok(texts.as_string::<i32>().clone())
}
