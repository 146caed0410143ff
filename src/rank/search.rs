//! Ranking in steps: the window first, then, for categories that sell too little, twice as far
//! back, and again.
//!
//! The search does no reading of its own. It says which sums it needs next; whoever drives it
//! brings them.

use std::collections::BTreeMap;
use std::ops::Range;

use hashbrown::HashSet;
use rayon::prelude::*;

use crate::event::{SumRow, SumRows, SumsOverflow, levels_of};
use crate::rank::score::Scoring;
use crate::rank::top::{Entry, Top};
use crate::rank::tree::{SHOP, Tree};
use crate::rank::{CategoryRanking, RankedItem, Ranking, Rules};
use crate::time::{Hour, Window};

/// Shares of the items that each thread gets, so that a slow share does not hold up the rest.
const SHARES_PER_THREAD: usize = 4;

/// A ranking under way.
pub struct Search {
    rules: Rules,
    window: Window,
    /// Sums of the window that unsettled categories may need.
    rows: SumRows,
    settled: BTreeMap<Option<String>, CategoryRanking>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Needs { from: Hour, until: Hour },
    Done,
}

/// The sums that a search needs next.
pub struct Need {
    /// First hour, and the hour after the last.
    pub hours: Range<Hour>,
    settled: Settled,
}

/// The categories whose ranking is final.
#[derive(Clone, Default)]
struct Settled {
    shop: bool,
    categories: HashSet<String>,
}

impl Need {
    /// Tells of a set of paths, joined by `|`, whether its sums are needed.
    pub fn wants_paths(&self, paths: &str) -> bool {
        self.settled.leaves_open(paths)
    }
}

impl Settled {
    fn contains(&self, category: Option<&str>) -> bool {
        category.map_or(self.shop, |category| self.categories.contains(category))
    }

    fn leaves_open(&self, paths: &str) -> bool {
        let mut categories = paths.split('|').filter(|path| !path.is_empty()).flat_map(levels_of);
        !self.shop || categories.any(|category| !self.categories.contains(category))
    }
}

impl Search {
    /// Returns a search that has seen nothing yet.
    pub fn new(rules: Rules) -> Search {
        let window = rules.window;
        let state = State::Needs { from: window.oldest(), until: window.as_of() };
        Search { rules, window, rows: SumRows::default(), settled: BTreeMap::new(), state }
    }

    /// Returns what to bring next; nothing where the ranking is done.
    pub fn need(&self) -> Option<Need> {
        match self.state {
            State::Done => None,
            State::Needs { from, until } => Some(Need { hours: from..until, settled: self.settled() }),
        }
    }

    /// Takes the sums that were needed, and ranks what can be.
    ///
    /// # Errors
    /// Names an item whose sums over the window do not fit.
    pub fn supply(&mut self, rows: SumRows) -> Result<(), SumsOverflow> {
        if self.rows.rows.is_empty() {
            self.rows = rows;
        } else {
            self.rows.append(&rows);
        }
        let is_last = self.window.hours() >= self.rules.max_lookback_hours || self.rules.min_items == 0;
        let ranked = self.rank()?;
        let enough = |ranking: &CategoryRanking| is_last || ranking.rankable >= self.rules.min_items;
        self.settled
            .extend(ranked.into_iter().filter(enough).map(|ranking| (ranking.category.clone(), ranking)));
        if is_last {
            self.state = State::Done;
            return Ok(());
        }
        self.forget_settled();
        let until = self.window.oldest();
        self.window = self.window.doubled(self.rules.max_lookback_hours);
        self.state = State::Needs { from: self.window.oldest(), until };
        Ok(())
    }

    /// Returns the ranking of all categories that have one.
    pub fn finish(self) -> Ranking {
        Ranking { categories: self.settled.into_values().filter(|ranking| ranking.rankable > 0).collect() }
    }

    fn settled(&self) -> Settled {
        let categories = self.settled.keys().flatten().cloned().collect();
        Settled { shop: self.settled.contains_key(&None), categories }
    }

    /// Drops the rows that no unsettled category needs.
    fn forget_settled(&mut self) {
        let settled = self.settled();
        let wanted: Vec<bool> = self.rows.path_sets.iter().map(|paths| settled.leaves_open(paths)).collect();
        self.rows.rows.retain(|row| wanted[row.path_set as usize]);
    }

