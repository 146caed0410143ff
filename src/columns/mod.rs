//! Our tables' rows as Parquet, and other people's Parquet as fields.
//!
//! Invariant: every file is standard Parquet that any engine reads; nothing outside this room
//! and `table` knows Arrow.
//!
//! The format is <https://parquet.apache.org/docs/file-format/>.

mod events;
mod facts;
mod fields;
mod foreign;
mod parquet_file;
mod ranking;
mod sums;

pub use events::{EventBatch, EventCopy, decode_events, encode_events, merge_events, without_batches};
pub use facts::ColumnFacts;
pub use foreign::{BadPaths, ForeignBatch, ForeignFile, ForeignRows, ForeignTime, NotText, Wanted};
pub use parquet_file::{ColumnsError, Encoded};
pub use ranking::{RankedRow, RankingFile, encode_ranking};
pub use sums::{SumLine, decode_sums, encode_sums};
