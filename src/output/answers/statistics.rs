//! Numbers that are made of an aggregate: the average amount of a unit, and the statistics of quantities.
//!
//! Invariant: each can be taken back by a correction or a return, so that the least and the greatest are none of them.

use crate::formats::{Column, ColumnType, TableColumn, Value};
use topsell_core::model::{Aggregate, Units};

/// A statistic of the quantities of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// How many events.
    Count,
    /// The sum of their quantities.
    Sum,
    /// The sum by the count.
    Mean,
}

impl Statistic {
    /// All of them.
    pub const ALL: [Statistic; 3] = [Statistic::Count, Statistic::Sum, Statistic::Mean];

    /// Returns the name by which it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Statistic::Count => "count",
            Statistic::Sum => "sum",
            Statistic::Mean => "mean",
        }
    }

    /// Returns the statistic with a name.
    pub fn named(name: &str) -> Option<Statistic> {
        Statistic::ALL.into_iter().find(|statistic| statistic.name() == name)
    }

    /// Returns its column.
    pub(super) fn column(self) -> Column {
        match self {
            Statistic::Count => Column::new("events", ColumnType::Integer),
            Statistic::Sum => Column::new("sum", ColumnType::Units),
            Statistic::Mean => Column::new("mean", ColumnType::Amount),
        }
    }

    /// Returns its column of a table.
    pub(super) fn shown(self) -> TableColumn {
        match self {
            Statistic::Count => TableColumn::minor("events", "events", 9),
            Statistic::Sum => TableColumn::minor("sum", "sum", 8),
            Statistic::Mean => TableColumn::minor("mean", "mean", 7).or("-"),
        }
    }

    /// Returns its value; no mean where there is no event.
    pub(super) fn of(self, aggregate: &Aggregate) -> Value {
        match self {
            Statistic::Count => aggregate.purchases.into(),
            Statistic::Sum => aggregate.units.into(),
            Statistic::Mean => mean(aggregate).map_or(Value::None, Value::Amount),
        }
    }
}

/// Returns the units per event in ten-thousandths, halves rounded away from zero; none where there are no events.
fn mean(aggregate: &Aggregate) -> Option<i128> {
    divided(aggregate.units.ten_thousandths().into(), aggregate.purchases.into(), 1)
}

/// Returns the amount per unit in ten-thousandths, halves rounded away from zero; none where there are no units, or as
/// many or more were returned than sold.
pub(super) fn average(aggregate: &Aggregate) -> Option<i128> {
    if aggregate.units.ten_thousandths() <= 0 {
        return None;
    }
    // Both are in ten-thousandths, and so is the average.
    const ONE: i128 = Units::ONE.ten_thousandths() as i128;
    divided(aggregate.amount, aggregate.units.ten_thousandths().into(), ONE)
}

/// Returns a number times `scale`, which is below 2^64, by a divisor of 64 bits, halves rounded away from zero; none
/// where that is zero, or the result does not fit.
fn divided(number: i128, divisor: i128, scale: i128) -> Option<i128> {
    let (whole, rest) = (number.checked_div(divisor)?, number.checked_rem(divisor)? * scale);
    let (places, rest) = (rest / divisor, rest % divisor);
    let is_half = rest.unsigned_abs() * 2 >= divisor.unsigned_abs();
    let away = if (number < 0) == (divisor < 0) { 1 } else { -1 };
    whole.checked_mul(scale)?.checked_add(places + if is_half { away } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_is_rounded_away_from_zero_and_there_is_none_of_nothing() {
        let check = |amount, units: i32, expected: Option<i128>| {
            let units = units.into();
            let got = average(&Aggregate { purchases: 1, units, amount });
            assert_eq!(got, expected, "{amount} by {units}");
        };
        check(10_000, 3, Some(3_333));
        check(20_000, 3, Some(6_667));
        check(1, 2, Some(1));
        check(-1, 2, Some(-1));
        // More came back than was sold.
        check(1, -2, None);
        check(-1, -2, None);
        check(1, 3, Some(0));
        check(10_000, 0, None);
        check(i128::MAX, 1, Some(i128::MAX));
        let half = Aggregate { purchases: 1, units: Units::from_ten_thousandths(5_000), amount: 10_001 };
        assert_eq!(average(&half), Some(20_002), "by half a unit");
        assert_eq!(average(&Aggregate { amount: i128::MAX, ..half }), None, "by half a unit");
    }

    #[test]
    fn a_mean_has_four_places_and_there_is_none_of_no_event() {
        let check = |ten_thousandths, purchases, expected: Option<i128>| {
            let units = Units::from_ten_thousandths(ten_thousandths);
            assert_eq!(
                mean(&Aggregate { purchases, units, amount: 7 }),
                expected,
                "{units:?} by {purchases}"
            );
        };
        check(10_000, 3, Some(3_333));
        check(20_000, 3, Some(6_667));
        check(1, 2, Some(1));
        check(-1, 2, Some(-1));
        check(-10_000, 4, Some(-2_500));
        check(0, 2, Some(0));
        // Only subtracted events.
        check(-10_000, 0, None);
        check(i64::MAX, 1, Some(i64::MAX.into()));
        check(i64::MIN, i64::MAX, Some(-1));
    }
}
