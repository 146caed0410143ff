//! Rollup files written: one category's day encoded as Parquet and put into its partition's folder.
//!
//! Invariant: rows are sorted by item, set of paths, kind of copy and hour; no commit names the file yet.

use bytes::Bytes;

use crate::delta::{NewFile, Partition};
use crate::lake::{hive_folder, partition_map};
use crate::model::{AggregateRow, AggregateRows, Date};
use crate::parquet_format::{AggregateLine, Encoded, encode_aggregates};
use crate::rollup::error::RollupError;
use crate::rollup::table::ROLLUPS;
use crate::storage::{BulkWriter, unique_id};

/// A file that is encoded but not written yet.
pub(super) struct EncodedFile {
    path: String,
    partition: Partition,
    encoded: Encoded,
}

impl EncodedFile {
    /// Returns the file's content.
    pub fn bytes(&self) -> &Bytes {
        &self.encoded.bytes
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn write(self, bulk: &BulkWriter<'_>) -> Result<NewFile, RollupError> {
        bulk.put(&format!("{ROLLUPS}/{}", self.path), self.encoded.bytes.clone())?;
        Ok(NewFile::of(self.path, self.partition, self.encoded))
    }
}

/// Encodes lines in the order of rollup files; returns nothing where there are none.
///
/// # Errors
/// Fails where the lines do not fit into Parquet.
pub(super) fn encode<'a>(
    event_type: &str,
    category: Option<&str>,
    date: Date,
    lines: impl IntoIterator<Item = AggregateLine<'a>>,
) -> Result<Option<EncodedFile>, RollupError> {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_none() {
        return Ok(None);
    }
    let folder = hive_folder(event_type, category, date);
    let encoded =
        encode_aggregates(lines).map_err(|source| RollupError::Columns { file: folder.clone(), source })?;
    let path = format!("{folder}/{}", encoded.name(&unique_id()));
    Ok(Some(EncodedFile { path, partition: partition_map(event_type, category, date), encoded }))
}

/// Encodes and writes lines in the order of rollup files; returns nothing where there are none.
///
/// # Errors
/// Fails where the lines do not fit into Parquet, or the disk does.
pub(super) fn write_lines<'a>(
    event_type: &str,
    category: Option<&str>,
    date: Date,
    lines: impl IntoIterator<Item = AggregateLine<'a>>,
    bulk: &BulkWriter<'_>,
) -> Result<Option<NewFile>, RollupError> {
    encode(event_type, category, date, lines)?.map(|file| file.write(bulk)).transpose()
}

/// Returns rows as the lines of a file.
pub(super) fn lines_of<'a>(
    aggregates: &'a AggregateRows,
    rows: impl Iterator<Item = AggregateRow> + 'a,
) -> impl Iterator<Item = AggregateLine<'a>> + 'a {
    rows.map(|row| AggregateLine {
        hour_of_day: row.hour.of_day(),
        item_id: aggregates.items.name(row.item),
        paths: aggregates.path_sets.name(row.path_set),
        is_primary: row.is_primary,
        aggregate: row.aggregate,
    })
}
