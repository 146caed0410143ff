//! The best items of one category, kept while the scores of its items change.
//!
//! It has exactly the items that are better than a floor, so that most changes are one comparison. Where too few are left
//! of them, for example after returns, the list has to be built again.
//!
//! Invariant: no item that is left out is better than the floor.

use std::cmp::Ordering;

use crate::model::{Aggregate, Interner, ItemKey, Units};
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
    /// Most items of one score are told apart by it, without their names.
    key: ItemKey,
    units: Units,
    item: u32,
}

/// An eligible item as lists have it: the same in all of them, if it has one score.
pub(super) struct Listed {
    place: Place,
    aggregate: Aggregate,
}

impl Listed {
    pub fn of(item: u32, scored: &Scored, items: &Interner) -> Listed {
        Listed { place: Place::of(item, scored, items), aggregate: scored.aggregate }
    }

    /// Returns it with another score.
    pub fn with(&self, scored: Scored) -> Listed {
        let Scored { score, aggregate } = scored;
        Listed { place: Place { score, units: aggregate.units, ..self.place }, aggregate }
    }
}

impl Place {
    fn of(item: u32, scored: &Scored, items: &Interner) -> Place {
        let key = ItemKey::of(items.name(item));
        Place { score: scored.score.clone(), key, units: scored.aggregate.units, item }
    }

    /// A better item is less, as in a ranking.
    fn order(&self, other: &Place, items: &Interner) -> Ordering {
        self.order_by_score(&other.score, other.units).then_with(|| match self.key.cmp(&other.key) {
            Ordering::Equal if self.item != other.item => items.name(self.item).cmp(items.name(other.item)),
            by_key => by_key,
        })
    }

    /// Returns the order by all but the name.
    fn order_by_score(&self, score: &Score, units: Units) -> Ordering {
        score.cmp(&self.score).then_with(|| units.cmp(&self.units))
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
        let by_score = |floor: &Place| floor.order_by_score(&scored.score, scored.aggregate.units);
        if self.floor.as_ref().is_some_and(|floor| by_score(floor).is_lt()) {
            return Ok(());
        }
        let place = Place::of(item, scored, items);
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

    /// Changes an item; none where it is not eligible.
    pub fn change(
        &mut self,
        (before, after): (Option<&Listed>, Option<&Listed>),
        items: &Interner,
    ) -> Result<(), Overflow> {
        if let Some(before) = before {
            self.eligible_items -= 1;
            self.aggregate = self.aggregate.minus(before.aggregate);
        }
        if let Some(after) = after {
            self.eligible_items += 1;
            self.aggregate = self.aggregate.plus(after.aggregate).ok_or(Overflow::Aggregate)?;
        }
        // Of most changes this is all: neither is among the best.
        let is_best = |of: &&Listed| self.is_above_floor(&of.place, items);
        let (before, after) = (before.filter(is_best), after.filter(is_best));
        let at = |of: &Place| self.best.partition_point(|other| other.order(of, items).is_lt());
        let known = |(at, item): &(usize, u32)| self.best.get(*at).is_some_and(|of| of.item == *item);
        let from = before.map(|of| (at(&of.place), of.place.item)).filter(known);
        match (from, after.map(|of| (at(&of.place), of.place.clone()))) {
            // Its new place is among others, so that those between move.
            (Some((from, _)), Some((to, after))) if to <= from => {
                self.best[to..=from].rotate_right(1);
                self.best[to] = after;
            }
            (Some((from, _)), Some((to, after))) => {
                self.best[from..to].rotate_left(1);
                self.best[to - 1] = after;
            }
            (Some((from, _)), None) => drop(self.best.remove(from)),
            (None, Some((to, after))) => {
                self.best.insert(to, after);
                if self.best.len() > self.kept {
                    self.floor = self.best.pop();
                }
            }
            (None, None) => {}
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
