//! What a ranking is.

use crate::model::{Aggregate, DayUnits, Window};

/// The best sellers of the whole shop and of every category.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// The shop first, then the categories in byte order; none without a rankable item.
    pub categories: Vec<CategoryRanking>,
}

impl Ranking {
    /// Returns the ids of the items that rank anywhere, each as often as it does.
    pub fn items(&self) -> impl Iterator<Item = &str> {
        self.categories.iter().flat_map(|category| category.items.iter().map(|item| item.item_id.as_str()))
    }
}

/// The best sellers of one category.
#[derive(Clone, Debug, PartialEq)]
pub struct CategoryRanking {
    /// The category's path; `None` is the whole shop.
    pub category: Option<String>,
    /// The hours that were looked at, which may be more than were asked for.
    pub window: Window,
    /// How many items could have been ranked.
    pub rankable: u64,
    /// What all these add up to over the window.
    pub aggregate: Aggregate,
    /// The best of them, best first.
    pub items: Vec<RankedItem>,
}

/// One item's place.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedItem {
    pub item_id: String,
    pub score: f64,
    /// Plain aggregates over the category's window.
    pub aggregate: Aggregate,
    /// Units in the category on the days of the rules' week, which may lie outside of the window.
    pub days: DayUnits,
}
