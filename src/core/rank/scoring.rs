//! One item's score in one category.

use crate::model::{Aggregate, Decay, Window};
use crate::rank::item_rows::{AddsUp, Sum};
use crate::rank::overflow::{MAX_MEASURE, Overflow};
use crate::rank::rules::Measure;
use crate::rank::score::Score;
use crate::rank::weights::Weights;

/// The weight of each hour, and the measure that is weighted.
pub(super) struct Scoring {
    weights: Weights,
    measure: Measure,
}

/// An item's score and its aggregate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scored {
    pub score: Score,
    pub aggregate: Aggregate,
}

impl Scoring {
    pub fn new(window: Window, decay: Decay, measure: Measure) -> Scoring {
        Scoring { weights: Weights::of(window, decay), measure }
    }

    /// Returns what some rows of one item add up to, in any order.
    #[inline]
    pub fn sum<'a, R: AddsUp + 'a>(&self, rows: impl Iterator<Item = &'a R>) -> Result<Sum, Overflow> {
        let mut sum = self.zero();
        for row in rows {
            self.add(row, &mut sum)?;
        }
        Ok(sum)
    }

    /// Returns the sum of no rows.
    #[inline]
    pub fn zero(&self) -> Sum {
        Sum { score: self.weights.zero(), absolute: 0, aggregate: Aggregate::default() }
    }

    /// Adds a row.
    #[inline]
    pub fn add<R: AddsUp>(&self, row: &R, sum: &mut Sum) -> Result<(), Overflow> {
        row.add_to(sum, &self.weights, self.measure)
    }

    /// Returns the score and the aggregate of an item by all its rows; `None` where it is not eligible.
    #[inline]
    pub fn scored(&self, Sum { score, absolute, aggregate }: Sum) -> Result<Option<Scored>, Overflow> {
        if absolute > MAX_MEASURE {
            return Err(Overflow::Measure);
        }
        let is_positive = self.measure.of(aggregate).is_some_and(i64::is_positive);
        Ok((is_positive && score.is_positive()).then_some(Scored { score, aggregate }))
    }

    /// Returns a score as it is printed: in units of the measure in the newest hour.
    pub fn printed(&self, score: &Score) -> f64 {
        self.weights.relative(score, self.measure.unit())
    }
}
