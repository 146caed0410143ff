//! The rows of one item: aggregates of hours, or sums of what other parts have of them.

use crate::model::{Aggregate, DAYS, DayUnits, HourAggregate, Units, Week};
use crate::rank::overflow::Overflow;
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

    fn add_days_to(&self, days: &mut DayUnits, week: &Week) -> Result<(), Overflow>;
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
    pub days: DayUnits,
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

    fn add_days_to(&self, days: &mut DayUnits, week: &Week) -> Result<(), Overflow> {
        match week.day_of(self.hour) {
            Some(day) => add_units(&mut days[day], self.aggregate.units),
            None => Ok(()),
        }
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

    fn add_days_to(&self, days: &mut DayUnits, _: &Week) -> Result<(), Overflow> {
        add_days(days, &self.days)
    }
}

/// Adds the units of each day.
pub(super) fn add_days(days: &mut DayUnits, others: &DayUnits) -> Result<(), Overflow> {
    days.iter_mut().zip(others).try_for_each(|(day, other)| add_units(day, *other))
}

/// Returns the units that some rows of an item have on each day of a week.
pub(super) fn day_units<'a, R: AddsUp + 'a>(
    rows: impl Iterator<Item = &'a R>,
    week: &Week,
) -> Result<DayUnits, Overflow> {
    let mut days = [Units::ZERO; DAYS];
    for row in rows {
        row.add_days_to(&mut days, week)?;
    }
    check_week(&days)?;
    Ok(days)
}

/// The total of the week is reported, too.
pub(super) fn check_week(days: &DayUnits) -> Result<(), Overflow> {
    let week = days.iter().try_fold(Units::ZERO, |week, day| week.checked_add(*day));
    week.map(drop).ok_or(Overflow::Aggregate)
}

fn add_units(day: &mut Units, units: Units) -> Result<(), Overflow> {
    *day = day.checked_add(units).ok_or(Overflow::Aggregate)?;
    Ok(())
}
