//! The best N items of a category, merged from several parts of it.

use std::cmp::Ordering;

use crate::model::{Aggregate, AggregateOverflow};
use crate::rank::overflow::Overflow;
use crate::rank::reported::Reported;
use crate::rank::scoring::Scored;

/// An eligible item.
#[derive(Clone, Debug)]
pub(super) struct TopItem {
    pub item_id: String,
    pub scored: Scored,
    pub reported: Reported,
}

/// The best items so far, and how many are eligible.
#[derive(Clone, Debug, Default)]
pub(super) struct TopItems {
    /// In no order; at times more than the limit.
    best: Vec<TopItem>,
    pub eligible_items: u64,
    /// The aggregate of all eligible items.
    pub aggregate: Aggregate,
    /// The aggregate of all other items.
    pub ineligible: Aggregate,
}

impl TopItems {
    /// Returns the best items, given the number of all eligible ones and their aggregate.
    pub fn new(best: Vec<TopItem>, eligible_items: u64, aggregate: Aggregate) -> TopItems {
        TopItems { best, eligible_items, aggregate, ineligible: Aggregate::default() }
    }

    /// Returns them with the aggregate of the items that are not eligible.
    pub fn with_ineligible(self, ineligible: Aggregate) -> TopItems {
        TopItems { ineligible, ..self }
    }

    /// Adds an item, and drops the worst where there are twice as many as `limit`.
    pub fn push(&mut self, item: TopItem, limit: usize) -> Result<(), AggregateOverflow> {
        self.eligible_items += 1;
        let aggregate = self.aggregate.plus(item.scored.aggregate);
        self.aggregate = aggregate.ok_or_else(|| Overflow::Aggregate.of(&item.item_id))?;
        self.best.push(item);
        if self.best.len() > limit.saturating_mul(2) {
            self.prune(limit);
        }
        Ok(())
    }

    /// Adds the items of another part.
    pub fn merge(&mut self, mut other: TopItems, limit: usize) -> Result<(), AggregateOverflow> {
        self.eligible_items += other.eligible_items;
        let an_item = || other.best.first().map_or("", |item| item.item_id.as_str());
        self.aggregate =
            self.aggregate.plus(other.aggregate).ok_or_else(|| Overflow::Aggregate.of(an_item()))?;
        self.ineligible =
            self.ineligible.plus(other.ineligible).ok_or_else(|| Overflow::Aggregate.of(an_item()))?;
        // Mostly only one part has items of a category.
        if self.best.len() < other.best.len() {
            std::mem::swap(&mut self.best, &mut other.best);
        }
        self.best.append(&mut other.best);
        self.prune(limit);
        Ok(())
    }

    /// Returns the aggregate of all items, eligible or not; nothing where it exceeds its range.
    pub fn total(&self) -> Option<Aggregate> {
        self.aggregate.plus(self.ineligible)
    }

    /// Returns the best items so far, in no order.
    pub fn items(&self) -> impl Iterator<Item = &TopItem> {
        self.best.iter()
    }

    /// Returns the items, in no order.
    pub fn into_items(self) -> Vec<TopItem> {
        self.best
    }

    /// Returns the best items, best first.
    pub fn into_sorted(mut self, limit: usize) -> Vec<TopItem> {
        self.prune(limit);
        self.best.sort_unstable();
        self.best
    }

    fn prune(&mut self, limit: usize) {
        if self.best.len() > limit {
            if let Some(last) = limit.checked_sub(1) {
                self.best.select_nth_unstable(last);
            }
            self.best.truncate(limit);
        }
    }
}

/// A better item is less: score down, units down, item id up by bytes.
impl Ord for TopItem {
    fn cmp(&self, other: &Self) -> Ordering {
        let score = other.scored.score.cmp(&self.scored.score);
        let units = other.scored.aggregate.units.cmp(&self.scored.aggregate.units);
        score.then(units).then_with(|| self.item_id.cmp(&other.item_id))
    }
}

impl PartialOrd for TopItem {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for TopItem {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for TopItem {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::score::Score;

    #[test]
    fn ties_fall_to_more_units_then_to_the_smaller_id() {
        let item = |item_id: &str, score, units: i32| TopItem {
            item_id: item_id.to_owned(),
            scored: Scored {
                score: Score::Narrow(score),
                aggregate: Aggregate { purchases: 1, units: units.into(), amount: 0 },
            },
            reported: Reported::default(),
        };
        let sales = [("b", 10, 2), ("c", 10, 3), ("a", 10, 2), ("d", 20, 1), ("e", 5, 9)];
        let top_of = |sales: &[(&str, i128, i32)]| {
            let mut top = TopItems::default();
            for &(item_id, score, units) in sales {
                top.push(item(item_id, score, units), 4).expect("small aggregates fit");
            }
            top
        };
        let ids = |top: TopItems| top.into_sorted(4).into_iter().map(|item| item.item_id).collect::<Vec<_>>();
        let all = Aggregate { purchases: 5, units: 17.into(), amount: 0 };
        let top = top_of(&sales);
        assert_eq!((top.eligible_items, top.aggregate), (5, all));
        assert_eq!(ids(top).concat(), "dcab");
        for cut in 0..sales.len() {
            let mut merged = top_of(&sales[..cut]);
            merged.merge(top_of(&sales[cut..]), 4).expect("small aggregates fit");
            assert_eq!((merged.eligible_items, merged.aggregate), (5, all), "cut at {cut}");
            assert_eq!(ids(merged).concat(), "dcab", "cut at {cut}");
        }
        let mut none = TopItems::default();
        none.push(item("a", 1, 1), 0).expect("small aggregates fit");
        assert_eq!((none.eligible_items, none.into_sorted(0).len()), (1, 0));
    }
}
