//! The items of one top-level category: read back, and sorted by rank.

use std::cmp::Reverse;

use hashbrown::HashMap;

use crate::rank::{CategoryRounds, PackedItemTotals, PackedItemTotalsRow};
use crate::rankings::item_totals::spilled_part::SpilledPart;

/// Rows of one top-level category, in the order of their items' ids.
pub(super) struct CategoryRows<'a> {
    pub rows: Vec<PackedItemTotalsRow<'a>>,
    /// The categories by number, in byte order.
    pub categories: Vec<&'a str>,
    /// The sets of categories that rows refer to by number.
    pub sets: Vec<Vec<u32>>,
}

impl<'a> CategoryRows<'a> {
    /// Returns the rows of some parts, each with its packed bytes, in the categories whose ranking is
    /// from the part's round.
    pub fn of(parts: &'a [(&'a SpilledPart, Vec<u8>)], rounds: &CategoryRounds) -> CategoryRows<'a> {
        let is_ranked = |part: &SpilledPart, name: &str| rounds.is_from(Some(name), part.round);
        let mut categories: Vec<&str> = Vec::new();
        for (part, _) in parts {
            let names = part.totals.categories.iter().map(String::as_str);
            // The shop is the empty path.
            categories.extend(names.filter(|name| !name.is_empty() && is_ranked(part, name)));
        }
        categories.sort_unstable();
        categories.dedup();
        let numbers: HashMap<&str, u32> = categories.iter().copied().zip(0..).collect();
        let (mut rows, mut sets) = (Vec::new(), Vec::new());
        for (part, packed) in parts {
            let of_part: Vec<Option<u32>> = part
                .totals
                .categories
                .iter()
                .map(|name| numbers.get(name.as_str()).copied().filter(|_| is_ranked(part, name)))
                .collect();
            let first_set = sets.len() as u32;
            sets.extend(part.totals.sets.iter().map(|set| {
                let ranked = set.iter().filter_map(|&code| of_part[code as usize]);
                let mut ranked: Vec<u32> = ranked.collect();
                ranked.sort_unstable();
                ranked
            }));
            let ranks_shop = rounds.is_from(None, part.round);
            rows.reserve(usize::try_from(part.totals.rows).unwrap_or(0));
            rows.extend(PackedItemTotals::rows_of(packed).filter_map(|row| {
                let set = row.set + first_set;
                let counts = part.is_multi_category || (ranks_shop && !rounds.is_multi_category(row.item_id));
                let is_for_shop = row.is_for_shop && counts;
                let is_listed = is_for_shop || !sets[set as usize].is_empty();
                is_listed.then_some(PackedItemTotalsRow { set, is_for_shop, ..row })
            }));
        }
        if parts.len() > 1 {
            // The sort is stable: rows of one item stay in the order of their rounds.
            rows.sort_by(|a, b| a.item_id.cmp(b.item_id));
        }
        CategoryRows { rows, categories, sets }
    }

    /// Returns the numbers of the rows, best first: score down, units down, item id up.
    pub fn order(&self) -> Vec<u32> {
        // Scores are positive, and of positive numbers the larger has the larger bits. Most differ in what is
        // printed; the rows of a category are of one window, by which exact scores compare.
        let keys = self
            .rows
            .iter()
            .zip(0..)
            .map(|(row, at)| (Reverse(row.score.to_bits()), Reverse(row.exact), Reverse(row.units), at));
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        keys.into_iter().map(|(.., at)| at).collect()
    }

    /// Returns the ranks of each row in the categories of its set, row after row, and where each row's
    /// ranks begin.
    pub fn ranks(&self, order: &[u32]) -> (Vec<u32>, Vec<usize>) {
        let mut begins = Vec::with_capacity(self.rows.len() + 1);
        let mut end = 0;
        for row in &self.rows {
            begins.push(end);
            end += self.sets[row.set as usize].len();
        }
        begins.push(end);
        let mut ranks = vec![0; end];
        let mut ranked = vec![0_u32; self.categories.len()];
        for &at in order {
            let set = &self.sets[self.rows[at as usize].set as usize];
            for (rank, &category) in ranks[begins[at as usize]..].iter_mut().zip(set) {
                ranked[category as usize] += 1;
                *rank = ranked[category as usize];
            }
        }
        (ranks, begins)
    }
}
