//! The ranking of some items of some top-level categories: one part of the whole.
//!
//! A part sees all of an item's rows below each of its top-level categories, so its categories are final once
//! its siblings are merged in. The shop's ranking is not: an item may have primary copies below other
//! top-level categories, too, for example because it moved. The hashes of all parts together show
//! which items do.

use std::collections::BTreeMap;

use crate::model::{Aggregate, AggregateOverflow, HourAggregate, Interner};
use crate::rank::category_tree::{CategoryTree, SHOP};
use crate::rank::item_rows::AddsUp;
use crate::rank::item_totals::{ItemTotalsWriter, PackedItemTotals};
use crate::rank::multi_category::{PendingItems, hash_of};
use crate::rank::overflow::Overflow;
use crate::rank::partial_shop::{PartialShop, PartialShopRanker};
use crate::rank::reported::Reported;
use crate::rank::scan_request::ScanRequest;
use crate::rank::scoring::Scored;
use crate::rank::top_items::TopItems;
use crate::rank::top_k::{CandidatePool, ScoredItem, TopK};

/// Ranks the items of one part.
pub struct PartialRanker<'a> {
    request: &'a ScanRequest,
    tree: CategoryTree,
    pool: CandidatePool,
    /// By category.
    best: Vec<TopK>,
    shop: PartialShopRanker,
    /// The categories of the current item; kept to reuse the allocation.
    categories: Vec<u32>,
    /// Totals of all eligible items, where they are wanted.
    item_totals: Option<ItemTotalsWriter>,
}

/// The ranking of one part.
pub struct PartialRanking {
    pub(super) tops: BTreeMap<String, TopItems>,
    pub(super) shop: PartialShop,
}

/// Categories in which an item has the same score and aggregates.
type EqualTotals = ((Scored, Reported), Vec<u32>);

impl<'a> PartialRanker<'a> {
    /// Returns a ranker that has no items yet.
    pub fn new(request: &'a ScanRequest) -> PartialRanker<'a> {
        PartialRanker {
            request,
            tree: CategoryTree::new(),
            pool: CandidatePool::default(),
            best: vec![TopK::default()],
            shop: PartialShopRanker::default(),
            categories: Vec::new(),
            item_totals: request.wants_item_totals.then(ItemTotalsWriter::default),
        }
    }

    /// Adds one item's aggregates below one top-level category, in any order.
    ///
    /// The items of a category come in the order of their ids. `path_sets` has the texts of their path sets, and
    /// must be the same table, possibly with sets added, each time.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn add_item(
        &mut self,
        item_id: &str,
        rows: &[HourAggregate],
        path_sets: &Interner,
    ) -> Result<(), AggregateOverflow> {
        self.add_rows(item_id, rows, path_sets)
    }

    /// Adds one item by rows of any kind.
    pub(super) fn add_rows<R: AddsUp>(
        &mut self,
        item_id: &str,
        rows: &[R],
        path_sets: &Interner,
    ) -> Result<(), AggregateOverflow> {
        let added = match &self.request.multi_category {
            Some(pending) => self.add_for_shop(item_id, rows, pending),
            None => self.add(item_id, rows, path_sets),
        };
        added.map_err(|e| e.of(item_id))
    }

    fn add<R: AddsUp>(&mut self, item_id: &str, rows: &[R], path_sets: &Interner) -> Result<(), Overflow> {
        if path_sets.len() > self.tree.path_sets() {
            self.tree.extend(path_sets, &|category| self.request.wants_category(category));
            self.best.resize(self.tree.len(), TopK::default());
        }
        let Some(first) = rows.first() else { return Ok(()) };
        let has_one_path_set = rows.iter().all(|row| row.path_set() == first.path_set());
        let has_one_kind = rows.iter().all(|row| row.is_primary() == first.is_primary());
        let counts_for_shop = self.request.wants_shop && rows.iter().any(R::is_primary);
        // The usual case: all rows count in all of the item's categories and in the shop.
        let is_uniform = has_one_path_set && has_one_kind;
        let mut shop_item = if has_one_path_set {
            self.add_to_equal_categories(item_id, rows, first.path_set(), has_one_kind && counts_for_shop)?
        } else {
            self.add_to_each_category(item_id, rows)?;
            Err(Aggregate::default())
        };
        if counts_for_shop {
            if !is_uniform {
                shop_item = self.score_for_shop(item_id, rows)?;
            }
            let hash = hash_of(item_id);
            let item = shop_item.as_mut().map_err(|aggregate| *aggregate);
            self.shop.add(hash, item, &mut self.pool, self.request)?;
        }
        Ok(())
    }

