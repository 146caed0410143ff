//! Reads and writes whole Parquet files in memory.

use arrow::array::RecordBatch;
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

use crate::parquet_format::column_stats::{ColumnStats, facts};
use crate::parquet_format::dictionary::keeping_dictionaries;
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::panic_guard::{GuardedBatches, guarded};
use crate::storage::{NamedChecksums, checksum};

/// A finished file, with its statistics for a table's log.
pub struct Encoded {
    pub bytes: Bytes,
    pub rows: u64,
    pub columns: Vec<ColumnStats>,
    /// Where the bytes begin that have the checksums of the blocks before them, if they have.
    pub(super) tail_at: Option<usize>,
}

impl Encoded {
    /// Returns the file of one batch of rows; some columns keep their dictionaries, however large, and the
    /// `plain` ones have none.
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
            tail_at: None,
        })
    }

    /// Returns the file's name: its unique part and the checksums.
    pub fn name(&self, unique: &str) -> String {
        let tail = self.tail_at.map(|at| checksum(&self.bytes[at..]));
        NamedChecksums { whole: checksum(&self.bytes), tail }.name(unique)
    }
}

/// The writer that every file names.
pub(super) const CREATED_BY: &str = concat!("topsell ", env!("CARGO_PKG_VERSION"));

/// The metadata key of the checksums of a file's blocks, which are what is before its page index and footer.
pub(super) const BLOCKS: &str = "topsell.blocks";

/// The most bytes of a dictionary's texts: the length of a page has 31 bits.
pub(super) const MAX_DICTIONARY_BYTES: usize = 1 << 30;

const ROWS_PER_BATCH: usize = 8_192;
/// With dictionaries, a batch costs more and a row less.
const DICTIONARY_ROWS_PER_BATCH: usize = 1 << 12;

/// Returns the file of one batch of rows, as [`Encoded::of`] does.
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

/// Setting up the compressor costs more than it saves for a file of a disk block or two.
fn compression_for(batch: &RecordBatch) -> Compression {
    const WORTHWHILE_ROWS: usize = 200;
    match batch.num_rows() < WORTHWHILE_ROWS {
        true => Compression::UNCOMPRESSED,
        false => Compression::ZSTD(ZstdLevel::default()),
    }
}

/// Returns a file's batches with the named columns, in the types of the Parquet schema.
pub(super) fn decode(
    bytes: Bytes,
    columns: &[&'static str],
) -> Result<GuardedBatches<ParquetRecordBatchReader>, ColumnsError> {
    guarded(|| {
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, plain_options())?;
        let mask = mask(builder.parquet_schema(), columns)?;
        Ok(GuardedBatches::of(builder.with_projection(mask).with_batch_size(ROWS_PER_BATCH).build()?))
    })
}

/// Returns a file's batches with the named columns, some of them dictionary-encoded, of the wanted row
/// groups, or of some of their rows.
pub(super) fn decode_with_dictionaries(
    bytes: Bytes,
    columns: &[&'static str],
    dictionary: &[&str],
    wants_group: &dyn Fn(&RowGroupMetaData) -> bool,
    rows: Option<RowSelection>,
) -> Result<GuardedBatches<ParquetRecordBatchReader>, ColumnsError> {
    let footer = footer(&bytes)?;
    let groups = footer.metadata().row_groups();
    let chosen = (0..groups.len()).filter(|&at| wants_group(&groups[at])).collect();
    decode_groups(bytes, columns, dictionary, chosen, rows)
}

/// Returns the same of row groups by number.
pub(super) fn decode_groups(
    bytes: Bytes,
    columns: &[&'static str],
    dictionary: &[&str],
    chosen: Vec<usize>,
    rows: Option<RowSelection>,
) -> Result<GuardedBatches<ParquetRecordBatchReader>, ColumnsError> {
    guarded(|| {
        let plain = footer(&bytes)?;
        let schema = keeping_dictionaries(plain.schema(), dictionary);
        let options = plain_options().with_schema(schema);
        let footer = ArrowReaderMetadata::try_new(plain.metadata().clone(), options)?;
        let mask = mask(footer.parquet_schema(), columns)?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, footer);
        let reader = reader.with_row_groups(chosen).with_projection(mask);
        let reader = match rows {
            Some(rows) => reader.with_row_selection(rows),
            None => reader,
        };
        Ok(GuardedBatches::of(reader.with_batch_size(DICTIONARY_ROWS_PER_BATCH).build()?))
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

/// Returns whether a file has a column.
pub(super) fn has_column(bytes: &Bytes, name: &str) -> Result<bool, ColumnsError> {
    Ok(footer(bytes)?.parquet_schema().root_schema().get_fields().iter().any(|field| field.name() == name))
}

/// Returns a file's footer.
pub(super) fn footer(bytes: &Bytes) -> Result<ArrowReaderMetadata, ColumnsError> {
    guarded(|| Ok(ArrowReaderMetadata::load(bytes, plain_options())?))
}

/// Returns values of the footer's key-value metadata, given the end of the file or the whole file, none for
/// a key that is not there; `None` where the end does not include the whole footer.
///
/// # Errors
/// Fails where the bytes are not the end of a Parquet file.
pub(super) fn labels<const N: usize>(
    tail: &Bytes,
    size: u64,
    names: [&str; N],
) -> Result<Option<[Option<String>; N]>, ColumnsError> {
    let footer = guarded(|| {
        let mut reader = ParquetMetaDataReader::new();
        match reader.try_parse_sized(tail, size) {
            Err(ParquetError::NeedMoreData(_)) if (tail.len() as u64) < size => return Ok(None),
            parsed => parsed?,
        }
        Ok(Some(reader.finish()?))
    })?;
    let Some(footer) = footer else { return Ok(None) };
    let labels = footer.file_metadata().key_value_metadata();
    Ok(Some(names.map(|name| {
        let mut labels = labels.into_iter().flatten();
        labels.find(|label| label.key == name).and_then(|label| label.value.clone())
    })))
}

/// Returns where the footer begins in bytes that a finished file ends with.
pub(super) fn footer_at(bytes: &[u8]) -> usize {
    /// The footer's length and Parquet's magic bytes.
    const TRAILER_BYTES: usize = 8;
    let end = bytes.len() - TRAILER_BYTES;
    let length = bytes[end..].first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
    end - length as usize
}

/// Ignores the Arrow types that another writer may have recorded, so that texts are always `Utf8`.
pub(super) fn plain_options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
}
