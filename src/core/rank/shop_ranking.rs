//! The whole shop's ranking, merged from parts that each saw one top-level category.
//!
//! An item counts shop-wide by its primary copies. Mostly all of them are below one top-level
//! category. Otherwise its aggregates there must be added before it can be scored, so its rows are
//! read once more, from all parts (see [`crate::rank::multi_category`]).

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::model::{Aggregate, AggregateOverflow};
use crate::rank::multi_category::{
    MultiCategoryItem, PendingItems, contains_hash, hash_of, split_by_occurrence,
};
use crate::rank::overflow::Overflow;
use crate::rank::partial_shop::{CollectedItem, PartialShop, kept_items};
use crate::rank::scan_request::ScanRequest;
use crate::rank::top_items::{TopItem, TopItems};

/// The shop's ranking, as far as it is known.
#[derive(Default)]
pub(super) struct ShopRanking {
    /// Of all items but the pending ones.
    pub top: TopItems,
    /// The multi-category items whose rows are still to be collected.
    pub pending: Option<PendingItems>,
    /// What all items of the window add up to, eligible or not.
    pub total: Aggregate,
    /// The eligible multi-category items, where item totals are wanted.
    pub multi_category_items: Vec<MultiCategoryItem>,
    /// The hashes of all multi-category items, where item totals are wanted.
    pub multi_category_hashes: Vec<u64>,
}

impl ShopRanking {
    /// Merges the parts of the whole window.
    ///
    /// # Errors
    /// Names an item whose aggregate makes that of the shop exceed its range.
    pub fn merge(parts: Vec<PartialShop>, request: &ScanRequest) -> Result<ShopRanking, AggregateOverflow> {
        let mut hashes: Vec<u64> = parts.iter().flat_map(|part| &part.hashes).copied().collect();
        hashes.par_sort_unstable();
        let (eligible_items, multi_category) = split_by_occurrence(&hashes);
        let mut top = TopItems::default();
        let mut total = Aggregate::default();
        let mut reranks_others = false;
        for part in parts {
            let aggregate = part.top.aggregate;
            let exceeded = || Overflow::Aggregate.of("of the whole shop");
            total = part.top.total().and_then(|of_part| total.plus(of_part)).ok_or_else(exceeded)?;
            let mut best = part.top.into_items();
            let is_full = best.len() == kept_items(request);
            best.retain(|item| !contains_hash(&multi_category, hash_of(&item.item_id)));
            // Where the part dropped some items, these may be better than what is left.
            reranks_others |= is_full && best.len() < request.limit;
            top.merge(TopItems::new(best, 0, aggregate), request.limit)?;
        }
        if reranks_others {
            top = TopItems::new(Vec::new(), 0, top.aggregate);
        }
        top.eligible_items = eligible_items;
        let hashes = if request.wants_item_totals { multi_category.clone() } else { Vec::new() };
        Ok(ShopRanking {
            top,
            pending: PendingItems::new(multi_category, reranks_others),
            total,
            multi_category_items: Vec::new(),
            multi_category_hashes: hashes,
        })
    }

    /// Returns the hashes of the multi-category items, and those of the items that are eligible.
    pub fn into_multi_category(self) -> (Vec<u64>, Vec<MultiCategoryItem>) {
        (self.multi_category_hashes, self.multi_category_items)
    }

    /// Adds what one pass over the pending items has collected.
    ///
    /// # Errors
    /// Names an item whose aggregate exceeds its range.
    pub fn add_collected(
        &mut self,
        parts: Vec<PartialShop>,
        request: &ScanRequest,
    ) -> Result<(), AggregateOverflow> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let mut items: HashMap<String, CollectedItem> = HashMap::new();
        for part in parts {
            // The first pass counted them.
            let others = TopItems::new(part.top.into_items(), 0, Aggregate::default());
            self.top.merge(others, request.limit)?;
            self.top.aggregate = self.top.aggregate.minus(part.counted_before);
            for (item_id, collected) in part.collected {
                match items.get_mut(&item_id) {
                    Some(item) => item.add(&collected).map_err(|e| e.of(&item_id))?,
                    None => drop(items.insert(item_id, collected)),
                }
            }
        }
        for (item_id, collected) in items {
            self.add_item(item_id, collected, request)?;
        }
        self.pending = pending.next_pass();
        Ok(())
    }

    /// Adds one multi-category item, by what all parts have of it.
    fn add_item(
        &mut self,
        item_id: String,
        CollectedItem { sum, reported }: CollectedItem,
        request: &ScanRequest,
    ) -> Result<(), AggregateOverflow> {
        let Some(scored) = request.scoring.scored(sum).map_err(|e| e.of(&item_id))? else {
            return Ok(());
        };
        reported.check().map_err(|e| e.of(&item_id))?;
        let reported = request.reported.of_scored(reported, scored.aggregate);
        if request.wants_item_totals {
            let (item_id, scored) = (item_id.clone(), scored.clone());
            let printed = request.scoring.printed(&scored.score);
            self.multi_category_items.push(MultiCategoryItem { item_id, scored, printed, reported });
        }
        self.top.push(TopItem { item_id, scored, reported }, request.limit)
    }
}
