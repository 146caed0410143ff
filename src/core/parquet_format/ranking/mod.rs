//! The file of a published ranking, sorted by category and rank.
//!
//! | column | Parquet type | encoding |
//! |---|---|---|
//! | `category` | BYTE_ARRAY, STRING: the path; null for the whole shop, which comes first | dictionary |
//! | `rank` | INT32, from 1 | PLAIN |
//! | `item_id` | BYTE_ARRAY, STRING | DELTA_LENGTH_BYTE_ARRAY, or dictionary |
//! | `name` | BYTE_ARRAY, STRING, or null: the item's name in the catalog | DELTA_LENGTH_BYTE_ARRAY |
//! | `score` | DOUBLE | BYTE_STREAM_SPLIT, or dictionary |
//! | `units` | INT64, DECIMAL(18,4); FIXED_LEN_BYTE_ARRAY(16), DECIMAL(38,4) where units of the file are too large | dictionary with codes of whole bytes, or BYTE_STREAM_SPLIT; PLAIN |
//! | `purchases` | INT64 | BYTE_STREAM_SPLIT |
//! | `amount` | INT64, DECIMAL(18,4); FIXED_LEN_BYTE_ARRAY(16), DECIMAL(38,4) where one is too large | BYTE_STREAM_SPLIT; PLAIN; or dictionary |
//! | `window_from` | INT64, TIMESTAMP(MICROS, UTC): where the oldest bucket begins | dictionary |
//! | `window_to` | INT64, TIMESTAMP(MICROS, UTC): where the newest bucket ends | dictionary |
//! | `eligible_items` | INT64: the number of eligible items in the category | dictionary |
//! | `eligible_purchases` | INT64: the aggregate of all eligible items | dictionary |
//! | `eligible_units`, `eligible_amount` | FIXED_LEN_BYTE_ARRAY(16), DECIMAL(38,4): the same | dictionary |
//! | `units_day_1` … `units_day_7` | as `units`: units of the last seven days, oldest first | as `units` |
//! | `units_week` | as `units`: their total | as `units` |
//! | `window_purchases` | INT64: the item's aggregate over the ranking's window; null where that of the category is not extended, and the item's figures are of the ranking's window anyway | dictionary |
//! | `window_units`, `window_amount` | FIXED_LEN_BYTE_ARRAY(16), DECIMAL(38,4): the same | dictionary |
//! | `category_purchases` | INT64: the aggregate of all items of the category, eligible or not, over the ranking's window | dictionary |
//! | `category_units`, `category_amount` | FIXED_LEN_BYTE_ARRAY(16), DECIMAL(38,4): the same | dictionary |
//! | `next_item_id` | BYTE_ARRAY, STRING: the first item that is not listed in the category; null where all are | dictionary |
//! | `next_score` | DOUBLE: its score | dictionary |
//!
//! Item ids and the low bytes of scores are close to random, and most of a file consists of them.
//! Splitting numbers into streams by byte keeps them as short as possible, and each column is one page
//! of a row group, so that an id that recurs in the group compresses to a match. A dictionary adds a
//! code to each row. Where at least half of a row group's values are repeated, as in a shop that sells
//! little, `item_id`, `score` and `amount` are encoded with a dictionary, too, and the shorter encoding
//! is kept.
//!
//! A row group holds whole categories, as many as fit into [`ROWS_PER_GROUP`] rows; a category
//! larger than that has row groups of its own. So one category is read from one row group, and the
//! footer, which is read for every answer, stays short: only `category` has minimum and maximum values,
//! since no other column is sorted over the row groups.
//!
//! The footer's key-value metadata says how the ranking was made, and under `topsell.blake3` has the
//! first half of each row group's BLAKE3 hash, so that a row group can be checked without the rest of
//! the file.
//!
//! The days are those of a time zone. The metadata has its name and the hour at which each day starts.
//! They may begin before the window, and the last of them may not be over.
//!
//! Older files are read, too: they have no columns `window_…`, `category_…` and `next_…`; of still older ones the units are whole numbers of INT64, and in files of format 0 the columns `eligible_…` are called `rankable`,
//! `rankable_units`, `rankable_purchases` and `rankable_amount`; still older ones have no `name`, no hashes,
//! or no columns after `rankable`.

mod chunk;
mod columns;
mod compression;
mod read;
mod row;
mod rows;
mod write;

pub use read::{CategorySummary, RankingFile};
pub use row::{RankedRow, RowDetails, WindowFigures};
pub use write::{EncodedRanking, LargestDecimals, ROWS_PER_GROUP, encode_ranking};
