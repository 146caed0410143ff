//! The whole shop's ranking, put together from tallies that each saw one top-level category.
//!
//! An item counts shop-wide by its primary copies. Those of one item mostly lie below one top-level
//! category; where they do not, its aggregates there must be added before it can be scored. So each tally
//! tells the hashes of the items that it scored, and an item whose hash two of them tell is
//! *spread*: its rows are asked for once more, from everywhere. Two items that share a hash are both
//! asked for, for nothing: hashes decide what is looked at again, never what is ranked.

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::model::{Aggregate, AggregateOverflow, HourAggregate};
use crate::rank::everyone::SpreadItem;
use crate::rank::leaders::{Candidates, Leaders, Newcomer};
use crate::rank::score::{Overflow, Scored, day_units};
use crate::rank::search::Need;
use crate::rank::top::{Entry, Top};

/// Spread items whose rows are held at a time; few in tests, so that these see several passes.
const ITEMS_PER_PASS: usize = if cfg!(test) { 2 } else { 200_000 };
/// A tally keeps so many more of the best than are ranked, so that some of them may turn out to be
/// spread.
const SPARE: usize = if cfg!(test) { 1 } else { 256 };
/// The bit of a hash that tells whether the item could rank.
const RANKS: u64 = 1;

/// What a tally learns of the shop.
#[derive(Default)]
pub(super) struct ShopTally {
    leaders: Leaders,
    /// Of every item with a primary copy, the hash.
    hashes: Vec<u64>,
    /// The primary rows of spread items.
    collected: HashMap<String, Vec<HourAggregate>>,
    /// What the spread items come to by these rows alone, where they could rank by them.
    alone: Aggregate,
}

/// What a tally has learned of the shop.
pub(super) struct ShopTallied {
    top: Top,
    hashes: Vec<u64>,
    collected: HashMap<String, Vec<HourAggregate>>,
    alone: Aggregate,
}

/// The items whose primary copies lie below several top-level categories.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    /// Ascending, without the lowest bit.
    hashes: Vec<u64>,
    /// How many of them are dealt with already.
    done: usize,
    /// The others must be ranked again, too: too many of the best turned out to be spread.
    pub ranks_the_others: bool,
}

/// The shop's ranking, as far as it is known.
#[derive(Default)]
pub(super) struct Shop {
    /// Of items that are not spread, and of spread ones that were added up.
    pub top: Top,
    pub spread: Option<Spread>,
    /// The spread items that were added up and could rank, where everyone is asked for.
    pub items: Vec<SpreadItem>,
    /// The hashes of all spread items, ascending, without the lowest bit.
    hashes: Vec<u64>,
}

impl ShopTally {
    /// Takes an item with a primary copy, and what it comes to where it could rank.
    pub fn take(
        &mut self,
        hash: u64,
        newcomer: Option<&mut Newcomer<'_>>,
        candidates: &mut Candidates,
        need: &Need,
    ) -> Result<(), Overflow> {
        let hash = hash & !RANKS;
        self.hashes.push(if newcomer.is_some() { hash | RANKS } else { hash });
        match newcomer {
            Some(newcomer) => self.leaders.take(newcomer, candidates, need, kept(need)),
            None => Ok(()),
        }
    }

    /// Takes primary rows of a spread item, and what it is by them alone.
    pub fn collect(
        &mut self,
        item_id: &str,
        rows: impl Iterator<Item = HourAggregate>,
        alone: Option<&Newcomer<'_>>,
    ) -> Result<(), Overflow> {
        self.collected.entry_ref(item_id).or_default().extend(rows);
        if let Some(alone) = alone {
            self.alone = self.alone.plus(alone.scored().aggregate).ok_or(Overflow)?;
        }
        Ok(())
    }

    /// Returns what it has learned.
    pub fn finish(self, candidates: &Candidates, need: &Need) -> ShopTallied {
        let ShopTally { leaders, hashes, collected, alone } = self;
        ShopTallied { top: leaders.finish(candidates, kept(need)), hashes, collected, alone }
    }
}

/// Returns how many of the best a tally keeps.
fn kept(need: &Need) -> usize {
    need.limit.saturating_add(SPARE)
}

/// Tells whether an item of a hash is among spread ones.
pub(super) fn is_among(hashes: &[u64], hash: u64) -> bool {
    hashes.binary_search(&(hash & !RANKS)).is_ok()
}

