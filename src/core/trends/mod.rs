//! A category's list as people read it: what moved, for how many weeks it has been there, and how
//! much of the category it is.
//!
//! Invariant: what is said comes from published rankings alone. A ranking knows nothing of those
//! before it, so that the same purchases give the same file; they are held against each other here,
//! when somebody asks. Only rankings by the same rules are.

mod share;

use std::cmp::Ordering;
use std::iter::Peekable;

use hashbrown::{HashMap, HashSet};

use crate::model::{Aggregate, Timestamp};
use crate::parquet_format::RankedRow;
use crate::rankings::{Categories, Kept, Snapshot, SnapshotError, kept};
use crate::storage::Store;

pub use share::{WHOLE, shares};

/// How many weeks back rankings are looked for.
const WEEKS: i64 = 52;
const SECONDS_PER_WEEK: i64 = 7 * 24 * 3_600;
/// How many rankings by other rules are passed over.
const PASSED_OVER: usize = 16;

/// How an item's rank differs from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// There is no ranking before to tell by.
    Unknown,
    /// It was not on the list.
    New,
    Up(u32),
    Down(u32),
    Same,
}

/// An item's place on a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub row: RankedRow<'static>,
    pub movement: Movement,
    pub previous_rank: Option<i32>,
    /// Of how many weeks' lists it was on, this one's among them, as far as rankings are kept.
    pub weeks: u32,
}

/// A category's list.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// The path; `None` is the whole shop.
    pub category: Option<String>,
    /// Best first.
    pub places: Vec<Place>,
    /// What was on the list before and is no more, by their ranks then.
    pub dropped: Vec<RankedRow<'static>>,
}

/// A ranking, and those before it that it is held against.
pub struct Charts {
    current: Snapshot,
    previous: Option<Snapshot>,
    /// The last of each week before, newest first.
    weeks: Vec<Snapshot>,
}

impl Charts {
    /// Holds a ranking against those that were published before it, as far as they are still there
    /// and whole.
    ///
    /// # Errors
    /// Fails where the folder of rankings cannot be listed.
    pub fn of(store: &Store, current: Snapshot) -> Result<Charts, SnapshotError> {
        let kept = kept(store)?;
        let as_of = current.facts().as_of;
        let newest_in = |after: Option<Timestamp>, until: Timestamp| {
            let end = kept.partition_point(|kept| kept.as_of <= until);
            let begin = after.map_or(0, |after| kept.partition_point(|kept| kept.as_of <= after));
            newest_like(store, kept.get(begin..end).unwrap_or_default(), &current)
        };
        let back = |weeks: i64| as_of.plus_seconds(-weeks * SECONDS_PER_WEEK);
        let previous = newest_in(None, as_of.plus_seconds(-1));
        let weeks = (1..=WEEKS).filter_map(|week| newest_in(Some(back(week + 1)), back(week))).collect();
        Ok(Charts { current, previous, weeks })
    }

    /// Holds one ranking against another, whatever lies between.
    pub fn between(previous: Snapshot, current: Snapshot) -> Charts {
        Charts { current, previous: Some(previous), weeks: Vec::new() }
    }

    /// Returns the ranking that is told of.
    pub fn current(&self) -> &Snapshot {
        &self.current
    }

    /// Returns the ranking that movements are told by.
    pub fn previous(&self) -> Option<&Snapshot> {
        self.previous.as_ref()
    }

    /// Tells whether the ranking is older than twice the time between it and the one before; nothing
    /// where there is none before.
    pub fn is_stale(&self, now: Timestamp) -> Option<bool> {
        let as_of = self.current.facts().as_of.micros();
        let spacing = as_of - self.previous.as_ref()?.facts().as_of.micros();
        Some(now.micros() - as_of > 2 * spacing)
    }

    /// Returns a category's list, the whole shop's for `None`; nothing where it has none.
    ///
    /// # Errors
    /// Fails where the ranking is damaged; where one before is, it is as if it were not there.
    pub fn category(&self, category: Option<&str>) -> Result<Option<Chart>, SnapshotError> {
        let rows = self.current.category(category)?;
        let before = |snapshot: &Snapshot| snapshot.category(category).ok();
        let previous = self.previous.as_ref().and_then(before);
        let weeks: Vec<_> = self.weeks.iter().filter_map(before).collect();
        let is_there = !rows.is_empty() || previous.as_ref().is_some_and(|rows| !rows.is_empty());
        Ok(is_there.then(|| chart(category.map(str::to_owned), rows, previous.as_deref(), &weeks)))
    }

