//! The file of item totals, sorted by top-level category and item.
//!
//! | column | Parquet type | encoding |
//! |---|---|---|
//! | `top_category` | BYTE_ARRAY, STRING: the first level, or null for totals that count shop-wide only | dictionary |
//! | `item_id` | BYTE_ARRAY, STRING | PLAIN |
//! | `units_day_1` … `units_day_7` | FIXED_LEN_BYTE_ARRAY(16), DECIMAL(38,4): units of the last seven days, oldest first | dictionary or PLAIN |
//! | `units_week` | DECIMAL(38,4): their total | the same |
//! | `units` | DECIMAL(38,4): in the window | the same |
//! | `score` | DOUBLE | BYTE_STREAM_SPLIT |
//! | `shop_rank` | INT64: rank in the whole shop, or null where the row does not have the item's shop-wide totals | DELTA_BINARY_PACKED |
//! | `categories` | LIST of STRING: the paths below `top_category`, at every level, in which the item has these totals | dictionary |
//! | `ranks` | LIST of INT64: the item's rank in each of them | DELTA_BINARY_PACKED |
//!
//! An item has a row for each top-level category that it sells in; where it was in some of its categories
//! for a part of the time, it has a row for each distinct total. In each category, and in the shop, it has
//! its rank in exactly one row. In a category whose window was extended, `units` and `score` are of the
//! longer window. Units in older files are whole numbers of INT64.
//!
//! Small top-level categories share a row group, and the statistics of `top_category` and `item_id` show
//! which row group has what, so that an item or a category is read without the rest.

mod columns;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{ItemTotalsFile, ItemTotalsRow};
pub use write::{ITEM_TOTALS_PER_GROUP, ItemTotalsEncoder, ItemTotalsGroup, ItemTotalsLine};
