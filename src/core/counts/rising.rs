//! What sells more in some hours than before: against the mean of the seven times as many hours before them.
//!
//! The measure of the hours is x, the mean b, and items are ordered by (x - b) / sqrt(b + 1): a rise from 0 to 30 and one
//! from 900 to 930 are not the same. With x and b in the parts of a unit in which measures are kept, u to a unit, and the
//! sum S = 7 b, it is (7 x - S) / sqrt(7 u (S + 7 u)).
//!
//! Invariant: the order is by integers alone, which are exact, so that it is the same on every machine.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use crate::lake::UncommittedBatch;
use crate::model::{Aggregate, AggregateOverflow, EventTypes, Hour, Interner};
use crate::rank::Measure;
use crate::rollup::{Categories, LiveAggregates, RollupError, Selection, live_counts};
use crate::storage::Store;

/// How many times as long as the hours is the time before them that they are compared with.
pub const BEFORE: u32 = 7;

/// Which sales to compare, and how many items to list.
#[derive(Clone, Debug)]
pub struct RisingQuery<'a> {
    pub event_types: &'a EventTypes,
    /// First hour, and the hour after the last.
    pub hours: Range<Hour>,
    pub measure: Measure,
    /// How much of the measure an item must have in the hours, as [`Measure::of`] gives it.
    pub min: i64,
    /// How many items are listed at most.
    pub limit: usize,
    /// Only sales in this category or below it.
    pub category: Option<&'a str>,
    /// Batches that are durable and not in the lake yet; they count, too.
    pub uncommitted: &'a [Arc<UncommittedBatch>],
}

/// The items that rise most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rising {
    /// How many items have enough of the measure, and more than before.
    pub eligible_items: u64,
    /// The first of them, best first.
    pub items: Vec<RisingItem>,
}

/// An item that rises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RisingItem {
    pub item_id: String,
    /// What it has in the hours.
    pub aggregate: Aggregate,
    pub rise: Rise,
}

/// How much more of the measure than before an item has; ordered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rise {
    /// The measure in the hours.
    now: i64,
    /// The sum of the hours before; not below 0.
    before: i64,
    unit: i64,
}

/// The greatest measure of a rise, so that a square fits.
const MAX_MEASURE: i64 = 1 << 59;

impl Rise {
    /// Returns a rise by the measure of some hours, the sum of those before, and how many are one; none where there is
    /// none, or a number is too large.
    pub fn of(now: i64, before: i64, unit: i64) -> Option<Rise> {
        // More returns than sales are no sales.
        let before = before.max(0);
        let fits = now <= MAX_MEASURE && before <= MAX_MEASURE;
        (fits && now > 0 && sevenfold(now) > before).then_some(Rise { now, before, unit })
    }

    /// Returns the sum of the hours before, as [`Measure::of`] gives it.
    pub fn before(self) -> i64 {
        self.before
    }

    /// Returns 7 x - S and S + 7 u, both positive.
    pub fn parts(self) -> (u64, u64) {
        let more = sevenfold(self.now) - self.before;
        (more.unsigned_abs(), self.before.unsigned_abs() + self.sevenfold_unit())
    }

    /// Returns 7 u.
    pub fn sevenfold_unit(self) -> u64 {
        sevenfold(self.unit).unsigned_abs()
    }
}

impl Ord for Rise {
    /// Of the same unit: compares squares, multiplied with both denominators.
    fn cmp(&self, other: &Rise) -> Ordering {
        let ((more, by), (of_other, by_other)) = (self.parts(), other.parts());
        product(more, by_other).cmp(&product(of_other, by))
    }
}

