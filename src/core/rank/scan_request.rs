//! Which aggregates a ranking must read next.

use std::hash::BuildHasher;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashSet};

use crate::model::{Hour, Week, levels_of};
use crate::rank::multi_category::PendingItems;
use crate::rank::score::Scoring;

/// The aggregates that a ranking needs next, and how they are scored.
pub struct ScanRequest {
    /// The first hour, and the hour after the last.
    pub hours: Range<Hour>,
    /// The categories whose ranking is final.
    pub(super) final_categories: HashSet<String>,
    pub(super) wants_shop: bool,
    pub(super) scoring: Scoring,
    pub(super) week: Week,
    /// How many items a category's ranking has at most.
    pub(super) limit: usize,
    /// The items whose rows are collected for the shop; nothing else is wanted then.
    pub(super) multi_category: Option<PendingItems>,
    pub(super) wants_item_totals: bool,
    pub(super) round: u32,
    pub(super) hasher: DefaultHashBuilder,
}

impl ScanRequest {
    /// Returns the round of look-back; collecting multi-category items belongs to the round before.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Returns whether aggregates of all paths are wanted.
    pub fn wants_every_path(&self) -> bool {
        self.wants_shop || self.final_categories.is_empty()
    }

    /// Returns whether aggregates of a path are wanted.
    pub fn wants_path(&self, path: &str) -> bool {
        self.wants_shop || levels_of(path).any(|category| self.wants_category(category))
    }

    /// Returns whether the aggregates of all items are wanted, or only those of some.
    pub fn wants_every_item(&self) -> bool {
        self.multi_category.as_ref().is_none_or(|pending| pending.reranks_others)
    }

    /// Returns whether the aggregates of an item are wanted.
    pub fn wants_item(&self, item_id: &str) -> bool {
        self.multi_category
            .as_ref()
            .is_none_or(|pending| pending.reranks_others || pending.is_collected_now(self.hash(item_id)))
    }

    pub(super) fn wants_category(&self, category: &str) -> bool {
        !self.final_categories.contains(category)
    }

    pub(super) fn hash(&self, item_id: &str) -> u64 {
        self.hasher.hash_one(item_id)
    }
}
