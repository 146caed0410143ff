//! The names in a ranking file that its writer and its readers share.

pub(super) const NAME: &str = "name";
/// The metadata key of the row groups' hashes, in their order, separated by spaces.
pub(super) const HASHES: &str = "topsell.blake3";
pub(super) const WEEK: &str = "units_week";
pub(super) const ELIGIBLE_ITEMS: &str = "eligible_items";
/// The aggregate of all eligible items of a category.
pub(super) const ELIGIBLE: [&str; 3] = ["eligible_units", "eligible_purchases", "eligible_amount"];
/// The item's aggregate over the ranking's window, null where the category's window is not extended; older files
/// have none.
pub(super) const WINDOW: [&str; 3] = ["window_units", "window_purchases", "window_amount"];
/// The aggregate of all items of a category over the ranking's window; older files have none.
pub(super) const CATEGORY: [&str; 3] = ["category_units", "category_purchases", "category_amount"];
/// The first item of a category that is not listed, and its score; older files have none.
pub(super) const NEXT: [&str; 2] = ["next_item_id", "next_score"];
/// The names of the columns of eligible items in files of format 0.
pub(super) const ELIGIBLE_ITEMS_0: &str = "rankable";
pub(super) const ELIGIBLE_0: [&str; 3] = ["rankable_units", "rankable_purchases", "rankable_amount"];

/// Returns the hash of a row group's bytes: half of BLAKE3, enough against any accident.
pub(super) fn hash_of(group: &[u8]) -> String {
    let mut hash = blake3::hash(group).to_hex().to_string();
    hash.truncate(32);
    hash
}