    /// Hands over the list of every category that is ranked now, the whole shop's first, then the
    /// categories' in byte order.
    ///
    /// # Errors
    /// Fails where the ranking is damaged, or as `take` does.
    pub fn each<E: From<SnapshotError>>(
        &self,
        take: &mut dyn FnMut(Chart) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut previous = self.previous.as_ref().map(Beside::of);
        let mut weeks: Vec<Beside<'_>> = self.weeks.iter().map(Beside::of).collect();
        for rows in self.current.categories() {
            let rows = rows?;
            let category = rows.first().and_then(|row| row.category.as_deref()).map(str::to_owned);
            let of_previous = previous.as_mut().and_then(|beside| beside.rows(category.as_deref()));
            let of_weeks: Vec<_> =
                weeks.iter_mut().filter_map(|beside| beside.rows(category.as_deref())).collect();
            take(chart(category, rows, of_previous.as_deref(), &of_weeks))?;
        }
        Ok(())
    }
}

impl Chart {
    /// Returns what share of the category, in hundredths of a percent, each of the first places is,
    /// and what all its other items are; together exactly [`WHOLE`]. Nothing where the ranking does not
    /// tell what the category comes to.
    ///
    /// A share is of what the score adds up: `by` of [`Facts`](crate::rankings::Facts).
    pub fn shares(&self, first: usize, by: &str) -> Option<(Vec<u32>, u32)> {
        let of = |aggregate: Aggregate| match by {
            "amount" => aggregate.amount,
            "purchases" => i128::from(aggregate.purchases),
            _ => i128::from(aggregate.units),
        };
        let whole = of(self.places.first()?.row.totals?.rankable);
        let mut parts: Vec<i128> =
            self.places.iter().take(first).map(|place| of(place.row.aggregate)).collect();
        parts.push(whole.checked_sub(parts.iter().sum())?);
        let mut shares = shares(&parts)?;
        let others = shares.pop()?;
        Some((shares, others))
    }
}

/// Returns the newest of some rankings that was made as another was, if it can be opened.
fn newest_like(store: &Store, kept: &[Kept], current: &Snapshot) -> Option<Snapshot> {
    let opened = kept.iter().rev().take(PASSED_OVER).filter_map(|kept| kept.open(store).ok());
    opened.into_iter().find(|snapshot| snapshot.facts().is_like(current.facts()))
}

/// The categories of another ranking, as far as they are asked for in their order.
struct Beside<'a> {
    categories: Peekable<Categories<'a>>,
    is_damaged: bool,
}

impl<'a> Beside<'a> {
    fn of(snapshot: &'a Snapshot) -> Beside<'a> {
        Beside { categories: snapshot.categories().peekable(), is_damaged: false }
    }

    /// Returns a category's rows, none of them where it has none; nothing behind what is damaged.
    fn rows(&mut self, category: Option<&str>) -> Option<Vec<RankedRow<'static>>> {
        while !self.is_damaged {
            let order = match self.categories.peek() {
                Some(Ok(rows)) => rows.first().map(|row| row.category.as_deref().cmp(&category)),
                Some(Err(_)) => {
                    self.is_damaged = true;
                    return None;
                }
                None => None,
            };
            match order {
                Some(Ordering::Less) => drop(self.categories.next()),
                Some(Ordering::Equal) => return self.categories.next()?.ok(),
                Some(Ordering::Greater) | None => return Some(Vec::new()),
            }
        }
        None
    }
}

/// Returns a category's list, held against what it was before.
fn chart(
    category: Option<String>,
    rows: Vec<RankedRow<'static>>,
    previous: Option<&[RankedRow<'static>]>,
    weeks: &[Vec<RankedRow<'static>>],
) -> Chart {
    let ranks: Option<HashMap<&str, i32>> =
        previous.map(|rows| rows.iter().map(|row| (&*row.item_id, row.rank)).collect());
    let mut in_weeks: HashMap<&str, u32> = HashMap::new();
    for row in weeks.iter().flatten() {
        *in_weeks.entry(&row.item_id).or_default() += 1;
    }
    let place = |row: RankedRow<'static>| {
        let previous_rank = ranks.as_ref().and_then(|ranks| ranks.get(&*row.item_id).copied());
        let movement = match (&ranks, previous_rank) {
            (None, _) => Movement::Unknown,
            (Some(_), None) => Movement::New,
            (Some(_), Some(before)) => match before.cmp(&row.rank) {
                Ordering::Equal => Movement::Same,
                Ordering::Greater => Movement::Up(before.abs_diff(row.rank)),
                Ordering::Less => Movement::Down(before.abs_diff(row.rank)),
            },
        };
        let weeks = 1 + in_weeks.get(&*row.item_id).copied().unwrap_or(0);
        Place { row, movement, previous_rank, weeks }
    };
    let places: Vec<Place> = rows.into_iter().map(place).collect();
    let dropped = {
        let listed: HashSet<&str> = places.iter().map(|place| &*place.row.item_id).collect();
        let is_gone = |row: &&RankedRow<'static>| !listed.contains(&*row.item_id);
        previous.into_iter().flatten().filter(is_gone).cloned().collect()
    };
    Chart { category, places, dropped }
}

#[cfg(test)]
mod tests;
