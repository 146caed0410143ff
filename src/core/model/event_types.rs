//! The event types that a count or a ranking adds up, and those that it subtracts.

use crate::model::Aggregate;

/// Event types, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventTypes {
    /// Sorted.
    pub counted: Vec<String>,
    /// Sorted; none of them is counted.
    pub subtracted: Vec<String>,
}

/// How the events of a type count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    Added,
    Subtracted,
}

impl EventTypes {
    /// Returns the event types; one that is to be counted is not subtracted, nor is the empty text, by
    /// which a setting is overridden with nothing.
    pub fn of(mut counted: Vec<String>, mut subtracted: Vec<String>) -> EventTypes {
        counted.sort_unstable();
        counted.dedup();
        subtracted.sort_unstable();
        subtracted.dedup();
        subtracted.retain(|of| !of.is_empty() && !counted.contains(of));
        EventTypes { counted, subtracted }
    }

    /// Returns how the events of a type count; none where they do not.
    pub fn counting(&self, event_type: &str) -> Option<Counting> {
        if self.counted.iter().any(|of| of == event_type) {
            return Some(Counting::Added);
        }
        self.subtracted.iter().any(|of| of == event_type).then_some(Counting::Subtracted)
    }
}

impl Counting {
    /// Returns what is to be added for events of one sign, of quantity and of amount.
    ///
    /// Subtracted events take away their units and amount, whatever their sign, and are no purchases.
    #[must_use]
    pub fn applied_to(self, aggregate: Aggregate) -> Aggregate {
        match self {
            Counting::Added => aggregate,
            Counting::Subtracted => Aggregate {
                purchases: 0,
                // The negative of an absolute value fits, where the absolute value may not.
                units: aggregate.units.returned(),
                amount: aggregate.amount.min(aggregate.amount.wrapping_neg()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Units;

    #[test]
    fn subtracted_events_take_away_whatever_their_sign() {
        let check = |units: i64, amount: i128, expected: (i64, i128)| {
            let units = Units::from_ten_thousandths(units);
            let aggregate = Aggregate { purchases: 3, units, amount };
            assert_eq!(Counting::Added.applied_to(aggregate), aggregate);
            let subtracted = Counting::Subtracted.applied_to(aggregate);
            assert_eq!(
                (subtracted.purchases, subtracted.units.ten_thousandths(), subtracted.amount),
                (0, expected.0, expected.1)
            );
        };
        check(2, 20, (-2, -20));
        check(-2, -20, (-2, -20));
        check(2, -20, (-2, -20));
        check(0, 0, (0, 0));
        check(i64::MIN, i128::MIN, (i64::MIN, i128::MIN));
    }

    #[test]
    fn a_type_that_is_counted_is_not_subtracted() {
        let text = |types: &[&str]| types.iter().map(|of| (*of).to_owned()).collect::<Vec<_>>();
        let types = EventTypes::of(text(&["b", "a", "b"]), text(&["refund", "", "a", "refund"]));
        assert_eq!((&types.counted, &types.subtracted), (&text(&["a", "b"]), &text(&["refund"])));
        assert_eq!(types.counting("a"), Some(Counting::Added));
        assert_eq!(types.counting("refund"), Some(Counting::Subtracted));
        assert_eq!(types.counting("view"), None);
    }
}
