//! A ranking as a value: categories, and the ranked items of each.

use crate::model::{Aggregate, DayUnits, Window};

/// The best sellers of the whole shop and of every category.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// The shop first, then the categories in byte order; only those with an eligible item.
    pub categories: Vec<CategoryRanking>,
}

impl Ranking {
    /// Returns the ids of all ranked items; an item that ranks in several categories comes once for each.
    pub fn items(&self) -> impl Iterator<Item = &str> {
        self.categories.iter().flat_map(|category| category.items.iter().map(|item| item.item_id.as_str()))
    }
}

/// The best sellers of one category.
#[derive(Clone, Debug, PartialEq)]
pub struct CategoryRanking {
    /// The category's path; `None` is the whole shop.
    pub category: Option<String>,
    /// The hours that were scored, which are more than the rules' window where it was extended.
    pub window: Window,
    /// How many items are eligible.
    pub eligible_items: u64,
    /// The aggregate of all eligible items over the category's window.
    pub aggregate: Aggregate,
    /// The aggregate of all items, eligible or not, over the rules' window.
    pub window_aggregate: Aggregate,
    /// The best of them, best first.
    pub items: Vec<RankedItem>,
    /// The first of them that is not listed.
    pub next: Option<NextItem>,
}

/// The item behind the last one that is listed.
#[derive(Clone, Debug, PartialEq)]
pub struct NextItem {
    pub item_id: String,
    pub score: f64,
}

/// One ranked item.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedItem {
    pub item_id: String,
    pub score: f64,
    /// The item's aggregate over the category's window.
    pub aggregate: Aggregate,
    /// The item's aggregate over the rules' window; the same where the category's is not extended.
    pub window_aggregate: Aggregate,
    /// Units in the category on the days of the rules' week, which may be outside of the window.
    pub days: DayUnits,
}