    /// Ranks every unsettled category over the current window.
    fn rank(&self) -> Result<Vec<CategoryRanking>, SumsOverflow> {
        let settled = self.settled();
        let tree = Tree::of(&self.rows.path_sets, &|category| !settled.contains(category));
        let scoring = Scoring::new(self.window, self.rules.decay, self.rules.measure);
        let (mut rows, ranges) = self.rows.by_item();
        let top = self.rules.top;
        let tops = shares(&mut rows, &ranges)
            .into_par_iter()
            .map(|share| {
                let mut tops = vec![Top::default(); tree.len()];
                let offset = share.ranges.first().map_or(0, |range| range.start);
                for (item, range) in (share.first_item..).zip(share.ranges) {
                    let rows = &mut share.rows[range.start - offset..range.end - offset];
                    self.rank_item(self.rows.items.name(item), rows, &tree, &scoring, &mut tops)?;
                }
                Ok(tops)
            })
            .try_reduce(Vec::new, |left, right| Ok(merged(left, right, top)))?;
        Ok(self.collect(&tree, tops))
    }

    /// Places one item in every category that it sold in.
    fn rank_item<'a>(
        &self,
        item_id: &'a str,
        rows: &mut [SumRow],
        tree: &Tree,
        scoring: &Scoring,
        tops: &mut [Top<'a>],
    ) -> Result<(), SumsOverflow> {
        rows.sort_unstable_by_key(|row| row.hour);
        let mut categories: Vec<u32> = Vec::new();
        let mut last_set = None;
        for row in rows.iter().filter(|row| last_set.replace(row.path_set) != Some(row.path_set)) {
            categories.extend_from_slice(tree.closure(row.path_set));
        }
        categories.sort_unstable();
        categories.dedup();
        let is_one_set = rows.windows(2).all(|pair| pair[0].path_set == pair[1].path_set);
        if is_one_set && !categories.is_empty() {
            // The usual case: the item sells the same in every category that it lies in.
            if let Some(scored) = scoring.score(rows.iter()).map_err(|e| e.of(item_id))? {
                for &category in &categories {
                    tops[category as usize].push(Entry { item_id, scored }, self.rules.top);
                }
            }
        } else {
            for &category in &categories {
                let of_category =
                    rows.iter().filter(|row| tree.closure(row.path_set).binary_search(&category).is_ok());
                if let Some(scored) = scoring.score(of_category).map_err(|e| e.of(item_id))? {
                    tops[category as usize].push(Entry { item_id, scored }, self.rules.top);
                }
            }
        }
        if tree.wants_shop {
            let primary = rows.iter().filter(|row| row.is_primary);
            if let Some(scored) = scoring.score(primary).map_err(|e| e.of(item_id))? {
                tops[SHOP as usize].push(Entry { item_id, scored }, self.rules.top);
            }
        }
        Ok(())
    }

    fn collect(&self, tree: &Tree, mut tops: Vec<Top<'_>>) -> Vec<CategoryRanking> {
        // Without a single item there was not even a share.
        tops.resize(tree.len(), Top::default());
        let ranked = |(code, top): (u32, Top<'_>)| CategoryRanking {
            category: tree.category(code).map(str::to_owned),
            window: self.window,
            rankable: top.seen,
            items: top
                .into_sorted()
                .into_iter()
                .map(|entry| RankedItem {
                    item_id: entry.item_id.to_owned(),
                    score: entry.scored.score,
                    sums: entry.scored.sums,
                })
                .collect(),
        };
        let wanted = |code: &u32| *code != SHOP || tree.wants_shop;
        (0..).zip(tops).filter(|(code, _)| wanted(code)).map(ranked).collect()
    }
}

/// Returns what two shares come to; one may have been no share at all.
fn merged<'a>(mut left: Vec<Top<'a>>, mut right: Vec<Top<'a>>, limit: usize) -> Vec<Top<'a>> {
    if left.len() < right.len() {
        std::mem::swap(&mut left, &mut right);
    }
    for (into, top) in left.iter_mut().zip(right) {
        into.merge(top, limit);
    }
    left
}

/// Some items, and the rows that are theirs.
struct Share<'a> {
    first_item: u32,
    /// Where each item's rows lie among the rows of all items.
    ranges: &'a [Range<usize>],
    rows: &'a mut [SumRow],
}

/// Cuts the items into shares that can be ranked side by side.
fn shares<'a>(mut rows: &'a mut [SumRow], ranges: &'a [Range<usize>]) -> Vec<Share<'a>> {
    let count = rayon::current_num_threads() * SHARES_PER_THREAD;
    let items_per_share = ranges.len().div_ceil(count).max(1);
    let mut shares = Vec::with_capacity(count);
    let mut first_item = 0;
    for ranges in ranges.chunks(items_per_share) {
        let rows_of_share = ranges.iter().map(Range::len).sum();
        let (of_share, rest) = rows.split_at_mut(rows_of_share);
        shares.push(Share { first_item, ranges, rows: of_share });
        first_item += ranges.len() as u32;
        rows = rest;
    }
    shares
}
