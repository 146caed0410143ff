//! The Parquet files of our tables and rankings, and external Parquet files as fields of a log.
//!
//! Invariant: every file is standard Parquet that any engine reads; nothing outside of this room and
//! `delta` uses Arrow.
//!
//! The format is <https://parquet.apache.org/docs/file-format/>.

mod aggregate_batch;
mod aggregate_file;
mod aggregate_pages;
mod aggregate_reader;
mod aggregates;
mod chunked_file;
mod chunks;
mod column_stats;
mod day_columns;
mod decodings;
mod dictionary;
mod encodings;
mod error;
mod event_batch;
mod event_pages;
mod event_rewrite;
mod events;
mod external_json;
mod external_parquet;
mod fields;
mod file_slice;
mod item_totals;
mod nested;
mod page_decompressor;
mod page_values;
mod pages;
mod panic_guard;
mod parquet_file;
mod path_days;
mod pick_rows;
mod plain_table;
mod ranking;
mod run_records;
mod stored_stats;
mod units_column;
mod upgrade;

pub use aggregate_batch::{AggregateBatch, AggregateBlock};
pub use aggregate_file::{AggregateFile, ItemPages};
pub use aggregate_reader::{
    AggregateLabels, CategoryFilter, ItemRange, WantsItem, aggregate_labels, decode_aggregates, first_items,
};
pub use aggregates::{AggregateLine, encode_aggregates, encode_month};
pub use chunked_file::EncodedGroup;
pub use column_stats::ColumnStats;
pub use dictionary::DictionaryInterner;
pub use error::ColumnsError;
pub use event_batch::{EventBatch, EventColumns, decode_events};
pub use event_pages::may_have_items;
pub use event_rewrite::{MergedEvents, merge_events, without_batches};
pub use events::{EventCopy, EventEncoder};
pub use external_json::ExternalJson;
pub use external_parquet::{
    BadPaths, ExternalBatch, ExternalFile, ExternalRows, ExternalTime, NotText, WantedColumn,
};
pub use item_totals::{
    ITEM_TOTALS_PER_GROUP, ItemTotalsEncoder, ItemTotalsFile, ItemTotalsGroup, ItemTotalsLine, ItemTotalsRow,
};
pub use nested::{RowGroup, RowGroupEncoder, decode_nested};
pub use panic_guard::is_guarded;
pub use parquet_file::Encoded;
pub use path_days::PathDays;
pub use plain_table::{PlainColumn, encode_table};
pub use ranking::{
    CategorySummary, EncodedRanking, LargestDecimals, ROWS_PER_GROUP, RankedRow, RankingFile, RowDetails,
    WindowFigures, encode_ranking,
};
pub use run_records::{decode_run_records, encode_run_records};
pub use stored_stats::StoredStats;
pub use upgrade::{rewrite_aggregates, with_decimal_quantities, with_hour_and_category};