impl Spread {
    /// Tells whether an item of this hash is spread.
    pub fn has(&self, hash: u64) -> bool {
        is_among(&self.hashes, hash)
    }

    /// Tells whether the rows of an item of this hash are to be collected now.
    pub fn is_asked_for(&self, hash: u64) -> bool {
        self.hashes.binary_search(&(hash & !RANKS)).is_ok_and(|at| self.pass().contains(&at))
    }

    fn pass(&self) -> std::ops::Range<usize> {
        self.done..self.hashes.len().min(self.done + ITEMS_PER_PASS)
    }
}

impl Shop {
    /// Takes what the tallies of the whole window know.
    ///
    /// # Errors
    /// Names an item with which the shop's aggregates no longer fit.
    pub fn of(tallies: Vec<ShopTallied>, need: &Need) -> Result<Shop, AggregateOverflow> {
        let mut hashes: Vec<u64> = tallies.iter().flat_map(|tally| &tally.hashes).copied().collect();
        hashes.par_sort_unstable();
        let (rankable, spread) = told_apart(&hashes);
        let mut top = Top::default();
        let mut ranks_the_others = false;
        for tally in tallies {
            let aggregate = tally.top.aggregate;
            let mut best = tally.top.into_entries();
            let is_full = best.len() == kept(need);
            best.retain(|entry| spread.binary_search(&(need.hash(&entry.item_id) & !RANKS)).is_err());
            // Where it had to let go of some, others may have been better than what is left.
            ranks_the_others |= is_full && best.len() < need.limit;
            let of_tally = Top::of(best, 0, aggregate);
            top.merge(of_tally, need.limit)?;
        }
        if ranks_the_others {
            top = Top::of(Vec::new(), 0, top.aggregate);
        }
        top.seen = rankable;
        let hashes = if need.wants_everyone { spread.clone() } else { Vec::new() };
        let spread = (!spread.is_empty()).then_some(Spread { hashes: spread, done: 0, ranks_the_others });
        Ok(Shop { top, spread, items: Vec::new(), hashes })
    }

    /// Returns the hashes of the spread items, and those of them that could rank.
    pub fn into_spread(self) -> (Vec<u64>, Vec<SpreadItem>) {
        (self.hashes, self.items)
    }

    /// Takes the rows of spread items that were asked for.
    ///
    /// # Errors
    /// Names an item whose aggregates do not fit.
    pub fn add(&mut self, tallies: Vec<ShopTallied>, need: &Need) -> Result<(), AggregateOverflow> {
        let Some(mut spread) = self.spread.take() else { return Ok(()) };
        let mut items: HashMap<String, Vec<HourAggregate>> = HashMap::new();
        for tally in tallies {
            // They were counted before.
            let others = Top::of(tally.top.into_entries(), 0, Aggregate::default());
            self.top.merge(others, need.limit)?;
            self.top.aggregate = self.top.aggregate.minus(tally.alone);
            for (item_id, rows) in tally.collected {
                items.entry(item_id).or_default().extend(rows);
            }
        }
        for (item_id, mut rows) in items {
            rows.sort_by_key(|row| row.hour);
            if let Some(scored) = need.scoring.score(rows.iter()).map_err(|e| e.of(&item_id))? {
                let days = day_units(rows.iter(), &need.week).map_err(|e| e.of(&item_id))?;
                if need.wants_everyone {
                    let (item_id, Scored { score, aggregate }) = (item_id.clone(), scored);
                    self.items.push(SpreadItem { item_id, score, aggregate, days });
                }
                self.top.push(Entry { item_id, scored, days }, need.limit)?;
            }
        }
        spread.done = spread.pass().end;
        spread.ranks_the_others = false;
        self.spread = (spread.done < spread.hashes.len()).then_some(spread);
        Ok(())
    }
}

/// Returns how many items could rank of those whose hash is told once, and the other hashes.
fn told_apart(sorted: &[u64]) -> (u64, Vec<u64>) {
    let mut rankable = 0;
    let mut spread = Vec::new();
    for of_hash in sorted.chunk_by(|a, b| a & !RANKS == b & !RANKS) {
        match of_hash {
            [one] => rankable += one & RANKS,
            _ => spread.push(of_hash[0] & !RANKS),
        }
    }
    (rankable, spread)
}
