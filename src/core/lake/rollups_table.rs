//! The `rollups` table: its folder and its columns.

use crate::delta::{Column, ColumnType, TableSchema};
use crate::lake::partition::CATEGORY_GROUP;

/// The table's folder below the lake.
pub const ROLLUPS: &str = "rollups";

/// Its columns; what is in its files is the business of whoever aggregates.
pub const ROLLUPS_SCHEMA: TableSchema = TableSchema {
    partitions: &[
        Column("event_type", ColumnType::Text),
        Column(CATEGORY_GROUP, ColumnType::Text),
        Column("date", ColumnType::Date),
    ],
    columns: &[
        Column("hour", ColumnType::Integer),
        Column("item_id", ColumnType::Text),
        Column("category", ColumnType::Text),
        Column("categories", ColumnType::TextList),
        Column("is_primary", ColumnType::Boolean),
        Column("purchases", ColumnType::Long),
        UNITS,
        Column("amount", ColumnType::Decimal(38, 4)),
    ],
};

/// The column that was an integer until format 3.
pub(super) const UNITS: Column = Column("units", ColumnType::Decimal(38, 4));

/// The columns that were not changed until format 4.
pub(super) const ROLLUPS_UNTIL_4: TableSchema = TableSchema {
    partitions: &[
        Column("event_type", ColumnType::Text),
        Column("category", ColumnType::Text),
        Column("date", ColumnType::Date),
    ],
    columns: &[Column("hour", ColumnType::Integer), Column("item_id", ColumnType::Text)],
};
