//! Whole Parquet files in memory, in and out.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::arrow::{ProjectionMask, arrow_reader::ArrowReaderMetadata};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use crate::columns::facts::{ColumnFacts, facts};

/// A file is not the Parquet that it should be.
#[derive(Debug, thiserror::Error)]
pub enum ColumnsError {
    #[error("is not a readable Parquet file: {0}")]
    Unreadable(String),
    #[error("has no column `{0}` of the type that topsell writes")]
    Column(&'static str),
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
    /// Returns the file of one batch of rows.
    pub(super) fn of(batch: &RecordBatch, rows_per_group: usize) -> Result<Encoded, ColumnsError> {
        Ok(Encoded {
            bytes: encode(batch, rows_per_group, &[])?,
            rows: batch.num_rows() as u64,
            columns: facts(batch)?,
        })
    }
}

const ROWS_PER_BATCH: usize = 8_192;

/// Returns the Parquet file of one batch of rows.
///
/// The same rows and labels give the same bytes.
pub(super) fn encode(
    batch: &RecordBatch,
    rows_per_group: usize,
    labels: &[(&str, String)],
) -> Result<Bytes, ColumnsError> {
    let unwritable = |e: ParquetError| ColumnsError::Unwritable(e.to_string());
    let labels =
        labels.iter().map(|(name, value)| KeyValue::new((*name).to_owned(), value.clone())).collect();
    let properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(compression_for(batch))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(rows_per_group))
        // Nearly every value is another: a dictionary of them would be built only to be thrown away.
        .set_column_dictionary_enabled("event_id".into(), false)
        .set_created_by(concat!("topsell ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(labels))
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
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
) -> Result<ParquetRecordBatchReader, ColumnsError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, plain_options())?;
    let schema = builder.parquet_schema();
    for column in columns {
        if !schema.root_schema().get_fields().iter().any(|field| field.name() == *column) {
            return Err(ColumnsError::Column(column));
        }
    }
    let mask = ProjectionMask::roots(
        schema,
        (0..schema.root_schema().get_fields().len())
            .filter(|&at| columns.contains(&schema.root_schema().get_fields()[at].name())),
    );
    Ok(builder.with_projection(mask).with_batch_size(ROWS_PER_BATCH).build()?)
}

/// Returns a file's footer.
pub(super) fn footer(bytes: &Bytes) -> Result<ArrowReaderMetadata, ColumnsError> {
    Ok(ArrowReaderMetadata::load(bytes, plain_options())?)
}

/// Ignores the Arrow types another writer may have noted, so that texts are always `Utf8`.
pub(super) fn plain_options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
}
