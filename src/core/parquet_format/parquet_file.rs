//! Whole Parquet files in memory, in and out.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::arrow::{ProjectionMask, arrow_reader::ArrowReaderMetadata};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use crate::parquet_format::coded::keeping_dictionaries;
use crate::parquet_format::facts::{ColumnFacts, facts};
use crate::parquet_format::guard::{Guarded, guarded};

/// A file is not the Parquet that it should be.
#[derive(Debug, thiserror::Error)]
pub enum ColumnsError {
    #[error("is not a readable Parquet file: {0}")]
    Unreadable(String),
    #[error("has no column `{0}` of the type that topsell writes")]
    Column(&'static str),
    #[error("is not sorted by item_id, as topsell writes it")]
    Unsorted,
    #[error("cannot be written as Parquet: {0}")]
    Unwritable(String),
}

impl From<ParquetError> for ColumnsError {
    fn from(error: ParquetError) -> ColumnsError {
        ColumnsError::Unreadable(error.to_string())
    }
}

impl From<ArrowError> for ColumnsError {
    fn from(error: ArrowError) -> ColumnsError {
        ColumnsError::Unreadable(error.to_string())
    }
}

/// A finished file, and what a table's log wants to know of it.
pub struct Encoded {
    pub bytes: Bytes,
    pub rows: u64,
    pub columns: Vec<ColumnFacts>,
}

impl Encoded {
    /// Returns the file of one batch of rows; some columns keep their dictionaries, however many
    /// values these get, and the `plain` ones get none.
    pub(super) fn of(
        batch: &RecordBatch,
        rows_per_group: usize,
        dictionaries: &[&'static str],
        plain: &[&'static str],
    ) -> Result<Encoded, ColumnsError> {
        Ok(Encoded {
            bytes: write(batch, rows_per_group, dictionaries, plain)?,
            rows: batch.num_rows() as u64,
            columns: facts(batch)?,
        })
    }
}

/// What every file says it was written by.
pub(super) const CREATED_BY: &str = concat!("topsell ", env!("CARGO_PKG_VERSION"));

/// Bytes that the texts of one dictionary may have: a page's length is a number of 31 bits.
pub(super) const MAX_DICTIONARY_BYTES: usize = 1 << 30;

const ROWS_PER_BATCH: usize = 8_192;
/// Where dictionaries are kept, a batch costs more and a row less.
const CODED_ROWS_PER_BATCH: usize = 1 << 12;

/// Returns the file of one batch of rows, as [`Encoded::of`] has it.
pub(super) fn write(
    batch: &RecordBatch,
    rows_per_group: usize,
    dictionaries: &[&'static str],
    plain: &[&'static str],
) -> Result<Bytes, ColumnsError> {
    let unwritable = |e: ParquetError| ColumnsError::Unwritable(e.to_string());
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(compression_for(batch))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(rows_per_group))
        .set_created_by(CREATED_BY.to_owned());
    for column in plain {
        properties = properties.set_column_dictionary_enabled((*column).into(), false);
    }
    for column in dictionaries {
        properties =
            properties.set_column_dictionary_page_size_limit(ColumnPath::from(*column), MAX_DICTIONARY_BYTES);
    }
    let options =
        ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
    let mut writer =
        ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).map_err(unwritable)?;
    writer.write(batch).map_err(unwritable)?;
    Ok(writer.into_inner().map_err(unwritable)?.into())
}

/// Setting up the compressor costs more than it saves on a file of a block or two.
fn compression_for(batch: &RecordBatch) -> Compression {
    const WORTHWHILE_ROWS: usize = 200;
    match batch.num_rows() < WORTHWHILE_ROWS {
        true => Compression::UNCOMPRESSED,
        false => Compression::ZSTD(ZstdLevel::default()),
    }
}

/// Returns a file's batches with the named columns, in the types that Parquet itself tells.
pub(super) fn decode(
    bytes: Bytes,
    columns: &[&'static str],
) -> Result<Guarded<ParquetRecordBatchReader>, ColumnsError> {
    guarded(|| {
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, plain_options())?;
        let mask = mask(builder.parquet_schema(), columns)?;
        Ok(Guarded::of(builder.with_projection(mask).with_batch_size(ROWS_PER_BATCH).build()?))
    })
}

/// Returns the batches of a file that is nobody's rows, with the named columns and parts of them, as
/// far as it has them.
///
/// # Errors
/// Fails, or an item does, where this is no Parquet file.
pub fn decode_nested(
    bytes: Bytes,
    columns: &[&str],
) -> Result<impl Iterator<Item = Result<RecordBatch, ColumnsError>>, ColumnsError> {
    guarded(|| {
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, plain_options())?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        Ok(Guarded::of(builder.with_projection(mask).with_batch_size(ROWS_PER_BATCH).build()?))
    })
}

/// Returns a file's batches with the named columns, some of them with their dictionaries kept, of
/// the wanted groups of rows, or of some of their rows.
pub(super) fn decode_coded(
    bytes: Bytes,
    columns: &[&'static str],
    coded: &[&str],
    wants_group: &dyn Fn(&RowGroupMetaData) -> bool,
    rows: Option<RowSelection>,
) -> Result<Guarded<ParquetRecordBatchReader>, ColumnsError> {
    guarded(|| {
        let plain = footer(&bytes)?;
        let schema = keeping_dictionaries(plain.schema(), coded);
        let options = plain_options().with_schema(schema);
        let footer = ArrowReaderMetadata::try_new(plain.metadata().clone(), options)?;
        let groups = footer.metadata().row_groups();
        let chosen = (0..groups.len()).filter(|&at| wants_group(&groups[at])).collect();
        let mask = mask(footer.parquet_schema(), columns)?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, footer);
        let reader = reader.with_row_groups(chosen).with_projection(mask);
        let reader = match rows {
            Some(rows) => reader.with_row_selection(rows),
            None => reader,
        };
        Ok(Guarded::of(reader.with_batch_size(CODED_ROWS_PER_BATCH).build()?))
    })
}

fn mask(schema: &SchemaDescriptor, columns: &[&'static str]) -> Result<ProjectionMask, ColumnsError> {
    let fields = schema.root_schema().get_fields();
    for column in columns {
        if !fields.iter().any(|field| field.name() == *column) {
            return Err(ColumnsError::Column(column));
        }
    }
    let roots = (0..fields.len()).filter(|&at| columns.contains(&fields[at].name()));
    Ok(ProjectionMask::roots(schema, roots))
}

/// Returns a file's footer.
pub(super) fn footer(bytes: &Bytes) -> Result<ArrowReaderMetadata, ColumnsError> {
    guarded(|| Ok(ArrowReaderMetadata::load(bytes, plain_options())?))
}

/// Returns a label of a file's footer, of which the file's end is given, or the whole file; none
/// where there is no such label, or the end given does not reach back to where the footer begins.
///
/// # Errors
/// Fails where this is no end of a Parquet file.
pub(super) fn label(tail: &Bytes, size: u64, name: &str) -> Result<Option<String>, ColumnsError> {
    let footer = guarded(|| {
        let mut reader = ParquetMetaDataReader::new();
        match reader.try_parse_sized(tail, size) {
            Err(ParquetError::NeedMoreData(_)) if (tail.len() as u64) < size => return Ok(None),
            parsed => parsed?,
        }
        Ok(Some(reader.finish()?))
    })?;
    let Some(footer) = footer else { return Ok(None) };
    let labels = footer.file_metadata().key_value_metadata().into_iter().flatten();
    Ok(labels.filter(|label| label.key == name).find_map(|label| label.value.clone()))
}

/// Ignores the Arrow types another writer may have noted, so that texts are always `Utf8`.
pub(super) fn plain_options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
}
