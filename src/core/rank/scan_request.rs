//! Which aggregates a ranking must read next.

use std::ops::Range;

use hashbrown::HashSet;

use crate::model::{Hour, Window, levels_of};
use crate::rank::multi_category::{PendingItems, hash_of};
use crate::rank::reported::ReportedHours;
use crate::rank::round::Round;
use crate::rank::rules::Rules;
use crate::rank::scoring::Scoring;

/// The aggregates that a ranking needs next, and how they are scored.
pub struct ScanRequest {
    /// The first hour, and the hour after the last.
    pub hours: Range<Hour>,
    /// The categories whose ranking is final.
    pub(super) final_categories: HashSet<String>,
    pub(super) wants_shop: bool,
    pub(super) scoring: Scoring,
    pub(super) reported: ReportedHours,
    /// How many items a category's ranking has at most, and one more: the first that is not listed.
    pub(super) limit: usize,
    /// The items whose rows are collected for the shop; nothing else is wanted then.
    pub(super) multi_category: Option<PendingItems>,
    pub(super) wants_item_totals: bool,
    pub(super) round: u32,
}

impl ScanRequest {
    /// Returns the request of a round.
    pub fn of(rules: &Rules, round: &Round) -> ScanRequest {
        let window = Window::ending(rules.window.as_of(), round.window_hours);
        ScanRequest {
            // Units are reported for the whole week, however short the window.
            hours: window.oldest().min(rules.week.oldest())..window.as_of(),
            final_categories: round.final_categories.iter().cloned().collect(),
            wants_shop: round.wants_shop,
            scoring: Scoring::new(window, rules.decay, rules.measure),
            reported: ReportedHours {
                week: rules.week.clone(),
                window: (window != rules.window).then_some(rules.window),
            },
            limit: rules.limit.saturating_add(usize::from(rules.limit > 0)),
            multi_category: round.multi_category.clone(),
            wants_item_totals: false,
            round: round.number,
        }
    }

    /// Returns the same request, with item totals or without.
    #[must_use]
    pub fn with_item_totals(self, wants_item_totals: bool) -> ScanRequest {
        ScanRequest { wants_item_totals, ..self }
    }

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
            .is_none_or(|pending| pending.reranks_others || pending.is_collected_now(hash_of(item_id)))
    }

    pub(super) fn wants_category(&self, category: &str) -> bool {
        !self.final_categories.contains(category)
    }
}
