//! The file of what every item comes to, sorted by top-level category and item.
//!
//! | column | Parquet type | encoding |
//! |---|---|---|
//! | `top_category` | BYTE_ARRAY, STRING: the first level, or null for what counts shop-wide only | dictionary |
//! | `item_id` | BYTE_ARRAY, STRING | PLAIN |
//! | `units_day_1` … `units_day_7` | INT64: units of the last seven days, oldest first | dictionary or DELTA_BINARY_PACKED |
//! | `units_week` | INT64: their sum | the same |
//! | `units` | INT64: in the window | the same |
//! | `score` | DOUBLE | BYTE_STREAM_SPLIT |
//! | `shop_rank` | INT64: rank in the whole shop, or null where the row is not what the item comes to there | DELTA_BINARY_PACKED |
//! | `categories` | LIST of STRING: the paths below `top_category`, at every level, in which the item comes to this | dictionary |
//! | `ranks` | LIST of INT64: its rank in each of them | DELTA_BINARY_PACKED |
//!
//! An item has a row for each top-level category that it sells in; where it lay in others of its
//! categories for a part of the time, one for each of the sums that it comes to. In each category,
//! and in the shop, it has its rank in one row alone. In a category that sells too little, which its
//! ranking looks further back for, `units` and `score` are of that longer window.
//!
//! No row group holds two top-level categories, and the bounds of `top_category` and `item_id` say
//! which holds what: an item or a category is read without the rest.

mod read;
mod write;

use crate::event::DayUnits;

pub use read::{TotalsFile, TotalsRow};
pub use write::{TOTALS_PER_GROUP, TotalsEncoder, TotalsGroup};

const TOP: &str = "top_category";
const ITEM: &str = "item_id";
const WEEK: &str = "units_week";
const UNITS: &str = "units";
const SCORE: &str = "score";
const SHOP_RANK: &str = "shop_rank";
const CATEGORIES: &str = "categories";
const RANKS: &str = "ranks";

/// One row on its way into a file.
#[derive(Clone, Copy, Debug)]
pub struct TotalsLine<'a> {
    pub item_id: &'a str,
    pub days: &'a DayUnits,
    pub units: i64,
    pub score: f64,
    pub shop_rank: Option<i64>,
}
