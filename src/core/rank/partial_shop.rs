//! The share that one part of the aggregates has in the whole shop's ranking.

use hashbrown::HashMap;

use crate::model::Aggregate;
use crate::rank::item_rows::{AddsUp, Sum};
use crate::rank::multi_category::with_flag;
use crate::rank::overflow::Overflow;
use crate::rank::reported::Reported;
use crate::rank::scan_request::ScanRequest;
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
    /// What the primary rows of multi-category items add up to.
    collected: HashMap<String, CollectedItem>,
    /// The aggregate that was counted for the collected items in the first pass.
    counted_before: Aggregate,
}

/// What a part has of a multi-category item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CollectedItem {
    pub sum: Sum,
    pub reported: Reported,
}

impl CollectedItem {
    /// Adds what another part has.
    pub fn add(&mut self, other: &CollectedItem) -> Result<(), Overflow> {
        self.sum.add(&other.sum)?;
        self.reported.add(&other.reported)
    }
}

/// The share of one part.
pub(super) struct PartialShop {
    pub top: TopItems,
    pub hashes: Vec<u64>,
    pub collected: HashMap<String, CollectedItem>,
    pub counted_before: Aggregate,
}

impl PartialShopRanker {
    /// Adds an item with a primary copy, scored by its primary rows where these make it eligible; of another one what
    /// they add up to.
    pub fn add<R: AddsUp>(
        &mut self,
        hash: u64,
        item: Result<&mut ScoredItem<'_, R>, Aggregate>,
        pool: &mut CandidatePool,
        request: &ScanRequest,
    ) -> Result<(), Overflow> {
        self.hashes.push(with_flag(hash, item.is_ok()));
        match item {
            Ok(item) => self.best.add(item, pool, &request.reported, kept_items(request)),
            Err(aggregate) => self.best.add_ineligible(aggregate),
        }
    }

    /// Keeps what the primary rows of a multi-category item add up to; by these alone it was counted in the
    /// first pass.
    pub fn collect<R: AddsUp>(
        &mut self,
        item_id: &str,
        rows: &[R],
        request: &ScanRequest,
    ) -> Result<(), Overflow> {
        let sum = request.scoring.sum(rows.iter().filter(|row| row.is_primary()))?;
        let mut reported = Reported::default();
        rows.iter()
            .filter(|row| row.is_primary())
            .try_for_each(|row| row.add_reported_to(&mut reported, &request.reported))?;
        if let Some(counted) = request.scoring.scored(sum.clone())? {
            self.counted_before = self.counted_before.plus(counted.aggregate).ok_or(Overflow::Aggregate)?;
        }
        match self.collected.get_mut(item_id) {
            Some(item) => item.add(&CollectedItem { sum, reported }),
            None => {
                self.collected.insert(item_id.to_owned(), CollectedItem { sum, reported });
                Ok(())
            }
        }
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
