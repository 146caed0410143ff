//! The share that one part of the aggregates has in the whole shop's ranking.

use hashbrown::HashMap;

use crate::model::{Aggregate, HourAggregate};
use crate::rank::multi_category::with_flag;
use crate::rank::scan_request::ScanRequest;
use crate::rank::score::Overflow;
use crate::rank::top_items::TopItems;
use crate::rank::top_k::{CandidatePool, ScoredItem, TopK};

/// The number of best items that a part keeps beyond the limit, since some of them may turn out to be
/// multi-category items.
const SPARE: usize = if cfg!(test) { 1 } else { 256 };

/// Ranks the primary copies of a part's items.
#[derive(Default)]
pub(super) struct PartialShopRanker {
    best: TopK,
    /// The hash of every item with a primary copy.
    hashes: Vec<u64>,
    /// The primary rows of multi-category items.
    collected: HashMap<String, Vec<HourAggregate>>,
    /// The aggregate that was counted for the collected items in the first pass.
    counted_before: Aggregate,
}

/// The share of one part.
pub(super) struct PartialShop {
    pub top: TopItems,
    pub hashes: Vec<u64>,
    pub collected: HashMap<String, Vec<HourAggregate>>,
    pub counted_before: Aggregate,
}

impl PartialShopRanker {
    /// Adds an item with a primary copy, scored by its primary rows where these make it eligible.
    pub fn add(
        &mut self,
        hash: u64,
        item: Option<&mut ScoredItem<'_>>,
        pool: &mut CandidatePool,
        request: &ScanRequest,
    ) -> Result<(), Overflow> {
        self.hashes.push(with_flag(hash, item.is_some()));
        match item {
            Some(item) => self.best.add(item, pool, &request.week, kept_items(request)),
            None => Ok(()),
        }
    }

    /// Keeps the primary rows of a multi-category item, which as `scored` was counted in the first pass.
    pub fn collect(
        &mut self,
        item_id: &str,
        rows: impl Iterator<Item = HourAggregate>,
        scored: Option<&ScoredItem<'_>>,
    ) -> Result<(), Overflow> {
        self.collected.entry_ref(item_id).or_default().extend(rows);
        if let Some(scored) = scored {
            self.counted_before = self.counted_before.plus(scored.scored().aggregate).ok_or(Overflow)?;
        }
        Ok(())
    }

    /// Returns the part's share.
    pub fn finish(self, pool: &CandidatePool, request: &ScanRequest) -> PartialShop {
        let PartialShopRanker { best, hashes, collected, counted_before } = self;
        PartialShop { top: best.finish(pool, kept_items(request)), hashes, collected, counted_before }
    }
}

/// Returns how many of the best items a part keeps.
pub(super) fn kept_items(request: &ScanRequest) -> usize {
    request.limit.saturating_add(SPARE)
}
