//! Events of an input whose times are far from those of its other events.
//!
//! A backfill of many years is no outlier: only what is apart from the most events by a year without any.

use std::collections::BTreeMap;

use crate::model::{Date, Events};

/// How many days without an event set events apart.
const MIN_GAP_DAYS: i32 = 366;

/// The number of events of each day.
#[derive(Clone, Debug, Default)]
pub(super) struct DayCounts(BTreeMap<i32, u64>);

/// The events of an input that are apart from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outliers {
    /// The input, as it was named.
    pub input: String,
    pub count: u64,
    /// The number of all events of the input.
    pub events: u64,
    /// The first day that has one.
    pub first: Date,
}

impl DayCounts {
    /// Counts the events of a batch.
    pub fn add(&mut self, events: &Events) {
        let mut row = 0;
        while row < events.len() {
            let hour = events.ts(row).hour();
            let day = hour.date().number();
            // Most events are in the hour of the one before.
            let (from, to) = (hour.start(), hour.plus(1).start());
            let start = row;
            while row < events.len() && (from..to).contains(&events.ts(row)) {
                row += 1;
            }
            *self.0.entry(day).or_default() += (row - start) as u64;
        }
    }

    /// Adds the counts of another batch.
    pub fn merge(&mut self, other: &DayCounts) {
        for (day, count) in &other.0 {
            *self.0.entry(*day).or_default() += count;
        }
    }

    /// Returns the events that are apart from the most, where these are more than half of all.
    pub fn outliers(&self, input: &str) -> Option<Outliers> {
        let mut groups: Vec<(i32, i32, u64)> = Vec::new();
        for (&day, &count) in &self.0 {
            match groups.last_mut() {
                Some((_, last, events)) if day - *last < MIN_GAP_DAYS => {
                    *last = day;
                    *events += count;
                }
                _ => groups.push((day, day, count)),
            }
        }
        let events: u64 = groups.iter().map(|(_, _, count)| count).sum();
        let most = groups.iter().max_by_key(|(_, _, count)| *count)?.2;
        let first = groups.iter().find(|(_, _, count)| *count < most)?.0;
        let count = events - most;
        let is_apart = count > 0 && most > count;
        is_apart.then(|| Outliers { input: input.to_owned(), count, events, first: Date::new(first) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_a_year_apart_from_the_most_are_outliers() {
        let check = |days: &[(i32, u64)], expected: Option<(u64, i32)>| {
            let got = DayCounts(days.iter().copied().collect()).outliers("log");
            assert_eq!(got.map(|of| (of.count, of.first.number())), expected, "{days:?}");
        };
        check(&[], None);
        check(&[(17_000, 3)], None);
        check(&[(17_000, 3), (12_000, 1)], Some((1, 12_000)));
        check(&[(17_000, 9), (17_001, 2), (17_500, 1), (12_000, 1)], Some((2, 12_000)));
        // A backfill, and two files of equal weight in one.
        check(&[(17_000, 3), (17_300, 1), (17_600, 1)], None);
        check(&[(17_000, 3), (12_000, 3)], None);
    }
}