impl PartialOrd for Rise {
    fn partial_cmp(&self, other: &Rise) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn sevenfold(measure: i64) -> i64 {
    measure * i64::from(BEFORE)
}

/// Returns a^2 × b in 192 bits, the high ones first.
fn product(a: u64, b: u64) -> (u128, u64) {
    let square = u128::from(a) * u128::from(a);
    let low = (square & u128::from(u64::MAX)) * u128::from(b);
    ((square >> 64) * u128::from(b) + (low >> 64), low as u64)
}

/// Returns the items that rise most, of equals those with more, then those with the lower id.
///
/// # Errors
/// Names the file that is missing or damaged, or the item whose aggregates do not fit.
pub fn rising(store: &Store, query: &RisingQuery<'_>) -> Result<Rising, RollupError> {
    let before = hours_before(&query.hours);
    let selection = Selection { event_types: query.event_types, hours: before.start..query.hours.end };
    let categories = query.category.map_or(Categories::All, Categories::Below);
    let counted = live_counts(store, &selection, query.uncommitted, |counts| {
        let mut counted = Counted::default();
        LiveAggregates::of(counts)?.for_each_counted(&selection, categories, &mut |rows| {
            let codes = counted.items.codes_of(&rows.items);
            counted.sums.resize(counted.items.len(), Sums::default());
            // In a category, copies in others do not count; in the shop, one copy of each does.
            for row in rows.rows.iter().filter(|row| query.category.is_some() || row.is_primary) {
                let item = codes[row.item as usize];
                let sums = &mut counted.sums[item as usize];
                let added = sums.add(query, row.hour, row.aggregate);
                added.ok_or_else(|| AggregateOverflow::of(counted.items.name(item)))?;
            }
            Ok(())
        })?;
        Ok(counted)
    })?;
    Ok(counted.best(query)?)
}

/// Returns the hours before some, with which these are compared.
pub fn hours_before(hours: &Range<Hour>) -> Range<Hour> {
    let length = hours.end.number().saturating_sub(hours.start.number());
    hours.start.plus(length.saturating_mul(BEFORE.cast_signed()).saturating_neg())..hours.start
}

/// What items have in the hours, and before them.
#[derive(Default)]
struct Counted {
    items: Interner,
    /// By the numbers of items.
    sums: Vec<Sums>,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    now: Aggregate,
    before: i64,
}

impl Sums {
    /// Returns nothing where a sum does not fit.
    fn add(&mut self, query: &RisingQuery<'_>, hour: Hour, aggregate: Aggregate) -> Option<()> {
        if query.hours.contains(&hour) {
            self.now = self.now.plus(aggregate)?;
        } else {
            self.before = self.before.checked_add(query.measure.of(aggregate)?)?;
        }
        Some(())
    }
}

impl Counted {
    fn best(&self, query: &RisingQuery<'_>) -> Result<Rising, AggregateOverflow> {
        let unit = query.measure.unit().cast_signed();
        let mut rising: Vec<(Rise, u32)> = Vec::new();
        for (item, sums) in (0..).zip(&self.sums) {
            let overflow = || AggregateOverflow::of(self.items.name(item));
            let now = query.measure.of(sums.now).ok_or_else(overflow)?;
            if now.max(sums.before) > MAX_MEASURE {
                return Err(overflow());
            }
            if now >= query.min {
                rising.extend(Rise::of(now, sums.before, unit).map(|rise| (rise, item)));
            }
        }
        let by_id = |a: u32, b: u32| self.items.name(a).cmp(self.items.name(b));
        rising.sort_unstable_by(|(a, of_a), (b, of_b)| {
            b.cmp(a).then(b.now.cmp(&a.now)).then_with(|| by_id(*of_a, *of_b))
        });
        let items = rising.iter().take(query.limit).map(|(rise, item)| RisingItem {
            item_id: self.items.name(*item).to_owned(),
            aggregate: self.sums[*item as usize].now,
            rise: *rise,
        });
        Ok(Rising { eligible_items: rising.len() as u64, items: items.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use num_bigint::BigUint;

    proptest::proptest! {
        #[test]
        fn rises_are_ordered_as_fractions_of_any_size_are(
            a in (1_i64..=MAX_MEASURE, -5_i64..=MAX_MEASURE),
            b in (1_i64..=MAX_MEASURE, -5_i64..=MAX_MEASURE),
            shifts in (0_u32..59, 0_u32..59),
            unit in proptest::sample::select(vec![1_i64, 10_000]),
        ) {
            let of = |(now, before): (i64, i64), shift: u32| Rise::of((now >> shift).max(1), before >> shift, unit);
            if let (Some(a), Some(b)) = (of(a, shifts.0), of(b, shifts.1)) {
                let squared = |rise: Rise| {
                    let more = BigUint::from(rise.now.unsigned_abs()) * 7_u32 - BigUint::from(rise.before.unsigned_abs());
                    (&more * &more, BigUint::from(rise.before.unsigned_abs()) + BigUint::from(unit.unsigned_abs()) * 7_u32)
                };
                let ((a_top, a_below), (b_top, b_below)) = (squared(a), squared(b));
                proptest::prop_assert_eq!(a.cmp(&b), (a_top * b_below).cmp(&(b_top * a_below)));
            }
        }
    }

    #[test]
    fn what_is_not_more_than_before_does_not_rise() {
        assert_eq!(Rise::of(3, 21, 1), None);
        assert_eq!(Rise::of(0, -9, 1), None);
        assert_eq!(Rise::of(3, 20, 1), Some(Rise { now: 3, before: 20, unit: 1 }));
        assert_eq!(Rise::of(3, -20, 1), Some(Rise { now: 3, before: 0, unit: 1 }));
        // 30 of which there were none rise more than 930 of which there were 900.
        assert!(Rise::of(30, 0, 1) > Rise::of(930, 6_300, 1));
    }
}
