//! The `events` table: its folder and its columns.

use crate::delta::{Column, ColumnType, TableSchema};

/// The table's folder below the lake.
pub(super) const EVENTS: &str = "events";

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
