//! The `events` table: its folder and its columns.

use crate::delta::{Column, ColumnType, TableSchema};
use crate::lake::partition::CATEGORY_GROUP;

/// The table's folder below the lake.
pub(super) const EVENTS: &str = "events";

pub(super) const SCHEMA: TableSchema = TableSchema { partitions: PARTITIONS, columns: &COLUMNS };

const PARTITIONS: &[Column] = &[
    Column("event_type", ColumnType::Text),
    Column(CATEGORY_GROUP, ColumnType::Text),
    Column("date", ColumnType::Date),
];

/// The columns by which format 4 was partitioned.
const PARTITIONS_4: &[Column] = &[
    Column("event_type", ColumnType::Text),
    Column("category", ColumnType::Text),
    Column("date", ColumnType::Date),
    HOUR,
];

const HOUR: Column = Column("hour", ColumnType::Integer);
const CATEGORY: Column = Column("category", ColumnType::Text);

/// The column that format 3 has added.
pub(super) const VERSION: Column = Column("version", ColumnType::Long);

/// The column that was an integer until format 3.
pub(super) const QUANTITY: Column = Column("quantity", ColumnType::Decimal(18, 4));

/// What the table has in formats 0 to 4.
pub(super) const EVENTS_UNTIL_4: TableSchema =
    TableSchema { partitions: PARTITIONS_4, columns: COLUMNS_UNTIL_4 };

const TS: Column = Column("ts", ColumnType::Timestamp);
const EVENT_ID: Column = Column("event_id", ColumnType::Text);
const ITEM_ID: Column = Column("item_id", ColumnType::Text);
const CATEGORIES: Column = Column("categories", ColumnType::TextList);
const AMOUNT: Column = Column("amount", ColumnType::Decimal(18, 4));
const IS_PRIMARY: Column = Column("is_primary", ColumnType::Boolean);
const ALL_CATEGORIES: Column = Column("all_categories", ColumnType::Text);
const BATCH: Column = Column("batch", ColumnType::Text);

const COLUMNS: [Column; 12] = [
    HOUR,
    TS,
    EVENT_ID,
    ITEM_ID,
    CATEGORY,
    CATEGORIES,
    QUANTITY,
    AMOUNT,
    IS_PRIMARY,
    ALL_CATEGORIES,
    BATCH,
    VERSION,
];

/// The columns that were not changed until format 4.
const COLUMNS_UNTIL_4: &[Column] =
    &[TS, EVENT_ID, ITEM_ID, CATEGORIES, AMOUNT, IS_PRIMARY, ALL_CATEGORIES, BATCH];
