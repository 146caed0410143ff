//! The file of a published ranking, sorted by category and rank.
//!
//! | column | Parquet type | encoding |
//! |---|---|---|
//! | `category` | BYTE_ARRAY, STRING: the path; null for the whole shop, which comes first | dictionary |
//! | `rank` | INT32, from 1 | PLAIN |
//! | `item_id` | BYTE_ARRAY, STRING | DELTA_LENGTH_BYTE_ARRAY, or dictionary |
//! | `name` | BYTE_ARRAY, STRING, or null: what a catalog calls the item | DELTA_LENGTH_BYTE_ARRAY |
//! | `score` | DOUBLE | BYTE_STREAM_SPLIT, or dictionary |
//! | `units`, `purchases` | INT64 | BYTE_STREAM_SPLIT |
//! | `amount` | INT64, DECIMAL(18,4); FIXED_LEN_BYTE_ARRAY(16), DECIMAL(38,4) where one is too large | BYTE_STREAM_SPLIT; PLAIN; or dictionary |
//! | `window_from` | INT64, TIMESTAMP(MICROS, UTC): where the oldest bucket begins | dictionary |
//! | `window_to` | INT64, TIMESTAMP(MICROS, UTC): where the newest bucket ends | dictionary |
//! | `rankable` | INT64: items the category could have ranked | dictionary |
//! | `rankable_units`, `rankable_purchases` | INT64: what all these add up to | dictionary |
//! | `rankable_amount` | FIXED_LEN_BYTE_ARRAY(16), DECIMAL(38,4): the same | dictionary |
//! | `units_day_1` … `units_day_7` | INT64: units of the last seven days, oldest first | BYTE_STREAM_SPLIT |
//! | `units_week` | INT64: their sum | BYTE_STREAM_SPLIT |
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
//! The days are those of a time zone, which the metadata names together with the hours at which each
//! begins; they may reach back beyond the window, and the last of them may not be over.
//!
//! Files written before there were names have no column `name`, those written before groups were
//! hashed no hashes, and those written before units were told by days nothing behind `rankable`; all
//! are read all the same.

mod chunk;
mod pack;
mod read;
mod rows;
mod write;

use std::borrow::Cow;

use crate::model::{Aggregate, DAYS, DayUnits, Timestamp};

pub use read::{Leader, RankingFile};
pub(super) use write::footer_at;
pub use write::{EncodedRanking, ROWS_PER_GROUP, encode_ranking};

const NAME: &str = "name";
/// The label that holds the hashes of the row groups, in their order, parted by spaces.
const HASHES: &str = "topsell.blake3";
/// The columns of the days, oldest first.
pub(super) const DAY_COLUMNS: [&str; DAYS] =
    ["units_day_1", "units_day_2", "units_day_3", "units_day_4", "units_day_5", "units_day_6", "units_day_7"];
const WEEK: &str = "units_week";
const RANKABLE: [&str; 3] = ["rankable_units", "rankable_purchases", "rankable_amount"];

/// One item's place in one category.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedRow<'a> {
    /// The path; `None` is the whole shop.
    pub category: Option<Cow<'a, str>>,
    pub rank: i32,
    pub item_id: Cow<'a, str>,
    pub name: Option<Cow<'a, str>>,
    pub score: f64,
    pub aggregate: Aggregate,
    pub window_from: Timestamp,
    pub window_to: Timestamp,
    pub rankable: i64,
    /// What is known since units are told by days; none in files written before.
    pub totals: Option<RowTotals>,
}

/// What a row tells besides its item's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowTotals {
    /// Units on each of the last seven days, oldest first.
    pub days: DayUnits,
    /// What all items add up to that the category could have ranked.
    pub rankable: Aggregate,
}

impl RowTotals {
    /// Returns the units of all seven days; none where they do not fit.
    pub fn week(&self) -> Option<i64> {
        self.days.iter().try_fold(0_i64, |sum, day| sum.checked_add(*day))
    }
}

impl RankedRow<'_> {
    /// Returns the row with texts of its own.
    pub fn into_owned(self) -> RankedRow<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        RankedRow {
            category: self.category.map(owned),
            rank: self.rank,
            item_id: owned(self.item_id),
            name: self.name.map(owned),
            score: self.score,
            aggregate: self.aggregate,
            window_from: self.window_from,
            window_to: self.window_to,
            rankable: self.rankable,
            totals: self.totals,
        }
    }
}

/// Returns what is noted of a group's bytes: half of the hash, which no accident meets.
fn hash_of(group: &[u8]) -> String {
    let mut hash = blake3::hash(group).to_hex().to_string();
    hash.truncate(32);
    hash
}
