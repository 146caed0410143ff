//! One item's score in one category.

use crate::model::{
    Aggregate, AggregateOverflow, DAYS, DayUnits, Decay, Hour, HourAggregate, Units, Week, Window,
};
use crate::rank::rules::Measure;

/// The weight of each age, and the measure that is weighted.
pub(super) struct Scoring {
    window: Window,
    measure: Measure,
    /// By age in hours.
    weights: Vec<f64>,
}

/// An item's score and its aggregate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scored {
    pub score: f64,
    pub aggregate: Aggregate,
}

impl Scoring {
    pub fn new(window: Window, decay: Decay, measure: Measure) -> Scoring {
        Scoring { window, measure, weights: (0..window.hours()).map(|age| decay.weight(age)).collect() }
    }

    /// Returns the score and the aggregate of one item's rows, ordered by hour; `None` where the item
    /// is not eligible.
    ///
    /// Σ measure × weight(age), where the measure of an hour is added up as an integer first.
    pub fn score<'a>(
        &self,
        rows: impl Iterator<Item = &'a HourAggregate>,
    ) -> Result<Option<Scored>, Overflow> {
        let mut total = Aggregate::default();
        let mut score = 0.0;
        let mut of_hour = Aggregate::default();
        let mut hour = None;
        for row in rows.filter(|row| self.window.contains(row.hour)) {
            if hour != Some(row.hour) {
                score += hour.map_or(0.0, |hour| self.weighted(of_hour, hour));
                of_hour = Aggregate::default();
                hour = Some(row.hour);
            }
            of_hour = of_hour.plus(row.aggregate).ok_or(Overflow)?;
            total = total.plus(row.aggregate).ok_or(Overflow)?;
        }
        score += hour.map_or(0.0, |hour| self.weighted(of_hour, hour));
        let is_positive = match self.measure {
            Measure::Units => total.units.is_positive(),
            Measure::Purchases => total.purchases > 0,
            Measure::Amount => total.amount > 0,
        };
        Ok((is_positive && score > 0.0).then_some(Scored { score, aggregate: total }))
    }

    // The last step, in which floating point enters.
    fn weighted(&self, aggregate: Aggregate, hour: Hour) -> f64 {
        let measured = match self.measure {
            Measure::Units => aggregate.units.to_f64(),
            Measure::Purchases => aggregate.purchases as f64,
            Measure::Amount => aggregate.amount as f64 / 10_000.0,
        };
        measured * self.weights[self.window.age(hour) as usize]
    }
}

/// Returns the units that one item's rows have on each day of a week.
pub(super) fn day_units<'a>(
    rows: impl Iterator<Item = &'a HourAggregate>,
    week: &Week,
) -> Result<DayUnits, Overflow> {
    let mut days = [Units::ZERO; DAYS];
    for row in rows {
        if let Some(day) = week.day_of(row.hour) {
            days[day] = days[day].checked_add(row.aggregate.units).ok_or(Overflow)?;
        }
    }
    // The total of the week is reported, too.
    days.iter().try_fold(Units::ZERO, |week, day| week.checked_add(*day)).ok_or(Overflow)?;
    Ok(days)
}

/// An aggregate exceeds its range; the caller knows of which item.
#[derive(Debug)]
pub(super) struct Overflow;

impl Overflow {
    pub fn of(self, item_id: &str) -> AggregateOverflow {
        AggregateOverflow { item_id: item_id.to_owned() }
    }
}
