//! The best items of many categories, as the items come by in the order of their ids.
//!
//! Mostly an item is not among the best, and one look at the worst score that still counts says so.
//! Of the others, id and aggregates are kept once, whatever number of categories they are among the best
//! of; a category keeps their numbers, twice as many as it needs, and lets go of the worse half when
//! these are full. So no order is kept that nobody asks for.

use std::cmp::Ordering;

use crate::model::{Aggregate, DayUnits, HourAggregate, Week};
use crate::rank::score::{Overflow, Scored, day_units};
use crate::rank::search::Need;
use crate::rank::top::{Entry, Top};

/// Items that were among the best of some category when they came by.
#[derive(Default)]
pub(super) struct Candidates {
    ids: String,
    candidates: Vec<Candidate>,
}

struct Candidate {
    /// Where its id ends, and the next one's begins.
    end: usize,
    scored: Scored,
    days: DayUnits,
}

/// The best items of one category.
#[derive(Clone, Default)]
pub(super) struct Leaders {
    /// Score and units of the worst that counts; whoever comes later must be better.
    floor: Option<(f64, i64)>,
    leaders: Vec<Leader>,
    seen: u64,
    /// What all that were seen add up to.
    aggregate: Aggregate,
}

#[derive(Clone, Copy)]
struct Leader {
    score: f64,
    units: i64,
    candidate: u32,
}

/// One item on its way into the categories that it is scored in.
pub(super) struct Newcomer<'a> {
    item_id: &'a str,
    scored: Scored,
    /// The item's rows, and which of them it was scored by.
    rows: &'a [HourAggregate],
    counts: &'a dyn Fn(&HourAggregate) -> bool,
    /// Its number, once some category has taken it.
    candidate: Option<u32>,
}

impl<'a> Newcomer<'a> {
    /// Returns an item that comes to this by those of its rows that count.
    pub fn of(
        item_id: &'a str,
        scored: Scored,
        rows: &'a [HourAggregate],
        counts: &'a dyn Fn(&HourAggregate) -> bool,
    ) -> Newcomer<'a> {
        Newcomer { item_id, scored, rows, counts, candidate: None }
    }

    /// Returns what it comes to.
    pub fn scored(&self) -> Scored {
        self.scored
    }

    /// Returns its units on each day.
    pub fn days(&self, week: &Week) -> Result<DayUnits, Overflow> {
        day_units(self.rows.iter().filter(|row| (self.counts)(row)), week)
    }

    fn number(&mut self, candidates: &mut Candidates, week: &Week) -> Result<u32, Overflow> {
        if let Some(number) = self.candidate {
            return Ok(number);
        }
        // Only of those that may be ranked: most never are.
        let days = self.days(week)?;
        Ok(*self.candidate.insert(candidates.add(self.item_id, self.scored, days)))
    }
}

impl Candidates {
    fn add(&mut self, item_id: &str, scored: Scored, days: DayUnits) -> u32 {
        let number = u32::try_from(self.candidates.len()).expect("fewer than 2^32 items fit in memory");
        self.ids.push_str(item_id);
        self.candidates.push(Candidate { end: self.ids.len(), scored, days });
        number
    }

    fn entry(&self, number: u32) -> Entry {
        let number = number as usize;
        let begins = number.checked_sub(1).map_or(0, |before| self.candidates[before].end);
        let Candidate { end, scored, days } = self.candidates[number];
        Entry { item_id: self.ids[begins..end].to_owned(), scored, days }
    }
}

impl Leaders {
    /// Takes an item, whose id is behind those of all that came before it.
    #[inline]
    pub fn take(
        &mut self,
        newcomer: &mut Newcomer<'_>,
        candidates: &mut Candidates,
        need: &Need,
        limit: usize,
    ) -> Result<(), Overflow> {
        self.seen += 1;
        self.aggregate = self.aggregate.plus(newcomer.scored.aggregate).ok_or(Overflow)?;
        let (score, units) = (newcomer.scored.score, newcomer.scored.aggregate.units);
        if self.floor.is_some_and(|floor| (score, units) <= floor) {
            return Ok(());
        }
        let candidate = newcomer.number(candidates, &need.week)?;
        self.leaders.push(Leader { score, units, candidate });
        if self.leaders.len() > limit.saturating_mul(2) {
            self.prune(limit);
        }
        Ok(())
    }

    /// Returns the best, how many there were, and what all come to.
    pub fn finish(mut self, candidates: &Candidates, limit: usize) -> Top {
        self.prune(limit);
        let best = self.leaders.iter().map(|leader| candidates.entry(leader.candidate));
        Top::of(best.collect(), self.seen, self.aggregate)
    }

    fn prune(&mut self, limit: usize) {
        if self.leaders.len() <= limit {
            return;
        }
        let Some(last) = limit.checked_sub(1) else {
            self.leaders.clear();
            self.floor = Some((f64::INFINITY, i64::MAX));
            return;
        };
        let (_, worst, _) = self.leaders.select_nth_unstable_by(last, order);
        self.floor = Some((worst.score, worst.units));
        self.leaders.truncate(limit);
    }
}

/// Better is less; of equals, the one that came first has the smaller id.
fn order(a: &Leader, b: &Leader) -> Ordering {
    let score = b.score.total_cmp(&a.score);
    score.then(b.units.cmp(&a.units)).then(a.candidate.cmp(&b.candidate))
}
