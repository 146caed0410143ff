//! Ranking in steps: the window first, then, for categories that sell too little, twice as far
//! back, and again.
//!
//! The search does no reading of its own. It says which sums it needs next; whoever drives it has
//! tallies take them, as many side by side as it likes, and brings these.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashSet};

use crate::event::{SumsOverflow, levels_of};
use crate::rank::score::Scoring;
use crate::rank::shop::{Shop, Spread};
use crate::rank::tally::{Tallied, Tally};
use crate::rank::top::Top;
use crate::rank::{CategoryRanking, RankedItem, Ranking, Rules};
use crate::time::{Hour, Window};

/// A ranking under way.
pub struct Search {
    rules: Rules,
    window: Window,
    settled: BTreeMap<Option<String>, CategoryRanking>,
    /// The shop over the current window, while spread items are missing.
    shop: Option<Shop>,
    hasher: DefaultHashBuilder,
    is_done: bool,
}

/// The sums that a search needs next.
pub struct Need {
    /// First hour, and the hour after the last.
    pub hours: Range<Hour>,
    settled: HashSet<String>,
    pub(super) wants_shop: bool,
    pub(super) scoring: Scoring,
    /// How many items a category's ranking has at most.
    pub(super) limit: usize,
    /// The items whose rows are collected for the shop; nothing else is wanted then.
    pub(super) spread: Option<Spread>,
    hasher: DefaultHashBuilder,
}

impl Need {
    /// Returns a tally for some of the sums.
    pub fn tally(&self) -> Tally<'_> {
        Tally::new(self)
    }

    /// Tells whether sums are wanted whatever their paths.
    pub fn wants_every_path(&self) -> bool {
        self.wants_shop || self.settled.is_empty()
    }

    /// Tells whether sums of a path are wanted.
    pub fn wants_path(&self, path: &str) -> bool {
        self.wants_shop || levels_of(path).any(|category| self.wants_category(category))
    }

    pub(super) fn wants_category(&self, category: &str) -> bool {
        !self.settled.contains(category)
    }

    pub(super) fn hash(&self, item_id: &str) -> u64 {
        self.hasher.hash_one(item_id)
    }
}

impl Search {
    /// Returns a search that has seen nothing yet.
    pub fn new(rules: Rules) -> Search {
        Search {
            rules,
            window: rules.window,
            settled: BTreeMap::new(),
            shop: None,
            hasher: DefaultHashBuilder::default(),
            is_done: false,
        }
    }

    /// Returns what to bring next; nothing where the ranking is done.
    pub fn need(&self) -> Option<Need> {
        (!self.is_done).then(|| Need {
            hours: self.window.oldest()..self.window.as_of(),
            settled: self.settled.keys().flatten().cloned().collect(),
            wants_shop: !self.settled.contains_key(&None),
            scoring: Scoring::new(self.window, self.rules.decay, self.rules.measure),
            limit: self.rules.top,
            spread: self.shop.as_ref().and_then(|shop| shop.spread.clone()),
            hasher: self.hasher.clone(),
        })
    }

    /// Takes the tallies of all the sums that were needed.
    ///
    /// # Errors
    /// Names an item whose sums over the window do not fit.
    pub fn supply(&mut self, need: &Need, tallies: Vec<Tallied>) -> Result<(), SumsOverflow> {
        let mut tops: BTreeMap<String, Top> = BTreeMap::new();
        let mut shops = Vec::with_capacity(tallies.len());
        for tallied in tallies {
            shops.push(tallied.shop);
            for (category, top) in tallied.tops {
                tops.entry(category).or_default().merge(top, need.limit);
            }
        }
        for (category, top) in tops {
            self.settle(Some(category), top);
        }
        if need.wants_shop {
            let shop = match self.shop.take() {
                None => Shop::of(shops, need),
                Some(mut shop) => {
                    shop.add(shops, need)?;
                    shop
                }
            };
            if shop.spread.is_some() {
                self.shop = Some(shop);
                return Ok(());
            }
            self.settle(None, shop.top);
        }
        if self.is_last() {
            self.is_done = true;
        } else {
            self.window = self.window.doubled(self.rules.max_lookback_hours);
        }
        Ok(())
    }

    /// Returns the ranking of all categories that have one.
    pub fn finish(self) -> Ranking {
        Ranking { categories: self.settled.into_values().filter(|ranking| ranking.rankable > 0).collect() }
    }

    fn is_last(&self) -> bool {
        self.window.hours() >= self.rules.max_lookback_hours || self.rules.min_items == 0
    }

    /// Keeps a category's ranking over the current window, if it is final.
    fn settle(&mut self, category: Option<String>, top: Top) {
        let rankable = top.seen;
        if !self.is_last() && rankable < self.rules.min_items {
            return;
        }
        let items = top.into_sorted().into_iter().map(|entry| RankedItem {
            item_id: entry.item_id.into(),
            score: entry.scored.score,
            sums: entry.scored.sums,
        });
        let ranking = CategoryRanking {
            category: category.clone(),
            window: self.window,
            rankable,
            items: items.collect(),
        };
        self.settled.insert(category, ranking);
    }
}
