//! Our tables' rows as Parquet, and other people's Parquet as fields.
//!
//! Invariant: every file is standard Parquet that any engine reads; nothing outside this room
//! and `table` knows Arrow.
//!
//! The format is <https://parquet.apache.org/docs/file-format/>.

mod aggregate_batch;
mod aggregate_file;
mod aggregates;
mod chunked_file;
mod chunks;
mod coded;
mod decodings;
mod encodings;
mod event_batch;
mod event_pages;
mod events;
mod facts;
mod fields;
mod foreign;
mod guard;
mod pages;
mod parquet_file;
mod part;
mod plain_table;
mod ranking;
mod run_file;
mod totals;

pub use aggregate_batch::{
    AggregateBatch, AggregateBlock, ItemRange, WantsItem, decode_aggregates, first_items, paths_of,
};
pub use aggregate_file::{AggregateFile, ItemPages};
pub use aggregates::{AggregateLine, encode_aggregates};
pub use chunked_file::EncodedGroup;
pub use coded::Coder;
pub use event_batch::{EventBatch, EventColumns, decode_events};
pub use event_pages::may_have_items;
pub use events::{EventCopy, EventEncoder, merge_events, without_batches};
pub use facts::ColumnFacts;
pub use foreign::{BadPaths, ForeignBatch, ForeignFile, ForeignRows, ForeignTime, NotText, Wanted};
pub use guard::is_guarded;
pub use parquet_file::{ColumnsError, Encoded, decode_nested};
pub use plain_table::{PlainColumn, encode_table};
pub use ranking::{
    EncodedRanking, Leader, ROWS_PER_GROUP, RankedRow, RankingFile, RowTotals, encode_ranking,
};
pub use run_file::{decode_runs, encode_runs};
pub use totals::{TOTALS_PER_GROUP, TotalsEncoder, TotalsFile, TotalsGroup, TotalsLine, TotalsRow};