    /// Adds an item whose rows all have one path set, and so one score in all its categories.
    #[inline]
    fn add_to_equal_categories<'r, R: AddsUp>(
        &mut self,
        item_id: &'r str,
        rows: &'r [R],
        path_set: u32,
        counts_for_shop: bool,
    ) -> Result<Result<ScoredItem<'r, R>, Aggregate>, Overflow> {
        let request = self.request;
        let categories = self.tree.categories_of(path_set);
        if categories.is_empty() && !counts_for_shop {
            return Ok(Err(Aggregate::default()));
        }
        let mut item = match ScoredItem::new(item_id, rows, &|_| true, &request.scoring)? {
            Ok(item) => item,
            Err(aggregate) => {
                let mut of_categories = categories.iter();
                let add = |&category: &u32| self.best[category as usize].add_ineligible(aggregate);
                of_categories.try_for_each(add)?;
                return Ok(Err(aggregate));
            }
        };
        for &category in categories {
            self.best[category as usize].add(&mut item, &mut self.pool, &request.reported, request.limit)?;
        }
        if let Some(item_totals) = &mut self.item_totals {
            let reported = item.reported(&request.reported)?;
            let set = item_totals.set_of_paths(path_set, categories);
            item_totals.push(item_id, item.scored(), &request.scoring, &reported, set, counts_for_shop);
        }
        Ok(Ok(item))
    }

    /// Adds an item that has different rows in different categories, and so a score for each.
    fn add_to_each_category<R: AddsUp>(&mut self, item_id: &str, rows: &[R]) -> Result<(), Overflow> {
        self.collect_categories(rows);
        let request = self.request;
        let mut totals: Vec<EqualTotals> = Vec::new();
        for &category in &self.categories {
            let tree = &self.tree;
            let is_in = |row: &R| tree.categories_of(row.path_set()).binary_search(&category).is_ok();
            let mut item = match ScoredItem::new(item_id, rows, &is_in, &request.scoring)? {
                Ok(item) => item,
                Err(aggregate) => {
                    self.best[category as usize].add_ineligible(aggregate)?;
                    continue;
                }
            };
            self.best[category as usize].add(&mut item, &mut self.pool, &request.reported, request.limit)?;
            if self.item_totals.is_some() {
                let of_category = (item.scored().clone(), item.reported(&request.reported)?);
                add_to_equal(of_category, category, &mut totals);
            }
        }
        if let Some(item_totals) = &mut self.item_totals {
            for ((scored, reported), categories) in &totals {
                let set = item_totals.set_of(categories);
                item_totals.push(item_id, scored, &request.scoring, reported, set, false);
            }
        }
        Ok(())
    }

    /// Sets `categories` to all that some rows belong to, ascending.
    fn collect_categories<R: AddsUp>(&mut self, rows: &[R]) {
        self.categories.clear();
        let mut last_set = None;
        for row in rows.iter().filter(|row| last_set.replace(row.path_set()) != Some(row.path_set())) {
            self.categories.extend_from_slice(self.tree.categories_of(row.path_set()));
        }
        self.categories.sort_unstable();
        self.categories.dedup();
    }

    /// Scores an item for the shop, by its primary rows, where no category has just these.
    fn score_for_shop<'r, R: AddsUp>(
        &mut self,
        item_id: &'r str,
        rows: &'r [R],
    ) -> Result<Result<ScoredItem<'r, R>, Aggregate>, Overflow> {
        let item = ScoredItem::new(item_id, rows, &R::is_primary, &self.request.scoring)?;
        if let (Some(item_totals), Ok(item)) = (&mut self.item_totals, &item) {
            let reported = item.reported(&self.request.reported)?;
            let no_categories = item_totals.set_of(&[]);
            item_totals.push(item_id, item.scored(), &self.request.scoring, &reported, no_categories, true);
        }
        Ok(item)
    }

    /// Collects the rows of a pending multi-category item, or ranks another one for the shop again.
    fn add_for_shop<R: AddsUp>(
        &mut self,
        item_id: &str,
        rows: &[R],
        pending: &PendingItems,
    ) -> Result<(), Overflow> {
        let hash = hash_of(item_id);
        if pending.is_collected_now(hash) {
            self.shop.collect(item_id, rows, self.request)?;
        } else if pending.reranks_others && !pending.contains(hash) && rows.iter().any(R::is_primary) {
            let mut item = ScoredItem::new(item_id, rows, &R::is_primary, &self.request.scoring)?;
            let item = item.as_mut().map_err(|aggregate| *aggregate);
            self.shop.add(hash, item, &mut self.pool, self.request)?;
        }
        Ok(())
    }

    /// Takes out the totals of the eligible items since the last time; `None` where they are not wanted.
    pub fn take_item_totals(&mut self) -> Option<PackedItemTotals> {
        let name = |category: u32| self.tree.name(category);
        self.item_totals.as_mut().map(|item_totals| std::mem::take(item_totals).finish(name))
    }

    /// Returns the part's ranking, without item totals.
    pub fn finish(self) -> PartialRanking {
        let PartialRanker { request, tree, pool, best, shop, .. } = self;
        let tops = best.into_iter().map(|best| best.finish(&pool, request.limit));
        let tops = tree.categories().map(str::to_owned).zip(tops).skip(SHOP as usize + 1).collect();
        PartialRanking { tops, shop: shop.finish(&pool, request) }
    }
}

/// Adds a category to those with the same totals.
fn add_to_equal(of_category: (Scored, Reported), category: u32, totals: &mut Vec<EqualTotals>) {
    match totals.iter_mut().find(|(of_others, _)| *of_others == of_category) {
        Some((_, categories)) => categories.push(category),
        None => totals.push((of_category, vec![category])),
    }
}
