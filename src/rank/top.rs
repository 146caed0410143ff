//! The best N of many, without keeping the rest.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::rank::score::Scored;

/// An item that could rank.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub item_id: &'a str,
    pub scored: Scored,
}

/// The best entries seen so far, and how many were seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Top<'a> {
    /// The worst on top, to be pushed out first.
    best: BinaryHeap<Entry<'a>>,
    pub seen: u64,
}

impl<'a> Top<'a> {
    /// Takes an entry, and lets go of the worst where there are more than `limit`.
    pub fn push(&mut self, entry: Entry<'a>, limit: usize) {
        self.seen += 1;
        self.keep(entry, limit);
    }

    /// Takes what another has seen.
    pub fn merge(&mut self, other: Top<'a>, limit: usize) {
        self.seen += other.seen;
        for entry in other.best {
            self.keep(entry, limit);
        }
    }

    /// Returns the entries, best first.
    pub fn into_sorted(self) -> Vec<Entry<'a>> {
        self.best.into_sorted_vec()
    }

    fn keep(&mut self, entry: Entry<'a>, limit: usize) {
        if self.best.len() < limit {
            self.best.push(entry);
        } else if let Some(mut worst) = self.best.peek_mut()
            && entry < *worst
        {
            *worst = entry;
        }
    }
}

/// Better is less: score down, units down, item id up by bytes.
impl Ord for Entry<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let score = other.scored.score.total_cmp(&self.scored.score);
        let units = other.scored.sums.units.cmp(&self.scored.sums.units);
        score.then(units).then_with(|| self.item_id.cmp(other.item_id))
    }
}

impl PartialOrd for Entry<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Sums;

    #[test]
    fn ties_fall_to_more_units_then_to_the_smaller_id() {
        let entry = |item_id, score, units| {
            let sums = Sums { purchases: 1, units, amount: 0 };
            Entry { item_id, scored: Scored { score, sums } }
        };
        let mut top = Top::default();
        for entry in [
            entry("b", 1.0, 2),
            entry("c", 1.0, 3),
            entry("a", 1.0, 2),
            entry("d", 2.0, 1),
            entry("e", 0.5, 9),
        ] {
            top.push(entry, 4);
        }
        assert_eq!(top.seen, 5);
        let ids: Vec<&str> = top.into_sorted().iter().map(|entry| entry.item_id).collect();
        assert_eq!(ids, ["d", "c", "a", "b"]);
        let mut none = Top::default();
        none.push(entry("a", 1.0, 1), 0);
        assert_eq!((none.seen, none.into_sorted().len()), (1, 0));
    }
}
