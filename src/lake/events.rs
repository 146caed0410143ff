//! The `events` table's columns, and reading its files.

use crate::columns::{EventBatch, EventColumns, decode_events};
use crate::lake::{EVENTS, Lake, LakeError};
use crate::table::{Column, ColumnType, LiveFile, TableSchema};

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
        file: &LiveFile,
        columns: EventColumns,
        take: &mut dyn FnMut(&EventBatch),
    ) -> Result<(), LakeError> {
        let path = format!("{EVENTS}/{}", file.path);
        let failed = |source| LakeError::Columns { file: path.clone(), source };
        let bytes = self.store().get(&path)?;
        for batch in decode_events(bytes, columns).map_err(failed)? {
            take(&batch.map_err(failed)?);
        }
        Ok(())
    }
}

/// Returns the columns that must be read of a file to sum its events: fewer where no event has an
/// id, as far as the log knows.
pub fn columns_to_sum(file: &LiveFile) -> EventColumns {
    match file.null_counts["event_id"].as_u64() == Some(file.rows) {
        true => EventColumns::WithoutIds,
        false => EventColumns::All,
    }
}
