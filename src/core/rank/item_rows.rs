//! The rows of one item: aggregates of hours, or sums of what other parts have of them.

use crate::model::{Aggregate, HourAggregate};
use crate::rank::overflow::Overflow;
use crate::rank::reported::{Reported, ReportedHours, add_units};
use crate::rank::rules::Measure;
use crate::rank::score::Score;
use crate::rank::weights::Weights;

/// A row of an item.
pub trait ItemRow {
    /// A number for the paths below one top-level category.
    fn path_set(&self) -> u32;

    /// Whether it is of the copies that count shop-wide.
    fn is_primary(&self) -> bool;
}

/// What a row adds to sums.
pub(super) trait AddsUp: ItemRow {
    fn add_to(&self, sum: &mut Sum, weights: &Weights, measure: Measure) -> Result<(), Overflow>;

    fn add_reported_to(&self, reported: &mut Reported, hours: &ReportedHours) -> Result<(), Overflow>;
}

/// What some rows of an item add up to within a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub score: Score,
    /// The measures without their signs.
    pub absolute: u64,
    pub aggregate: Aggregate,
}

/// What all rows of an item with the same paths add up to, as far as some part has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SumRow {
    pub path_set: u32,
    pub is_primary: bool,
    pub sum: Sum,
    pub reported: Reported,
}

impl Sum {
    /// Adds another sum of the same item.
    pub fn add(&mut self, other: &Sum) -> Result<(), Overflow> {
        self.score.add(&other.score);
        self.absolute = self.absolute.saturating_add(other.absolute);
        self.aggregate = self.aggregate.plus(other.aggregate).ok_or(Overflow::Aggregate)?;
        Ok(())
    }

    /// Subtracts a sum of some of the rows.
    pub fn subtract(&mut self, other: &Sum) {
        self.score.subtract(&other.score);
        self.absolute = self.absolute.saturating_sub(other.absolute);
        self.aggregate = self.aggregate.minus(other.aggregate);
    }
}

impl ItemRow for HourAggregate {
    #[inline]
    fn path_set(&self) -> u32 {
        self.path_set
    }

    #[inline]
    fn is_primary(&self) -> bool {
        self.is_primary
    }
}

impl AddsUp for HourAggregate {
    #[inline]
    fn add_to(&self, sum: &mut Sum, weights: &Weights, measure: Measure) -> Result<(), Overflow> {
        if !weights.window().contains(self.hour) {
            return Ok(());
        }
        let measured = measure.of(self.aggregate).ok_or(Overflow::Measure)?;
        sum.absolute = sum.absolute.saturating_add(measured.unsigned_abs());
        weights.add(measured, self.hour, &mut sum.score);
        sum.aggregate = sum.aggregate.plus(self.aggregate).ok_or(Overflow::Aggregate)?;
        Ok(())
    }

    fn add_reported_to(&self, reported: &mut Reported, hours: &ReportedHours) -> Result<(), Overflow> {
        if let Some(day) = hours.week.day_of(self.hour) {
            add_units(&mut reported.days[day], self.aggregate.units)?;
        }
        if hours.window.is_some_and(|window| window.contains(self.hour)) {
            reported.window = reported.window.plus(self.aggregate).ok_or(Overflow::Aggregate)?;
        }
        Ok(())
    }
}

impl ItemRow for SumRow {
    fn path_set(&self) -> u32 {
        self.path_set
    }

    fn is_primary(&self) -> bool {
        self.is_primary
    }
}

impl AddsUp for SumRow {
    fn add_to(&self, sum: &mut Sum, _: &Weights, _: Measure) -> Result<(), Overflow> {
        sum.add(&self.sum)
    }

    fn add_reported_to(&self, reported: &mut Reported, _: &ReportedHours) -> Result<(), Overflow> {
        reported.add(&self.reported)
    }
}

/// Returns what is reported of some rows of an item.
pub(super) fn reported_of<'a, R: AddsUp + 'a>(
    rows: impl Iterator<Item = &'a R>,
    hours: &ReportedHours,
) -> Result<Reported, Overflow> {
    let mut reported = Reported::default();
    for row in rows {
        row.add_reported_to(&mut reported, hours)?;
    }
    reported.check()?;
    Ok(reported)
}
