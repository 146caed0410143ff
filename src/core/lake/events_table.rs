//! The `events` table: its folder and its columns.

use crate::delta::{Column, ColumnType, TableSchema};

/// The table's folder below the lake.
pub(super) const EVENTS: &str = "events";

pub(super) const SCHEMA: TableSchema = TableSchema { columns: &COLUMNS, ..SCHEMA_OF_FORMAT_2 };

/// The schema until format 2, without versions.
pub(super) const SCHEMA_OF_FORMAT_2: TableSchema = TableSchema {
    partitions: &[
        Column("event_type", ColumnType::Text),
        Column("category", ColumnType::Text),
        Column("date", ColumnType::Date),
        Column("hour", ColumnType::Integer),
    ],
    columns: COLUMNS.split_at(COLUMNS.len() - 1).0,
};

/// The column that format 3 has added, last.
pub(super) const VERSION: Column = Column("version", ColumnType::Long);

const COLUMNS: [Column; 10] = [
    Column("ts", ColumnType::Timestamp),
    Column("event_id", ColumnType::Text),
    Column("item_id", ColumnType::Text),
    Column("categories", ColumnType::TextList),
    Column("quantity", ColumnType::Long),
    Column("amount", ColumnType::Decimal(18, 4)),
    Column("is_primary", ColumnType::Boolean),
    Column("all_categories", ColumnType::Text),
    Column("batch", ColumnType::Text),
    VERSION,
];
