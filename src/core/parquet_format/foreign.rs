//! Other people's Parquet: the columns that are wanted of any file, as fields.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Float32Type, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type as PhysicalType;
use parquet::schema::types::TypePtr;

use crate::model::{CategoryError, PathSet, check_path, encode_levels};
use crate::parquet_format::ColumnsError;
use crate::parquet_format::guard::{Guarded, guarded};
use crate::parquet_format::parquet_file::plain_options;

const ROWS_PER_BATCH: usize = 8_192;

/// A Parquet file whose footer was read.
pub struct ForeignFile {
    builder: ParquetRecordBatchReaderBuilder<File>,
    columns: Vec<String>,
}

/// A column to read, by its place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// As moments.
    Time(usize),
    /// As texts, or lists of them.
    Text(usize),
}

/// The rows of a foreign file, read some at a time.
pub struct ForeignRows {
    reader: Guarded<ParquetRecordBatchReader>,
    /// For each wanted column its place in what the reader gives.
    wanted: Vec<Wanted>,
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

/// Some rows of a foreign file, each wanted column as the fields of a log.
pub struct ForeignBatch {
    rows: usize,
    columns: Vec<Column>,
}

/// A column in the form that its values are asked for in.
enum Column {
    Time(ArrayRef),
    List(ArrayRef),
    /// As texts, and as it came.
    Text(StringViewArray, ArrayRef),
}

/// A value is there, and is no text: bytes that are not UTF-8, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotText;

/// A list is no set of category paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadPaths {
    NotText,
    Category(CategoryError),
}

impl ForeignFile {
    /// Reads the footer.
    ///
    /// # Errors
    /// Fails where the file is no Parquet.
    pub fn open(file: File) -> Result<ForeignFile, ColumnsError> {
        let footer = guarded(|| Ok(ArrowReaderMetadata::load(&file, plain_options())?))?;
        let roots = footer.parquet_schema().root_schema().get_fields();
        let fields = footer.schema().fields().iter().zip(roots);
        let viewed = Schema::new(fields.map(|(field, root)| viewed(field, root)).collect::<Vec<_>>());
        let options = plain_options().with_schema(Arc::new(viewed));
        let footer = guarded(|| Ok(ArrowReaderMetadata::try_new(Arc::clone(footer.metadata()), options)?))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer);
        let fields = builder.parquet_schema().root_schema().get_fields();
        let columns = fields.iter().map(|field| field.name().to_owned()).collect();
        Ok(ForeignFile { builder, columns })
    }

    /// Returns the names of the file's columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Returns the file's rows with the wanted columns alone, in the order they are wanted in.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn rows(self, wanted: &[Wanted]) -> Result<ForeignRows, ColumnsError> {
        let mut kept: Vec<usize> = wanted.iter().map(|wanted| wanted.place()).collect();
        kept.sort_unstable();
        kept.dedup();
        let place = |column: usize| kept.partition_point(|&kept| kept < column);
        let read = |wanted: &Wanted| match *wanted {
            Wanted::Time(column) => Wanted::Time(place(column)),
            Wanted::Text(column) => Wanted::Text(place(column)),
        };
        let wanted = wanted.iter().map(read).collect();
        let mask = ProjectionMask::roots(self.builder.parquet_schema(), kept.iter().copied());
        let rows = self.builder.metadata().file_metadata().num_rows().max(0).unsigned_abs();
        let reader = self.builder.with_projection(mask).with_batch_size(ROWS_PER_BATCH);
        let reader = Guarded::of(guarded(|| Ok(reader.build()?))?);
        Ok(ForeignRows { reader, wanted, rows })
    }
}

impl Wanted {
    fn place(self) -> usize {
        let (Wanted::Time(column) | Wanted::Text(column)) = self;
        column
    }
}

impl ForeignRows {
    /// Returns how many rows the file has.
    pub fn total(&self) -> u64 {
        self.rows
    }
}

impl Iterator for ForeignRows {
    type Item = Result<ForeignBatch, ColumnsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.and_then(|batch| guarded(|| ForeignBatch::of(&batch, &self.wanted))))
    }
}

impl ForeignBatch {
    fn of(batch: &RecordBatch, wanted: &[Wanted]) -> Result<ForeignBatch, ColumnsError> {
        let column = |wanted: &Wanted| {
            let column = batch.column(wanted.place());
            Ok(match wanted {
                Wanted::Time(_) => Column::Time(time_column(column)?),
                Wanted::Text(_) if matches!(column.data_type(), DataType::List(_)) => {
                    Column::List(Arc::clone(column))
                }
                Wanted::Text(_) => Column::Text(text_column(column)?, Arc::clone(column)),
            })
        };
        let columns = wanted.iter().map(column).collect::<Result<_, ColumnsError>>()?;
        Ok(ForeignBatch { rows: batch.num_rows(), columns })
    }

