//! What some items come to in their categories and in the shop.
//!
//! A tally sees each of its items whole below one top-level category, so what it says of a category
//! is final. Of the shop it is not: an item may count shop-wide below another top-level category,
//! too, because it moved. Which items do is told by their hashes, when all tallies are together.

use std::collections::BTreeMap;

use crate::event::{HourSums, Names, SumsOverflow};
use crate::rank::leaders::{Candidates, Leaders, Newcomer};
use crate::rank::score::Scoring;
use crate::rank::search::Need;
use crate::rank::shop::{ShopTallied, ShopTally, Spread};
use crate::rank::top::Top;
use crate::rank::tree::{SHOP, Tree};

/// The places that some items take.
pub struct Tally<'a> {
    need: &'a Need,
    tree: Tree,
    candidates: Candidates,
    /// By category.
    leaders: Vec<Leaders>,
    shop: ShopTally,
    categories: Vec<u32>,
}

/// What a tally has come to.
pub struct Tallied {
    pub(super) tops: BTreeMap<String, Top>,
    pub(super) shop: ShopTallied,
}

impl<'a> Tally<'a> {
    /// Returns a tally that has seen nothing yet.
    pub(super) fn new(need: &'a Need) -> Tally<'a> {
        Tally {
            need,
            tree: Tree::new(),
            candidates: Candidates::default(),
            leaders: vec![Leaders::default()],
            shop: ShopTally::default(),
            categories: Vec::new(),
        }
    }

    /// Takes one item's sums below one top-level category, ordered by hour. The items come in the
    /// order of their ids; `path_sets` has the texts of their sets of paths, and must be the same
    /// table, perhaps grown, each time.
    ///
    /// # Errors
    /// Names the item where its sums do not fit.
    pub fn take(&mut self, item_id: &str, rows: &[HourSums], path_sets: &Names) -> Result<(), SumsOverflow> {
        if let Some(spread) = &self.need.spread {
            return self.take_for_shop(item_id, rows, spread);
        }
        if path_sets.len() > self.tree.path_sets() {
            self.tree.grow(path_sets, &|category| self.need.wants_category(category));
            self.leaders.resize(self.tree.len(), Leaders::default());
        }
        let Need { scoring, limit, .. } = self.need;
        let Some(first) = rows.first() else { return Ok(()) };
        let is_one_set = rows.iter().all(|row| row.path_set == first.path_set);
        let is_one_kind = rows.iter().all(|row| row.is_primary == first.is_primary);
        let is_for_shop = self.need.wants_shop && rows.iter().any(|row| row.is_primary);
        let mut of_all = None;
        if is_one_set {
            // The usual case: the item sells the same in every category that it lies in.
            let categories = self.tree.closure(first.path_set);
            if !categories.is_empty() || (is_one_kind && is_for_shop) {
                of_all = newcomer(item_id, rows.iter(), scoring)?;
            }
            if let Some(newcomer) = &mut of_all {
                for &category in categories {
                    self.leaders[category as usize].take(newcomer, &mut self.candidates, *limit);
                }
            }
        } else {
            self.categories.clear();
            let mut last_set = None;
            for row in rows.iter().filter(|row| last_set.replace(row.path_set) != Some(row.path_set)) {
                self.categories.extend_from_slice(self.tree.closure(row.path_set));
            }
            self.categories.sort_unstable();
            self.categories.dedup();
            for &category in &self.categories {
                let of_category = rows
                    .iter()
                    .filter(|row| self.tree.closure(row.path_set).binary_search(&category).is_ok());
                if let Some(mut newcomer) = newcomer(item_id, of_category, scoring)? {
                    self.leaders[category as usize].take(&mut newcomer, &mut self.candidates, *limit);
                }
            }
        }
        if is_for_shop {
            let mut of_primary = match is_one_set && is_one_kind {
                true => of_all,
                false => newcomer(item_id, rows.iter().filter(|row| row.is_primary), scoring)?,
            };
            let hash = self.need.hash(item_id);
            self.shop.take(hash, of_primary.as_mut(), &mut self.candidates, self.need);
        }
        Ok(())
    }

    /// Returns what it has come to.
    pub fn finish(self) -> Tallied {
        let Tally { need, tree, candidates, leaders, shop, .. } = self;
        let tops = leaders.into_iter().map(|leaders| leaders.finish(&candidates, need.limit));
        let tops = tree.categories().map(str::to_owned).zip(tops).skip(SHOP as usize + 1).collect();
        Tallied { tops, shop: shop.finish(&candidates, need) }
    }

    fn take_for_shop(
        &mut self,
        item_id: &str,
        rows: &[HourSums],
        spread: &Spread,
    ) -> Result<(), SumsOverflow> {
        let primary = || rows.iter().filter(|row| row.is_primary);
        let hash = self.need.hash(item_id);
        if spread.is_asked_for(hash) {
            self.shop.collect(item_id, primary().copied());
        } else if spread.ranks_the_others && !spread.has(hash) && primary().next().is_some() {
            let mut newcomer = newcomer(item_id, primary(), &self.need.scoring)?;
            self.shop.take(hash, newcomer.as_mut(), &mut self.candidates, self.need);
        }
        Ok(())
    }
}

fn newcomer<'a, 'b>(
    item_id: &'a str,
    rows: impl Iterator<Item = &'b HourSums>,
    scoring: &Scoring,
) -> Result<Option<Newcomer<'a>>, SumsOverflow> {
    let scored = scoring.score(rows).map_err(|e| e.of(item_id))?;
    Ok(scored.map(|scored| Newcomer::of(item_id, scored)))
}
