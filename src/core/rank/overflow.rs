//! The errors of aggregates that exceed the range of their columns, or of a score.

use crate::model::AggregateOverflow;

/// The most that the absolute measures of an item's aggregates may add up to, so that the width of a score
/// is known beforehand.
pub const MAX_MEASURE: u64 = 1 << 60;

/// What exceeds its range; the caller knows of which item.
#[derive(Debug)]
pub(super) enum Overflow {
    Aggregate,
    /// The absolute measures add up to more than [`MAX_MEASURE`].
    Measure,
}

impl Overflow {
    pub fn of(self, item_id: &str) -> AggregateOverflow {
        let error = AggregateOverflow::of(item_id);
        match self {
            Overflow::Aggregate => error,
            Overflow::Measure => AggregateOverflow { bits: MAX_MEASURE.ilog2(), ..error },
        }
    }
}
