//! What items have by the minute in the recent minutes, in memory.
//!
//! Invariant: the minutes from the first on have all events that count, but for the items that are left to the lake.

use std::collections::BTreeMap;
use std::ops::Range;

use hashbrown::{HashMap, HashSet};

use crate::model::{
    Aggregate, AggregateRow, AggregateRows, Counting, Hour, Interner, Signs, Timestamp, Units,
};
use crate::rollup::all_counts::Categories;
use crate::rollup::partial_hours::sets_by_category;

const MICROS_PER_MINUTE: i64 = 60_000_000;
const MINUTES_PER_HOUR: u32 = 60;
/// Old minutes are forgotten of one part of the items at a time.
const PARTS: usize = 64;
/// With more items and event types than these, lists are left to the lake: events wait while all of them are read.
const MAX_LISTED: usize = 500_000;

/// The events from some minute on.
pub(super) struct RecentMinutes {
    /// Minutes since 1970.
    from: u32,
    /// Of each part of the items, by event type and item.
    parts: Vec<HashMap<(u32, u32), Vec<MinuteCell>>>,
    /// All paths of an event, joined by `|`.
    path_sets: Interner,
    /// Items of which an event came with several contents, or whose numbers do not fit.
    left: HashSet<u32>,
    /// The part of which old minutes are forgotten next.
    next: usize,
}

/// Where and when an event counts.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub ts_micros: i64,
    /// Its paths, joined by `|`.
    pub paths: &'a str,
    /// Whether it counts shop-wide: other copies of the event have other paths of it, and do not.
    pub is_primary: bool,
}

/// What an item's events of one minute, type, sign and set of paths add up to; there are many, so that each is small.
#[derive(Clone, Copy)]
struct MinuteCell {
    minute: u32,
    /// Twice the number of the set of paths, and one more where it does not count shop-wide.
    place: u32,
    events: u32,
    units: Units,
    amount: i64,
}

impl RecentMinutes {
    /// Returns no events, from the minute of a moment on.
    pub fn none_from(from: Timestamp) -> RecentMinutes {
        let parts = (0..PARTS).map(|_| HashMap::new()).collect();
        let from = minute_of(from.micros());
        RecentMinutes { from, parts, path_sets: Interner::default(), left: HashSet::new(), next: 0 }
    }

    /// Returns whether it has all minutes of a time range, which begins and ends with a minute.
    pub fn has(&self, times: &Range<Timestamp>) -> bool {
        let is_whole = |moment: Timestamp| moment.micros() % MICROS_PER_MINUTE == 0;
        is_whole(times.start) && is_whole(times.end) && self.has_moment(times.start.micros())
    }

    /// Returns whether it has an hour, or a part of it.
    pub fn has_part_of(&self, hour: Hour) -> bool {
        self.has_moment(hour.plus(1).start().micros() - 1)
    }

    /// Returns whether it has the minute of a moment.
    pub fn has_moment(&self, ts_micros: i64) -> bool {
        ts_micros >= 0 && minute_of(ts_micros) >= self.from
    }

    /// Adds an event that counts.
    pub fn add(&mut self, event_type: usize, item: u32, moment: Moment<'_>, aggregate: Aggregate) {
        let Moment { ts_micros, paths, is_primary } = moment;
        let (minute, from) = (minute_of(ts_micros), self.from);
        let Ok(event_type) = u32::try_from(event_type) else { return };
        if !self.has_moment(ts_micros) {
            return;
        }
        let place = self.path_sets.code(paths) * 2 + u32::from(!is_primary);
        let cells = self.parts[part_of(item)].entry((event_type, item)).or_default();
        if cells.first().is_some_and(|first| first.minute < from) {
            cells.retain(|cell| cell.minute >= from);
        }
        let of_event = (minute, place, aggregate.signs());
        let is_same = |cell: &&mut MinuteCell| (cell.minute, cell.place, cell.signs()) == of_event;
        // The newest minute is the usual one.
        let is_added = match cells.iter_mut().rev().find(is_same) {
            Some(cell) => cell.add(aggregate),
            None => {
                let mut cell = MinuteCell { minute, place, events: 0, units: Units::default(), amount: 0 };
                let is_added = cell.add(aggregate);
                cells.push(cell);
                is_added
            }
        };
        if !is_added {
            self.leave(item);
        }
    }

    /// Leaves an item to the lake.
    pub fn leave(&mut self, item: u32) {
        self.left.insert(item);
    }

    /// Returns whether an item is left to the lake.
    pub fn leaves(&self, item: u32) -> bool {
        self.left.contains(&item)
    }

