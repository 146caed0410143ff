//! The best items of one category, kept while the scores of its items change.
//!
//! It has exactly the items that are better than a floor, so that most changes are one comparison. Where too few are left
//! of them, for example after returns, the list has to be built again.
//!
//! Invariant: no item that is left out is better than the floor.

use std::cmp::Ordering;

use crate::model::{Aggregate, Interner, Units};
use crate::rank::overflow::Overflow;
use crate::rank::score::Score;
use crate::rank::scoring::Scored;

/// The best items of a category.
#[derive(Debug, Default)]
pub(super) struct LiveTop {
    /// The best first.
    best: Vec<Place>,
    /// At most so many of them.
    kept: usize,
    /// The best item that was left out; none where all are here.
    floor: Option<Place>,
    pub eligible_items: u64,
    /// The aggregate of all eligible items.
    pub aggregate: Aggregate,
}

/// An item, and what it is ordered by.
#[derive(Clone, Debug)]
struct Place {
    score: Score,
    units: Units,
    item: u32,
}

impl Place {
    fn of(item: u32, scored: &Scored) -> Place {
        Place { score: scored.score.clone(), units: scored.aggregate.units, item }
    }

    /// A better item is less, as in a ranking.
    fn order(&self, other: &Place, items: &Interner) -> Ordering {
        let by_score = other.score.cmp(&self.score).then_with(|| other.units.cmp(&self.units));
        by_score.then_with(|| items.name(self.item).cmp(items.name(other.item)))
    }
}

impl LiveTop {
    /// Returns a list of so many items at most, which has none yet.
    pub fn of(kept: usize) -> LiveTop {
        LiveTop { kept, ..LiveTop::default() }
    }

    /// Returns how many items it keeps at most.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Adds an item while the list is built; [`LiveTop::finish`] comes after the last.
    pub fn push(&mut self, item: u32, scored: &Scored, items: &Interner) -> Result<(), Overflow> {
        self.eligible_items += 1;
        self.aggregate = self.aggregate.plus(scored.aggregate).ok_or(Overflow::Aggregate)?;
        let place = Place::of(item, scored);
        if !self.is_above_floor(&place, items) {
            return Ok(());
        }
        self.best.push(place);
        if self.best.len() > 2 * self.kept {
            self.drop_worst(items);
        }
        Ok(())
    }

    /// Ends the building of the list.
    pub fn finish(&mut self, items: &Interner) {
        if self.best.len() > self.kept {
            self.drop_worst(items);
        }
        self.best.sort_unstable_by(|a, b| a.order(b, items));
    }

    /// Changes an item; none is an item that is not eligible.
    pub fn change(
        &mut self,
        item: u32,
        (before, after): (Option<&Scored>, Option<&Scored>),
        items: &Interner,
    ) -> Result<(), Overflow> {
        if let Some(before) = before {
            self.eligible_items -= 1;
            self.aggregate = self.aggregate.minus(before.aggregate);
            let place = Place::of(item, before);
            if let Ok(at) = self.best.binary_search_by(|of| of.order(&place, items)) {
                self.best.remove(at);
            }
        }
        let Some(after) = after else { return Ok(()) };
        self.eligible_items += 1;
        self.aggregate = self.aggregate.plus(after.aggregate).ok_or(Overflow::Aggregate)?;
        let place = Place::of(item, after);
        if !self.is_above_floor(&place, items) {
            return Ok(());
        }
        let at = self.best.partition_point(|of| of.order(&place, items).is_lt());
        self.best.insert(at, place);
        if self.best.len() > self.kept {
            self.floor = self.best.pop();
        }
        Ok(())
    }

    /// Returns the best items, as many as are asked for and there are; none where the list has to be built again.
    pub fn best(&self, limit: usize) -> Option<impl Iterator<Item = u32>> {
        let is_enough = self.best.len() >= limit || self.floor.is_none();
        is_enough.then(|| self.best.iter().take(limit).map(|place| place.item))
    }

    fn is_above_floor(&self, place: &Place, items: &Interner) -> bool {
        self.floor.as_ref().is_none_or(|floor| place.order(floor, items).is_lt())
    }

    /// Leaves out all but as many as are kept.
    fn drop_worst(&mut self, items: &Interner) {
        // All of them are above the floor, so that the best of those that are left out is the new one.
        let (_, floor, _) = self.best.select_nth_unstable_by(self.kept, |a, b| a.order(b, items));
        self.floor = Some(floor.clone());
        self.best.truncate(self.kept);
    }
}
