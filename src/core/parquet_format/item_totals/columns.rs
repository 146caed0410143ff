//! The column names in an item totals file that its writer and its reader share.

pub(super) const TOP: &str = "top_category";
pub(super) const ITEM: &str = "item_id";
pub(super) const WEEK: &str = "units_week";
pub(super) const UNITS: &str = "units";
/// Units in the window of the ranking; older files have none.
pub(super) const WINDOW_UNITS: &str = "window_units";
pub(super) const SCORE: &str = "score";
pub(super) const SHOP_RANK: &str = "shop_rank";
pub(super) const CATEGORIES: &str = "categories";
pub(super) const RANKS: &str = "ranks";
