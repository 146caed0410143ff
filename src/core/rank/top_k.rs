//! The best K items of each of many categories, from a stream of items.
//!
//! Most items are not among the best, and one comparison with a category's threshold shows it. The
//! id and the aggregate of any other item are kept once, however many categories it is among the
//! best of. A category keeps the numbers of up to twice as many items as it needs, and drops the
//! worse half when these are full, so that nothing is kept in order.

use std::cmp::Ordering;

use crate::model::{Aggregate, Units};
use crate::rank::item_rows::{AddsUp, reported_of};
use crate::rank::overflow::Overflow;
use crate::rank::reported::{Reported, ReportedHours};
use crate::rank::score::Score;
use crate::rank::scoring::{Scored, Scoring};
use crate::rank::top_items::{TopItem, TopItems};

/// Items that were among the best of some category when they were added.
#[derive(Default)]
pub(super) struct CandidatePool {
    ids: String,
    candidates: Vec<Candidate>,
}

struct Candidate {
    /// Where its id ends, and the next one's begins.
    end: usize,
    scored: Scored,
    reported: Reported,
}

/// The best items of one category.
#[derive(Clone, Default)]
pub(super) struct TopK {
    /// The worst of the best; another item must be better.
    threshold: Option<Place>,
    best: Vec<Place>,
    eligible_items: u64,
    /// The aggregate of all eligible items.
    aggregate: Aggregate,
    /// The aggregate of all other items.
    ineligible: Aggregate,
}

#[derive(Clone)]
struct Place {
    score: Score,
    units: Units,
    candidate: u32,
}

/// One item, scored by some of its rows, to be added to one or more categories.
pub(super) struct ScoredItem<'a, R> {
    item_id: &'a str,
    scored: Scored,
    /// The item's rows, and which of them it was scored by.
    rows: &'a [R],
    counts: &'a dyn Fn(&R) -> bool,
    /// Its number in the pool, once a category has kept it.
    candidate: Option<u32>,
}

impl<'a, R: AddsUp> ScoredItem<'a, R> {
    /// Returns an item scored by those of its rows that count, if these make it eligible; otherwise what they add
    /// up to.
    #[inline]
    pub fn new<F: Fn(&R) -> bool>(
        item_id: &'a str,
        rows: &'a [R],
        counts: &'a F,
        scoring: &Scoring,
    ) -> Result<Result<ScoredItem<'a, R>, Aggregate>, Overflow> {
        let sum = scoring.sum(rows.iter().filter(|row| counts(row)))?;
        let aggregate = sum.aggregate;
        let scored = scoring.scored(sum)?.ok_or(aggregate);
        Ok(scored.map(|scored| ScoredItem { item_id, scored, rows, counts, candidate: None }))
    }

    /// Returns the score and the aggregate.
    pub fn scored(&self) -> &Scored {
        &self.scored
    }

    /// Returns what is reported of the item.
    pub fn reported(&self, hours: &ReportedHours) -> Result<Reported, Overflow> {
        let reported = reported_of(self.rows.iter().filter(|row| (self.counts)(row)), hours)?;
        Ok(hours.of_scored(reported, self.scored.aggregate))
    }

    fn number_in(&mut self, pool: &mut CandidatePool, hours: &ReportedHours) -> Result<u32, Overflow> {
        if let Some(number) = self.candidate {
            return Ok(number);
        }
        // Computed only for candidates: most items never become one.
        let reported = self.reported(hours)?;
        Ok(*self.candidate.insert(pool.add(self.item_id, self.scored.clone(), reported)))
    }
}

impl CandidatePool {
    fn add(&mut self, item_id: &str, scored: Scored, reported: Reported) -> u32 {
        let number = u32::try_from(self.candidates.len()).expect("fewer than 2^32 items fit in memory");
        self.ids.push_str(item_id);
        self.candidates.push(Candidate { end: self.ids.len(), scored, reported });
        number
    }

    fn item(&self, number: u32) -> TopItem {
        let Candidate { scored, reported, .. } = &self.candidates[number as usize];
        TopItem { item_id: self.id(number).to_owned(), scored: scored.clone(), reported: *reported }
    }

    fn id(&self, number: u32) -> &str {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.candidates[before].end);
        &self.ids[start..self.candidates[number].end]
    }
}

impl TopK {
    /// Adds an item. The items of one top-level category come in the order of their ids, those of the shop do not.
    #[inline]
    pub fn add<R: AddsUp>(
        &mut self,
        item: &mut ScoredItem<'_, R>,
        pool: &mut CandidatePool,
        hours: &ReportedHours,
        limit: usize,
    ) -> Result<(), Overflow> {
        self.eligible_items += 1;
        self.aggregate = self.aggregate.plus(item.scored.aggregate).ok_or(Overflow::Aggregate)?;
        let (score, units) = (&item.scored.score, item.scored.aggregate.units);
        let is_worse = |worst: &Place| match (score, units).cmp(&(&worst.score, worst.units)) {
            Ordering::Equal => item.item_id >= pool.id(worst.candidate),
            order => order.is_lt(),
        };
        if limit == 0 || self.threshold.as_ref().is_some_and(is_worse) {
            return Ok(());
        }
        let candidate = item.number_in(pool, hours)?;
        self.best.push(Place { score: item.scored.score.clone(), units, candidate });
        if self.best.len() > limit.saturating_mul(2) {
            self.prune(pool, limit);
        }
        Ok(())
    }

    /// Adds the aggregate of an item that is not eligible.
    #[inline]
    pub fn add_ineligible(&mut self, aggregate: Aggregate) -> Result<(), Overflow> {
        self.ineligible = self.ineligible.plus(aggregate).ok_or(Overflow::Aggregate)?;
        Ok(())
    }

    /// Returns the best items, the number of eligible ones, and the aggregates of these and of the others.
    pub fn finish(mut self, pool: &CandidatePool, limit: usize) -> TopItems {
        self.prune(pool, limit);
        let best = self.best.iter().map(|place| pool.item(place.candidate));
        let top = TopItems::new(best.collect(), self.eligible_items, self.aggregate);
        top.with_ineligible(self.ineligible)
    }

    fn prune(&mut self, pool: &CandidatePool, limit: usize) {
        if self.best.len() <= limit {
            return;
        }
        let best_first = |a: &Place, b: &Place| best_first(a, b, pool);
        let (_, worst, _) = self.best.select_nth_unstable_by(limit - 1, best_first);
        self.threshold = Some(worst.clone());
        self.best.truncate(limit);
    }
}

/// Score down, units down, then the smaller id.
fn best_first(a: &Place, b: &Place, pool: &CandidatePool) -> Ordering {
    let order = b.score.cmp(&a.score).then(b.units.cmp(&a.units));
    order.then_with(|| pool.id(a.candidate).cmp(pool.id(b.candidate)))
}
