//! Reads the files of the `events` table.

use bytes::Bytes;

use crate::delta::{LogReader, NamedFile};
use crate::lake::error::LakeError;
use crate::lake::events_table::EVENTS;
use crate::lake::open::Lake;
use crate::parquet_format::{EventBatch, EventColumns, decode_events, may_have_items};
use crate::storage::Store;

impl Lake {
    /// Passes all rows of a file to `take`, in batches.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn read_events(
        &self,
        file: &NamedFile,
        columns: EventColumns,
        take: &mut dyn FnMut(&EventBatch),
    ) -> Result<(), LakeError> {
        read_all_events(self.store(), file, columns, take)
    }
}

/// Returns the path of a file of the `events` table below the lake.
pub fn events_path(file: &NamedFile) -> String {
    format!("{EVENTS}/{}", file.path)
}

/// Passes all rows of a file to `take`, in batches; does not open the lake.
///
/// # Errors
/// Names the file that is missing or damaged.
pub fn read_all_events(
    store: &Store,
    file: &NamedFile,
    columns: EventColumns,
    take: &mut dyn FnMut(&EventBatch),
) -> Result<(), LakeError> {
    let path = events_path(file);
    decode(&path, store.get_checked(&path)?, columns, take)
}

/// Returns the number of the `events` table's newest version, from the names of its commits; none where
/// there is no table.
pub fn version(store: &Store) -> Option<u64> {
    LogReader::new(store, EVENTS).number()
}

/// Passes the rows of a file to `take`, if the file may have some of the items, which are sorted; does not open the
/// lake.
///
/// # Errors
/// Names the file that is missing or damaged.
pub fn read_events_of(
    store: &Store,
    file: &NamedFile,
    columns: EventColumns,
    items: &[&str],
    take: &mut dyn FnMut(&EventBatch),
) -> Result<(), LakeError> {
    let path = events_path(file);
    let bytes = store.get_checked(&path)?;
    match may_have_items(&bytes, items) {
        true => decode(&path, bytes, columns, take),
        false => Ok(()),
    }
}

/// Passes the rows of a file's bytes to `take`; with `items`, only where the file may have some of them.
///
/// # Errors
/// Names the file that is damaged.
pub fn read_events_in(
    bytes: &Bytes,
    path: &str,
    columns: EventColumns,
    items: Option<&[&str]>,
    take: &mut dyn FnMut(&EventBatch),
) -> Result<(), LakeError> {
    match items.is_none_or(|items| may_have_items(bytes, items)) {
        true => decode(path, bytes.clone(), columns, take),
        false => Ok(()),
    }
}

/// Returns the log of the `events` table in a store.
pub fn events_log(store: &Store) -> LogReader<'_> {
    LogReader::new(store, EVENTS)
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

/// Returns the columns of a file that its aggregation needs: fewer where no event has an id, by the
/// log's statistics.
pub fn columns_to_aggregate(file: &NamedFile) -> EventColumns {
    match file.stats.nulls("event_id") == Some(file.rows) {
        true => EventColumns::WithoutIds,
        false => EventColumns::All,
    }
}
