//! The best N of many, without keeping the rest.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::rank::score::Scored;

/// An item that could rank.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub item_id: String,
    pub scored: Scored,
}

/// The best entries seen so far, and how many were seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Top {
    /// The worst on top, to be pushed out first.
    best: BinaryHeap<Entry>,
    pub seen: u64,
}

impl Top {
    /// Takes an item, and lets go of the worst where there are more than `limit`.
    pub fn push(&mut self, item_id: &str, scored: Scored, limit: usize) {
        self.seen += 1;
        // Most items are not among the best, so nothing is kept of them, not even for a moment.
        if self.best.len() < limit {
            self.best.push(Entry { item_id: item_id.to_owned(), scored });
        } else if let Some(mut worst) = self.best.peek_mut()
            && order((item_id, scored), worst.key()) == Ordering::Less
        {
            // The place of the one that goes serves the one that comes.
            let worst = &mut *worst;
            item_id.clone_into(&mut worst.item_id);
            worst.scored = scored;
        }
    }

    /// Takes what another has seen.
    pub fn merge(&mut self, other: Top, limit: usize) {
        self.seen += other.seen;
        for entry in other.best {
            if self.best.len() < limit {
                self.best.push(entry);
            } else if let Some(mut worst) = self.best.peek_mut()
                && entry < *worst
            {
                *worst = entry;
            }
        }
    }

    /// Returns the entries, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.best.iter()
    }

    /// Returns the entries, best first.
    pub fn into_sorted(self) -> Vec<Entry> {
        self.best.into_sorted_vec()
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
    let units = other.sums.units.cmp(&scored.sums.units);
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
    use crate::event::Sums;

    #[test]
    fn ties_fall_to_more_units_then_to_the_smaller_id() {
        let scored = |score, units| Scored { score, sums: Sums { purchases: 1, units, amount: 0 } };
        let sales = [("b", 1.0, 2), ("c", 1.0, 3), ("a", 1.0, 2), ("d", 2.0, 1), ("e", 0.5, 9)];
        let top_of = |sales: &[(&str, f64, i64)]| {
            let mut top = Top::default();
            sales.iter().for_each(|&(item_id, score, units)| top.push(item_id, scored(score, units), 4));
            top
        };
        let ids = |top: Top| top.into_sorted().into_iter().map(|entry| entry.item_id).collect::<Vec<_>>();
        let top = top_of(&sales);
        assert_eq!(top.seen, 5);
        assert_eq!(ids(top).concat(), "dcab");
        for cut in 0..sales.len() {
            let mut merged = top_of(&sales[..cut]);
            merged.merge(top_of(&sales[cut..]), 4);
            assert_eq!((merged.seen, ids(merged).concat()), (5, "dcab".to_owned()), "cut at {cut}");
        }
        let mut none = Top::default();
        none.push("a", scored(1.0, 1), 0);
        assert_eq!((none.seen, none.into_sorted().len()), (1, 0));
    }
}
