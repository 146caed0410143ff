//! External Parquet files: the wanted columns of any file, as the fields of a log.

use std::collections::BTreeSet;
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
use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::schema::types::TypePtr;
use uuid::Uuid;

use crate::model::{CategoryError, PathSet, check_path, encode_levels};
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::panic_guard::{GuardedBatches, guarded};
use crate::parquet_format::parquet_file::plain_options;
use crate::storage::local_files::File;

const ROWS_PER_BATCH: usize = 8_192;

/// A Parquet file whose footer was read.
pub struct ExternalFile {
    builder: ParquetRecordBatchReaderBuilder<File>,
    columns: Vec<String>,
}

/// A column to read, by its position in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedColumn {
    /// As times.
    Time(usize),
    /// As texts, or lists of them.
    Text(usize),
}

/// The rows of an external file, read in batches.
pub struct ExternalRows {
    reader: GuardedBatches<ParquetRecordBatchReader>,
    /// For each wanted column its position in the reader's batches.
    wanted: Vec<WantedColumn>,
    /// For each column of the reader, whether it has UUIDs.
    is_uuid: Vec<bool>,
    rows: u64,
}

/// The time in a row of an external file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ExternalTime<'a> {
    /// Microseconds since 1970; a timestamp without a zone counts as UTC.
    Micros(i64),
    /// An epoch number of any unit.
    Epoch(i64),
    Text(&'a str),
    Missing,
}

/// Some rows of an external file, each wanted column as the fields of a log.
pub struct ExternalBatch {
    rows: usize,
    columns: Vec<Column>,
}

/// A column in the form in which its values are requested.
enum Column {
    Time(ArrayRef),
    List(ArrayRef),
    /// As texts, and as it is in the file.
    Text(StringViewArray, ArrayRef),
}

/// A value is not a text, for example bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotText;

/// A list is not a set of category paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadPaths {
    NotText,
    Category(CategoryError),
}

impl ExternalFile {
    /// Reads the footer.
    ///
    /// # Errors
    /// Fails where the file is not Parquet.
    pub fn open(file: File) -> Result<ExternalFile, ColumnsError> {
        let footer = guarded(|| Ok(ArrowReaderMetadata::load(&file, plain_options())?))?;
        let roots = footer.parquet_schema().root_schema().get_fields();
        let fields = footer.schema().fields().iter().zip(roots);
        let viewed = Schema::new(fields.map(|(field, root)| viewed(field, root)).collect::<Vec<_>>());
        let options = plain_options().with_schema(Arc::new(viewed));
        let footer = guarded(|| Ok(ArrowReaderMetadata::try_new(Arc::clone(footer.metadata()), options)?))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer);
        let fields = builder.parquet_schema().root_schema().get_fields();
        let columns = fields.iter().map(|field| field.name().to_owned()).collect();
        Ok(ExternalFile { builder, columns })
    }

    /// Returns the names of the file's columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Returns the file's rows with only the wanted columns, in the given order.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn rows(self, wanted: &[WantedColumn]) -> Result<ExternalRows, ColumnsError> {
        let mut kept: Vec<usize> = wanted.iter().map(|wanted| wanted.place()).collect();
        kept.sort_unstable();
        kept.dedup();
        let place = |column: usize| kept.partition_point(|&kept| kept < column);
        let read = |wanted: &WantedColumn| match *wanted {
            WantedColumn::Time(column) => WantedColumn::Time(place(column)),
            WantedColumn::Text(column) => WantedColumn::Text(place(column)),
        };
        let wanted = wanted.iter().map(read).collect();
        let is_uuid = kept.iter().map(|&column| self.is_uuid(column)).collect();
        let (reader, rows) = self.read(&kept, ROWS_PER_BATCH)?;
        Ok(ExternalRows { reader, wanted, is_uuid, rows })
    }

    /// Returns the schema of the file's columns.
    pub(super) fn schema(&self) -> &Schema {
        self.builder.schema()
    }

    /// Returns a reader of only these columns, and how many rows the file has.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub(super) fn read(
        self,
        columns: &[usize],
        rows_per_batch: usize,
    ) -> Result<(GuardedBatches<ParquetRecordBatchReader>, u64), ColumnsError> {
        let mask = ProjectionMask::roots(self.builder.parquet_schema(), columns.iter().copied());
        let rows = self.builder.metadata().file_metadata().num_rows().max(0).unsigned_abs();
        let reader = self.builder.with_projection(mask).with_batch_size(rows_per_batch);
        Ok((GuardedBatches::of(guarded(|| Ok(reader.build()?))?), rows))
    }

    fn is_uuid(&self, column: usize) -> bool {
        let roots = self.builder.parquet_schema().root_schema().get_fields();
        roots[column].get_basic_info().logical_type_ref() == Some(&LogicalType::Uuid)
    }
}

impl WantedColumn {
    fn place(self) -> usize {
        let (WantedColumn::Time(column) | WantedColumn::Text(column)) = self;
        column
    }
}

impl ExternalRows {
    /// Returns how many rows the file has.
    pub fn total(&self) -> u64 {
        self.rows
    }
}

impl Iterator for ExternalRows {
    type Item = Result<ExternalBatch, ColumnsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.and_then(|batch| guarded(|| ExternalBatch::of(&batch, &self.wanted, &self.is_uuid))))
    }
}