    /// Adds what an item has of an event type in some minutes, by hour; none where it does not fit.
    pub fn add_to(
        &self,
        by_hour: &mut BTreeMap<Hour, Aggregate>,
        (event_type, counting): (usize, Counting),
        item: u32,
        times: &Range<Timestamp>,
    ) -> Option<()> {
        let minutes = minute_of(times.start.micros())..minute_of(times.end.micros());
        let key = (u32::try_from(event_type).ok()?, item);
        let cells = self.parts[part_of(item)].get(&key).map_or(&[][..], Vec::as_slice);
        let is_counted = |cell: &&MinuteCell| cell.is_primary() && minutes.contains(&cell.minute);
        for cell in cells.iter().filter(is_counted) {
            let hour = Hour::new((cell.minute / MINUTES_PER_HOUR).cast_signed());
            let known = by_hour.entry(hour).or_default();
            *known = known.plus(counting.applied_to(cell.aggregate()))?;
        }
        Some(())
    }

    /// Returns the rows of all items of some categories in some minutes, given how each event type counts and the names
    /// of items; none where only the lake tells. Rows of the same item, hour and paths may come several times.
    pub fn rows(
        &self,
        counting: &[Option<Counting>],
        items: &Interner,
        times: &Range<Timestamp>,
        categories: Categories<'_>,
    ) -> Option<AggregateRows> {
        let listed: usize = self.parts.iter().map(HashMap::len).sum();
        if !self.left.is_empty() || listed > MAX_LISTED {
            return None;
        }
        let mut found = AggregateRows::default();
        let minutes = minute_of(times.start.micros())..minute_of(times.end.micros());
        let of_set = |text: &str, sets: &mut Interner| {
            let by_category = sets_by_category(text).into_iter().enumerate();
            let wanted = by_category.filter(|(_, set)| categories.has(set));
            wanted.map(|(nth, set)| (sets.code(&set), nth == 0)).collect::<Vec<(u32, bool)>>()
        };
        let sets: Vec<Vec<(u32, bool)>> =
            self.path_sets.iter().map(|text| of_set(text, &mut found.path_sets)).collect();
        for ((event_type, item), cells) in self.parts.iter().flatten() {
            let Some(counting) = counting.get(*event_type as usize).copied().flatten() else { continue };
            let mut number = None;
            for cell in cells.iter().filter(|cell| minutes.contains(&cell.minute)) {
                let hour = Hour::new((cell.minute / MINUTES_PER_HOUR).cast_signed());
                let aggregate = counting.applied_to(cell.aggregate());
                for (path_set, is_first) in sets[cell.place as usize / 2].iter().copied() {
                    let is_primary = cell.is_primary() && is_first;
                    let item = *number.get_or_insert_with(|| found.items.code(items.name(*item)));
                    found.rows.push(AggregateRow { item, path_set, hour, is_primary, aggregate });
                }
            }
        }
        Some(found)
    }

    /// Leaves minutes before a moment to the lake, and frees the memory of those of a part of the items.
    pub fn forget_before(&mut self, from: Timestamp) {
        self.from = self.from.max(minute_of(from.micros()));
        let from = self.from;
        let part = &mut self.parts[self.next];
        part.retain(|_, cells| {
            cells.retain(|cell| cell.minute >= from);
            !cells.is_empty()
        });
        if part.capacity() > 4 * part.len() {
            part.shrink_to(2 * part.len());
        }
        self.next = (self.next + 1) % PARTS;
    }
}

impl MinuteCell {
    /// Adds an event, and returns whether it fits.
    fn add(&mut self, aggregate: Aggregate) -> bool {
        let events = u32::try_from(aggregate.purchases).ok().and_then(|of| self.events.checked_add(of));
        let units = self.units.checked_add(aggregate.units);
        let amount = i64::try_from(aggregate.amount).ok().and_then(|of| self.amount.checked_add(of));
        let (Some(events), Some(units), Some(amount)) = (events, units, amount) else { return false };
        (self.events, self.units, self.amount) = (events, units, amount);
        true
    }

    fn aggregate(&self) -> Aggregate {
        Aggregate { purchases: self.events.into(), units: self.units, amount: self.amount.into() }
    }

    fn is_primary(&self) -> bool {
        self.place.is_multiple_of(2)
    }

    fn signs(&self) -> Signs {
        self.aggregate().signs()
    }
}

/// Returns the minute of a moment since 1970; the first for an earlier one.
fn minute_of(micros: i64) -> u32 {
    // Moments are of the years 1 to 9998.
    u32::try_from(micros.max(0) / MICROS_PER_MINUTE).expect("the year 9998 has fewer than 2^32 minutes")
}

fn part_of(item: u32) -> usize {
    item as usize % PARTS
}
