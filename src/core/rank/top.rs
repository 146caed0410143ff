//! The best N of many, without keeping the rest.

use std::cmp::Ordering;

use crate::model::{Aggregate, AggregateOverflow, DayUnits};
use crate::rank::score::{Overflow, Scored};

/// An item that could rank.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub item_id: String,
    pub scored: Scored,
    pub days: DayUnits,
}

/// The best entries seen so far, and how many were seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Top {
    /// In no order; now and then more than are asked for.
    best: Vec<Entry>,
    pub seen: u64,
    /// What all that were seen add up to.
    pub aggregate: Aggregate,
}

impl Top {
    /// Returns a top of these entries, the best of so many that add up to this.
    pub fn of(best: Vec<Entry>, seen: u64, aggregate: Aggregate) -> Top {
        Top { best, seen, aggregate }
    }

    /// Takes an item, and lets go of the worst where there are many more than `limit`.
    pub fn push(&mut self, entry: Entry, limit: usize) -> Result<(), AggregateOverflow> {
        self.seen += 1;
        let aggregate = self.aggregate.plus(entry.scored.aggregate);
        self.aggregate = aggregate.ok_or_else(|| Overflow.of(&entry.item_id))?;
        self.best.push(entry);
        if self.best.len() > limit.saturating_mul(2) {
            self.prune(limit);
        }
        Ok(())
    }

    /// Takes what another has seen.
    pub fn merge(&mut self, mut other: Top, limit: usize) -> Result<(), AggregateOverflow> {
        self.seen += other.seen;
        let an_item = || other.best.first().map_or("", |entry| entry.item_id.as_str());
        self.aggregate = self.aggregate.plus(other.aggregate).ok_or_else(|| Overflow.of(an_item()))?;
        // Mostly there is but one that has seen anything of a category.
        if self.best.len() < other.best.len() {
            std::mem::swap(&mut self.best, &mut other.best);
        }
        self.best.append(&mut other.best);
        self.prune(limit);
        Ok(())
    }

    /// Returns the entries, in no order.
    pub fn into_entries(self) -> Vec<Entry> {
        self.best
    }

    /// Returns the best entries, best first.
    pub fn into_sorted(mut self, limit: usize) -> Vec<Entry> {
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

impl Entry {
    fn key(&self) -> (&str, Scored) {
        (&self.item_id, self.scored)
    }
}

/// Better is less: score down, units down, item id up by bytes.
fn order((item, scored): (&str, Scored), (other_item, other): (&str, Scored)) -> Ordering {
    let score = other.score.total_cmp(&scored.score);
    let units = other.aggregate.units.cmp(&scored.aggregate.units);
    score.then(units).then_with(|| item.cmp(other_item))
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        order(self.key(), other.key())
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DAYS;

    #[test]
    fn ties_fall_to_more_units_then_to_the_smaller_id() {
        let entry = |item_id: &str, score, units| Entry {
            item_id: item_id.to_owned(),
            scored: Scored { score, aggregate: Aggregate { purchases: 1, units, amount: 0 } },
            days: [0; DAYS],
        };
        let sales = [("b", 1.0, 2), ("c", 1.0, 3), ("a", 1.0, 2), ("d", 2.0, 1), ("e", 0.5, 9)];
        let top_of = |sales: &[(&str, f64, i64)]| {
            let mut top = Top::default();
            for &(item_id, score, units) in sales {
                top.push(entry(item_id, score, units), 4).expect("small sums fit");
            }
            top
        };
        let ids = |top: Top| top.into_sorted(4).into_iter().map(|entry| entry.item_id).collect::<Vec<_>>();
        let all = Aggregate { purchases: 5, units: 17, amount: 0 };
        let top = top_of(&sales);
        assert_eq!((top.seen, top.aggregate), (5, all));
        assert_eq!(ids(top).concat(), "dcab");
        for cut in 0..sales.len() {
            let mut merged = top_of(&sales[..cut]);
            merged.merge(top_of(&sales[cut..]), 4).expect("small sums fit");
            assert_eq!((merged.seen, merged.aggregate), (5, all), "cut at {cut}");
            assert_eq!(ids(merged).concat(), "dcab", "cut at {cut}");
        }
        let mut none = Top::default();
        none.push(entry("a", 1.0, 1), 0).expect("small sums fit");
        assert_eq!((none.seen, none.into_sorted(0).len()), (1, 0));
    }
}