impl ExternalBatch {
    fn of(
        batch: &RecordBatch,
        wanted: &[WantedColumn],
        is_uuid: &[bool],
    ) -> Result<ExternalBatch, ColumnsError> {
        let column = |wanted: &WantedColumn| {
            let column = &unpacked(batch.column(wanted.place()), is_uuid[wanted.place()])?;
            Ok(match wanted {
                WantedColumn::Time(_) => Column::Time(time_column(column)?),
                WantedColumn::Text(_) if matches!(column.data_type(), DataType::List(_)) => {
                    Column::List(Arc::clone(column))
                }
                WantedColumn::Text(_) => Column::Text(text_column(column)?, Arc::clone(column)),
            })
        };
        let columns = wanted.iter().map(column).collect::<Result<_, ColumnsError>>()?;
        Ok(ExternalBatch { rows: batch.num_rows(), columns })
    }

    /// Returns how many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns a row's time, from a column of times.
    pub fn time(&self, column: usize, row: usize) -> ExternalTime<'_> {
        let Column::Time(column) = &self.columns[column] else { return ExternalTime::Missing };
        if column.is_null(row) {
            return ExternalTime::Missing;
        }
        match column.data_type() {
            DataType::Timestamp(..) => {
                ExternalTime::Micros(column.as_primitive::<TimestampMicrosecondType>().value(row))
            }
            DataType::Int64 => ExternalTime::Epoch(column.as_primitive::<Int64Type>().value(row)),
            _ => ExternalTime::Text(column.as_string_view().value(row)),
        }
    }

    /// Returns a row's field as a log would have it; `None` where it is null.
    ///
    /// # Errors
    /// The value is not a text, for example a list.
    pub fn text(&self, column: usize, row: usize) -> Result<Option<&str>, NotText> {
        let (texts, original) = match &self.columns[column] {
            Column::Text(texts, original) => (texts, original),
            Column::List(lists) if lists.is_valid(row) => return Err(NotText),
            _ => return Ok(None),
        };
        if texts.is_valid(row) {
            return Ok(Some(texts.value(row)));
        }
        // In a column of floats, NaN stands for a missing value; a column
        // without any value has no validity either.
        let has_gaps = original.data_type().is_floating() || *original.data_type() == DataType::Null;
        let is_lost = original.is_valid(row) && !has_gaps;
        if is_lost { Err(NotText) } else { Ok(None) }
    }

    /// Returns the paths in a row's list, each a path or a list of levels; `None` where it is null or the
    /// column has no lists.
    ///
    /// # Errors
    /// The list has an element that is not a text, or not a path.
    pub fn path_set(&self, column: usize, row: usize) -> Result<Option<PathSet>, BadPaths> {
        let Column::List(column) = &self.columns[column] else { return Ok(None) };
        let list = column.as_list::<i32>();
        if list.is_null(row) {
            return Ok(None);
        }
        let values = list.value(row);
        // A set from the start: a list may repeat a path any number of times.
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

/// Returns a column's field with texts as views: a text that is in a dictionary once, and repeated by a
/// million rows, is then held in memory once.
///
/// Times of 96 bits are read in microseconds: in nanoseconds, years before 1677 and after 2262 would wrap
/// around.
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

/// Returns a column without a dictionary, and bytes of a fixed size as texts: UUIDs in their form, others in
/// hexadecimal.
fn unpacked(column: &ArrayRef, is_uuid: bool) -> Result<ArrayRef, ColumnsError> {
    match column.data_type() {
        DataType::Dictionary(_, values) => Ok(cast(column, values)?),
        DataType::FixedSizeBinary(_) => {
            let text = |bytes: &[u8]| match <[u8; 16]>::try_from(bytes) {
                Ok(bytes) if is_uuid => Uuid::from_bytes(bytes).to_string(),
                _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            };
            let texts = column.as_fixed_size_binary().iter().map(|bytes| bytes.map(text));
            Ok(Arc::new(texts.collect::<StringViewArray>()))
        }
        _ => Ok(Arc::clone(column)),
    }
}

/// Returns a column's texts; null where a value is not a text.
fn views(column: &ArrayRef) -> Result<StringViewArray, ArrowError> {
    let texts = match column.data_type() {
        DataType::Utf8View | DataType::BinaryView => cast(column, &DataType::Utf8View)?,
        _ => cast(&cast(column, &DataType::Utf8)?, &DataType::Utf8View)?,
    };
    Ok(texts.as_string_view().clone())
}

/// Returns a column of times as microseconds, of integers unchanged, of anything else as texts.
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

/// Returns a column as texts; floats that are whole numbers are written without a decimal point, since
/// other programs turn integers with missing values into floats.
fn text_column(column: &ArrayRef) -> Result<StringViewArray, ColumnsError> {
    if column.data_type().is_floating() {
        if *column.data_type() != DataType::Float64 {
            // With the fewest digits of their own width: a wider float would add digits.
            let floats = cast(column, &DataType::Float32)?;
            let floats = floats.as_primitive::<Float32Type>();
            return Ok(floats.iter().map(|v| v.filter(|v| !v.is_nan()).map(|v| v.to_string())).collect());
        }
        let floats = cast(column, &DataType::Float64)?;
        let floats: &Float64Array = floats.as_primitive::<Float64Type>();
        // Those programs write NaN for a missing value.
        return Ok(floats
            .iter()
            .map(|value| value.filter(|v| !v.is_nan()).map(|v| format!("{v}")))
            .collect());
    }
    Ok(views(column)?)
}
