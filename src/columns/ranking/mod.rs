//! The file of a published ranking, sorted by category and rank.
//!
//! | column | Parquet type | encoding |
//! |---|---|---|
//! | `category` | BYTE_ARRAY, STRING: the path; null for the whole shop, which comes first | dictionary |
//! | `rank` | INT32, from 1 | PLAIN |
//! | `item_id` | BYTE_ARRAY, STRING | DELTA_LENGTH_BYTE_ARRAY, or dictionary |
//! | `name` | BYTE_ARRAY, STRING, or null: what a catalogue calls the item | DELTA_LENGTH_BYTE_ARRAY |
//! | `score` | DOUBLE | BYTE_STREAM_SPLIT, or dictionary |
//! | `units`, `purchases` | INT64 | BYTE_STREAM_SPLIT |
//! | `amount` | INT64, DECIMAL(18,4); FIXED_LEN_BYTE_ARRAY(16), DECIMAL(38,4) where one is too large | BYTE_STREAM_SPLIT; PLAIN; or dictionary |
//! | `window_from` | INT64, TIMESTAMP(MICROS, UTC): where the oldest bucket begins | dictionary |
//! | `window_to` | INT64, TIMESTAMP(MICROS, UTC): where the newest bucket ends | dictionary |
//! | `rankable` | INT64: items the category could have ranked | dictionary |
//!
//! Item ids and the low bytes of scores are close to random, and most of a file is these. Bytes of
//! one place side by side are as short as they can be, and a column is one page of a group, so that
//! an id that stands in a group again is a match of it. A dictionary adds a number to each row: where
//! at least half of a group's values are those of other rows, as in a shop that sells little,
//! `item_id`, `score` and `amount` are written with one, too, and the shorter of the two stays.
//!
//! A row group holds whole categories, as many as fit into [`ROWS_PER_GROUP`] rows; a category
//! larger than that has groups of its own. So one category is read from one group, and the footer,
//! which is read for every answer, stays short: `category` alone has bounds, since no other column
//! is sorted over the groups.
//!
//! How the ranking was made stands in the footer's key-value metadata, and under `topsell.blake3`
//! the beginning of each row group's BLAKE3 hash, so that a group can be checked without the rest of
//! the file.
//!
//! Files written before there were names have no column `name`, and those written before groups
//! were hashed no hashes; both are read all the same.

mod chunk;
mod pack;
mod read;
mod write;

use std::borrow::Cow;

use crate::event::Sums;
use crate::time::Timestamp;

pub use read::{Leader, RankingFile};
pub use write::{EncodedRanking, ROWS_PER_GROUP, encode_ranking};

const NAME: &str = "name";
/// The label that holds the hashes of the row groups, in their order, parted by spaces.
const HASHES: &str = "topsell.blake3";
/// One item's place in one category.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedRow<'a> {
    /// The path; `None` is the whole shop.
    pub category: Option<Cow<'a, str>>,
    pub rank: i32,
    pub item_id: Cow<'a, str>,
    pub name: Option<Cow<'a, str>>,
    pub score: f64,
    pub sums: Sums,
    pub window_from: Timestamp,
    pub window_to: Timestamp,
    pub rankable: i64,
}

impl RankedRow<'_> {
    /// Returns the row with texts of its own.
    fn into_owned(self) -> RankedRow<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        RankedRow {
            category: self.category.map(owned),
            rank: self.rank,
            item_id: owned(self.item_id),
            name: self.name.map(owned),
            score: self.score,
            sums: self.sums,
            window_from: self.window_from,
            window_to: self.window_to,
            rankable: self.rankable,
        }
    }
}

/// Returns what is noted of a group's bytes: half of the hash, which no accident meets.
fn hash_of(group: &[u8]) -> String {
    let mut hash = blake3::hash(group).to_hex().to_string();
    hash.truncate(32);
    hash
}
