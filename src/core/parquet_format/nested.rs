//! Parquet files with nested columns, such as the checkpoints of a table: written group by group, and read in part by
//! what the footer tells of each group.

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;

use crate::model::Date;
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::panic_guard::{GuardedBatches, guarded};
use crate::parquet_format::parquet_file::{CREATED_BY, plain_options};

const ROWS_PER_BATCH: usize = 8_192;

/// What a file's footer tells of a row group.
pub struct RowGroup<'a>(&'a RowGroupMetaData);

impl RowGroup<'_> {
    /// Returns whether a column, given by its path, may have a value in some row.
    pub fn may_have(&self, column: &str) -> bool {
        let nulls = self.statistics(column).and_then(Statistics::null_count_opt);
        nulls.is_none_or(|nulls| i64::try_from(nulls) != Ok(self.0.num_rows()))
    }

    /// Returns the least and the greatest value of a column of dates that has one in each row; none where they are
    /// not recorded.
    pub fn dates(&self, column: &str) -> Option<(Date, Date)> {
        let statistics = self.statistics(column)?;
        let Statistics::Int32(range) = statistics else { return None };
        let has_nulls = statistics.null_count_opt() != Some(0);
        let (least, most) = range.min_opt().zip(range.max_opt()).filter(|_| !has_nulls)?;
        Some((Date::new(*least), Date::new(*most)))
    }

    fn statistics(&self, column: &str) -> Option<&Statistics> {
        self.0.columns().iter().find(|of| of.column_path().string() == column)?.statistics()
    }
}

/// Encodes a file group by group.
pub struct RowGroupEncoder<'a> {
    long: &'a [&'a str],
    /// None before the first group.
    writer: Option<ArrowWriter<Vec<u8>>>,
}

impl<'a> RowGroupEncoder<'a> {
    /// Returns an encoder without groups. The `long` columns, given by their paths, are compressed well; to begin to
    /// read such a column takes as long as to read a few hundred values.
    pub fn new(long: &'a [&'a str]) -> RowGroupEncoder<'a> {
        RowGroupEncoder { long, writer: None }
    }

    /// Adds a batch as a row group; all have the same columns.
    ///
    /// # Errors
    /// Fails where it does not fit into Parquet.
    pub fn push(&mut self, group: &RecordBatch) -> Result<(), ColumnsError> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(writer_of(group, self.long)?),
        };
        writer.write(group).and_then(|()| writer.flush()).map_err(|e| unwritable(&e))
    }

    /// Returns the file.
    ///
    /// # Errors
    /// Fails where it has no groups.
    pub fn finish(self) -> Result<Bytes, ColumnsError> {
        let writer = self.writer.ok_or_else(|| ColumnsError::Unwritable("it has no rows".to_owned()))?;
        Ok(writer.into_inner().map_err(|e| unwritable(&e))?.into())
    }
}

fn writer_of(group: &RecordBatch, long: &[&str]) -> Result<ArrowWriter<Vec<u8>>, ColumnsError> {
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(CREATED_BY.to_owned());
    for column in long {
        let zstd = Compression::ZSTD(ZstdLevel::default());
        properties = properties.set_column_compression(ColumnPath::from(path_of(column)), zstd);
    }
    let options = ArrowWriterOptions::new().with_properties(properties.build());
    ArrowWriter::try_new_with_options(Vec::new(), group.schema(), options).map_err(|e| unwritable(&e))
}

fn unwritable(error: &ParquetError) -> ColumnsError {
    ColumnsError::Unwritable(error.to_string())
}

fn path_of(column: &str) -> Vec<String> {
    column.split('.').map(str::to_owned).collect()
}

/// Returns the batches of any Parquet file with those of the named columns and nested fields that it has, of the row
/// groups that are wanted.
///
/// # Errors
/// Fails, or an item does, where the bytes are not a Parquet file.
pub fn decode_nested(
    bytes: Bytes,
    columns: &[&str],
    wants: &dyn Fn(&RowGroup<'_>) -> bool,
) -> Result<impl Iterator<Item = Result<RecordBatch, ColumnsError>>, ColumnsError> {
    guarded(|| {
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, plain_options())?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        let groups = builder.metadata().row_groups();
        let wanted = (0..groups.len()).filter(|&at| wants(&RowGroup(&groups[at]))).collect();
        let builder = builder.with_projection(mask).with_row_groups(wanted);
        Ok(GuardedBatches::of(builder.with_batch_size(ROWS_PER_BATCH).build()?))
    })
}
