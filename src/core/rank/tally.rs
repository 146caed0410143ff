//! What some items come to in their categories and in the shop.
//!
//! A tally sees each of its items whole below one top-level category, so what it says of a category
//! is final. Of the shop it is not: an item may count shop-wide below another top-level category,
//! too, because it moved. Which items do is told by their hashes, when all tallies are together.

use std::collections::BTreeMap;

use crate::model::{AggregateOverflow, DayUnits, HourAggregate, Interner};
use crate::rank::everyone::{Everyone, EveryoneWriter};
use crate::rank::leaders::{Candidates, Leaders, Newcomer};
use crate::rank::score::{Scored, Scoring};
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
    /// Everyone who ranks, where that is asked for.
    everyone: Option<EveryoneWriter>,
}

/// What a tally has come to.
pub struct Tallied {
    pub(super) tops: BTreeMap<String, Top>,
    pub(super) shop: ShopTallied,
    everyone: Option<Everyone>,
}

impl Tallied {
    /// Takes out the rows of everyone who ranks; none where they were not asked for.
    pub fn take_everyone(&mut self) -> Option<Everyone> {
        self.everyone.take()
    }
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
            everyone: need.wants_everyone.then(EveryoneWriter::default),
        }
    }

    /// Takes one item's aggregates below one top-level category, ordered by hour. The items come in the
    /// order of their ids; `path_sets` has the texts of their sets of paths, and must be the same
    /// table, perhaps grown, each time.
    ///
    /// # Errors
    /// Names the item where its aggregates do not fit.
    pub fn take(
        &mut self,
        item_id: &str,
        rows: &[HourAggregate],
        path_sets: &Interner,
    ) -> Result<(), AggregateOverflow> {
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
        let is_for_shop = self.need.wants_shop && rows.iter().any(is_primary);
        let mut of_all = None;
        if is_one_set {
            // The usual case: the item sells the same in every category that it lies in.
            let categories = self.tree.closure(first.path_set);
            if !categories.is_empty() || (is_one_kind && is_for_shop) {
                of_all = newcomer(item_id, rows, &|_| true, scoring)?;
            }
            if let Some(newcomer) = &mut of_all {
                for &category in categories {
                    let leaders = &mut self.leaders[category as usize];
                    let taken = leaders.take(newcomer, &mut self.candidates, self.need, *limit);
                    taken.map_err(|e| e.of(item_id))?;
                }
                if let Some(everyone) = &mut self.everyone {
                    let days = newcomer.days(&self.need.week).map_err(|e| e.of(item_id))?;
                    let scored = newcomer.scored();
                    let set = everyone.set_of_paths(first.path_set, categories);
                    everyone.push(item_id, scored, &days, set, is_one_kind && is_for_shop);
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
            let mut alike: Vec<(Scored, DayUnits, Vec<u32>)> = Vec::new();
            for &category in &self.categories {
                let tree = &self.tree;
                let lies_in =
                    |row: &HourAggregate| tree.closure(row.path_set).binary_search(&category).is_ok();
                if let Some(mut newcomer) = newcomer(item_id, rows, &lies_in, scoring)? {
                    let leaders = &mut self.leaders[category as usize];
                    let taken = leaders.take(&mut newcomer, &mut self.candidates, self.need, *limit);
                    taken.map_err(|e| e.of(item_id))?;
                    if self.everyone.is_some() {
                        let days = newcomer.days(&self.need.week).map_err(|e| e.of(item_id))?;
                        let of = (newcomer.scored(), days);
                        match alike.iter_mut().find(|(scored, days, _)| (*scored, *days) == of) {
                            Some((_, _, categories)) => categories.push(category),
                            None => alike.push((of.0, of.1, vec![category])),
                        }
                    }
                }
            }
            if let Some(everyone) = &mut self.everyone {
                for (scored, days, categories) in &alike {
                    let set = everyone.set_of(categories);
                    everyone.push(item_id, *scored, days, set, false);
                }
            }
        }
        if is_for_shop {
            let mut of_primary = match is_one_set && is_one_kind {
                true => of_all,
                false => newcomer(item_id, rows, &is_primary, scoring)?,
            };
            if let (Some(everyone), Some(newcomer)) = (&mut self.everyone, &of_primary)
                && !(is_one_set && is_one_kind)
            {
                let days = newcomer.days(&self.need.week).map_err(|e| e.of(item_id))?;
                let none = everyone.set_of(&[]);
                everyone.push(item_id, newcomer.scored(), &days, none, true);
            }
            let hash = self.need.hash(item_id);
            let taken = self.shop.take(hash, of_primary.as_mut(), &mut self.candidates, self.need);
            taken.map_err(|e| e.of(item_id))?;
        }
        Ok(())
    }

    /// Returns what it has come to.
    pub fn finish(self) -> Tallied {
        let Tally { need, tree, candidates, leaders, shop, everyone, .. } = self;
        let everyone = everyone.map(|everyone| everyone.finish(tree.categories()));
        let tops = leaders.into_iter().map(|leaders| leaders.finish(&candidates, need.limit));
        let tops = tree.categories().map(str::to_owned).zip(tops).skip(SHOP as usize + 1).collect();
        Tallied { tops, shop: shop.finish(&candidates, need), everyone }
    }

    fn take_for_shop(
        &mut self,
        item_id: &str,
        rows: &[HourAggregate],
        spread: &Spread,
    ) -> Result<(), AggregateOverflow> {
        let hash = self.need.hash(item_id);
        if spread.is_asked_for(hash) {
            // By itself it was counted before, and is now counted with all that it sold elsewhere.
            let alone = newcomer(item_id, rows, &is_primary, &self.need.scoring)?;
            let primary = rows.iter().copied().filter(is_primary);
            let collected = self.shop.collect(item_id, primary, alone.as_ref());
            collected.map_err(|e| e.of(item_id))?;
        } else if spread.ranks_the_others && !spread.has(hash) && rows.iter().any(is_primary) {
            let mut newcomer = newcomer(item_id, rows, &is_primary, &self.need.scoring)?;
            let taken = self.shop.take(hash, newcomer.as_mut(), &mut self.candidates, self.need);
            taken.map_err(|e| e.of(item_id))?;
        }
        Ok(())
    }
}

fn is_primary(row: &HourAggregate) -> bool {
    row.is_primary
}

/// Returns an item by those of its rows that count, if it could rank by them.
#[inline]
fn newcomer<'a, F: Fn(&HourAggregate) -> bool>(
    item_id: &'a str,
    rows: &'a [HourAggregate],
    counts: &'a F,
    scoring: &Scoring,
) -> Result<Option<Newcomer<'a>>, AggregateOverflow> {
    let scored = scoring.score(rows.iter().filter(|row| counts(row))).map_err(|e| e.of(item_id))?;
    Ok(scored.map(|scored| Newcomer::of(item_id, scored, rows, counts)))
}