    /// Returns how many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns when a row says it happened, by a column of moments.
    pub fn time(&self, column: usize, row: usize) -> ForeignTime<'_> {
        let Column::Time(column) = &self.columns[column] else { return ForeignTime::Missing };
        if column.is_null(row) {
            return ForeignTime::Missing;
        }
        match column.data_type() {
            DataType::Timestamp(..) => {
                ForeignTime::Micros(column.as_primitive::<TimestampMicrosecondType>().value(row))
            }
            DataType::Int64 => ForeignTime::Epoch(column.as_primitive::<Int64Type>().value(row)),
            _ => ForeignTime::Text(column.as_string_view().value(row)),
        }
    }

    /// Returns a row's field as a log would have it; none where it is null.
    ///
    /// # Errors
    /// The value is no text, a list for one.
    pub fn text(&self, column: usize, row: usize) -> Result<Option<&str>, NotText> {
        let (texts, original) = match &self.columns[column] {
            Column::Text(texts, original) => (texts, original),
            Column::List(lists) if lists.is_valid(row) => return Err(NotText),
            _ => return Ok(None),
        };
        if texts.is_valid(row) {
            return Ok(Some(texts.value(row)));
        }
        // Not-a-number stands for no value where the column is one of floats.
        let is_lost = original.is_valid(row) && !original.data_type().is_floating();
        if is_lost { Err(NotText) } else { Ok(None) }
    }

    /// Returns the paths that a row's list gives, each a path or a list of levels; none where it
    /// is null or the column is not one of lists.
    ///
    /// # Errors
    /// The list holds something that is no text, or no path.
    pub fn path_set(&self, column: usize, row: usize) -> Result<Option<PathSet>, BadPaths> {
        let Column::List(column) = &self.columns[column] else { return Ok(None) };
        let list = column.as_list::<i32>();
        if list.is_null(row) {
            return Ok(None);
        }
        let values = list.value(row);
        // A set while it grows: a list may repeat a path as often as it likes.
        let mut paths = BTreeSet::new();
        match values.as_list_opt::<i32>() {
            Some(inner) => {
                for at in 0..inner.len() {
                    let levels = views(&inner.value(at)).map_err(|_| NotText)?;
                    let levels = levels.iter().collect::<Option<Vec<&str>>>().ok_or(NotText)?;
                    paths.insert(encode_levels(levels)?);
                }
            }
            None => {
                for path in &views(&values).map_err(|_| NotText)? {
                    paths.insert(check_path(path.ok_or(NotText)?)?);
                }
            }
        }
        Ok(Some(PathSet::of(paths.into_iter().collect())?))
    }
}

impl From<NotText> for BadPaths {
    fn from(NotText: NotText) -> BadPaths {
        BadPaths::NotText
    }
}

impl From<CategoryError> for BadPaths {
    fn from(error: CategoryError) -> BadPaths {
        BadPaths::Category(error)
    }
}

/// Returns a column with its texts as views: a name that a dictionary has once, and a million rows
/// repeat, is then held once, however long it is.
///
/// Moments of 96 bits come in microseconds: in nanoseconds the years before 1677 and after 2262
/// would wrap around to others.
fn viewed(field: &Arc<Field>, root: &TypePtr) -> Field {
    let is_wide = root.is_primitive() && root.get_physical_type() == PhysicalType::INT96;
    let of = match field.data_type() {
        _ if is_wide => DataType::Timestamp(TimeUnit::Microsecond, None),
        of => texts_viewed(of),
    };
    field.as_ref().clone().with_data_type(of)
}

fn texts_viewed(of: &DataType) -> DataType {
    match of {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::List(of) => {
            let viewed = texts_viewed(of.data_type());
            DataType::List(Arc::new(of.as_ref().clone().with_data_type(viewed)))
        }
        of => of.clone(),
    }
}

/// Returns a column's texts; null where it holds no text.
fn views(column: &ArrayRef) -> Result<StringViewArray, ArrowError> {
    let texts = match column.data_type() {
        DataType::Utf8View | DataType::BinaryView => cast(column, &DataType::Utf8View)?,
        _ => cast(&cast(column, &DataType::Utf8)?, &DataType::Utf8View)?,
    };
    Ok(texts.as_string_view().clone())
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
fn text_column(column: &ArrayRef) -> Result<StringViewArray, ColumnsError> {
    if column.data_type().is_floating() {
        if *column.data_type() != DataType::Float64 {
            // In their own fewest digits: as a wider float they would get some that were never there.
            let floats = cast(column, &DataType::Float32)?;
            let floats = floats.as_primitive::<Float32Type>();
            return Ok(floats.iter().map(|v| v.filter(|v| !v.is_nan()).map(|v| v.to_string())).collect());
        }
        let floats = cast(column, &DataType::Float64)?;
        let floats: &Float64Array = floats.as_primitive::<Float64Type>();
        // Not-a-number is how those programs write that there is none.
        return Ok(floats
            .iter()
            .map(|value| value.filter(|v| !v.is_nan()).map(|v| format!("{v}")))
            .collect());
    }
    Ok(views(column)?)
}
