//! The best items of many categories, as the items come by in the order of their ids.
//!
//! Mostly an item is not among the best, and one look at the worst score that still counts says so.
//! Of the others, id and sums are kept once, whatever number of categories they are among the best
//! of; a category keeps their numbers, twice as many as it needs, and lets go of the worse half when
//! these are full. So no order is kept that nobody asks for.

use std::cmp::Ordering;

use crate::rank::score::Scored;
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
}

/// The best items of one category.
#[derive(Clone, Default)]
pub(super) struct Leaders {
    /// Score and units of the worst that counts; whoever comes later must be better.
    floor: Option<(f64, i64)>,
    leaders: Vec<Leader>,
    seen: u64,
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
    /// Its number, once some category has taken it.
    candidate: Option<u32>,
}

impl<'a> Newcomer<'a> {
    pub fn of(item_id: &'a str, scored: Scored) -> Newcomer<'a> {
        Newcomer { item_id, scored, candidate: None }
    }

    fn number(&mut self, candidates: &mut Candidates) -> u32 {
        *self.candidate.get_or_insert_with(|| candidates.add(self.item_id, self.scored))
    }
}

impl Candidates {
    fn add(&mut self, item_id: &str, scored: Scored) -> u32 {
        let number = u32::try_from(self.candidates.len()).expect("fewer than 2^32 items fit in memory");
        self.ids.push_str(item_id);
        self.candidates.push(Candidate { end: self.ids.len(), scored });
        number
    }

    fn entry(&self, number: u32) -> Entry {
        let number = number as usize;
        let begins = number.checked_sub(1).map_or(0, |before| self.candidates[before].end);
        let Candidate { end, scored } = self.candidates[number];
        Entry { item_id: self.ids[begins..end].to_owned(), scored }
    }
}

impl Leaders {
    /// Takes an item, whose id is behind those of all that came before it.
    #[inline]
    pub fn take(&mut self, newcomer: &mut Newcomer<'_>, candidates: &mut Candidates, limit: usize) {
        self.seen += 1;
        let (score, units) = (newcomer.scored.score, newcomer.scored.sums.units);
        if self.floor.is_some_and(|floor| (score, units) <= floor) {
            return;
        }
        self.leaders.push(Leader { score, units, candidate: newcomer.number(candidates) });
        if self.leaders.len() > limit.saturating_mul(2) {
            self.prune(limit);
        }
    }

    /// Returns the best, and how many there were.
    pub fn finish(mut self, candidates: &Candidates, limit: usize) -> Top {
        self.prune(limit);
        Top::of(self.leaders.iter().map(|leader| candidates.entry(leader.candidate)).collect(), self.seen)
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
