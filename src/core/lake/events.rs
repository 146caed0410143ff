//! The `events` table's columns, and reading its files.

use bytes::Bytes;

use crate::delta::{Column, ColumnType, LogReader, NamedFile, TableSchema};
use crate::lake::{EVENTS, Lake, LakeError};
use crate::parquet_format::{EventBatch, EventColumns, decode_events, may_have_items};
use crate::storage::Store;

pub(super) const SCHEMA: TableSchema = TableSchema {
    partitions: &[
        Column("event_type", ColumnType::Text),
        Column("category", ColumnType::Text),
        Column("date", ColumnType::Date),
        Column("hour", ColumnType::Integer),
    ],
    columns: &[
        Column("ts", ColumnType::Timestamp),
        Column("event_id", ColumnType::Text),
        Column("item_id", ColumnType::Text),
        Column("categories", ColumnType::TextList),
        Column("quantity", ColumnType::Long),
        Column("amount", ColumnType::Decimal(18, 4)),
        Column("is_primary", ColumnType::Boolean),
        Column("all_categories", ColumnType::Text),
        Column("batch", ColumnType::Text),
    ],
};

impl Lake {
    /// Gives each of a file's rows to `take`, some at a time.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn read_events(
        &self,
        file: &NamedFile,
        columns: EventColumns,
        take: &mut dyn FnMut(&EventBatch),
    ) -> Result<(), LakeError> {
        let path = format!("{EVENTS}/{}", file.path);
        decode(&path, self.store().get(&path)?, columns, take)
    }
}

/// Returns the number of the `events` table's newest version, by the names of its commits; none where there
/// is none.
pub fn version(store: &Store) -> Option<u64> {
    LogReader::of(store, EVENTS).number()
}

/// Gives the rows of a file without event ids, that may have some of the items, to `take`; the
/// lake in the store need not be open.
///
/// # Errors
/// Names the file that is missing or damaged.
pub fn read_events_of(
    store: &Store,
    file: &NamedFile,
    items: &[&str],
    take: &mut dyn FnMut(&EventBatch),
) -> Result<(), LakeError> {
    let path = format!("{EVENTS}/{}", file.path);
    let bytes = store.get(&path)?;
    match may_have_items(&bytes, items) {
        true => decode(&path, bytes, EventColumns::WithoutIds, take),
        false => Ok(()),
    }
}

/// Returns the log of the `events` table in a store.
pub fn events_log(store: &Store) -> LogReader<'_> {
    LogReader::of(store, EVENTS)
}

fn decode(
    path: &str,
    bytes: Bytes,
    columns: EventColumns,
    take: &mut dyn FnMut(&EventBatch),
) -> Result<(), LakeError> {
    let failed = |source| LakeError::Columns { file: path.to_owned(), source };
    for batch in decode_events(bytes, columns).map_err(failed)? {
        take(&batch.map_err(failed)?);
    }
    Ok(())
}

/// Returns the columns that must be read of a file to sum its events: fewer where no event has an
/// id, as far as the log knows.
pub fn columns_to_aggregate(file: &NamedFile) -> EventColumns {
    match file.null_counts["event_id"].as_u64() == Some(file.rows) {
        true => EventColumns::WithoutIds,
        false => EventColumns::All,
    }
}
