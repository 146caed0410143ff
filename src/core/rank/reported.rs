//! What is reported of an item besides its score: its units by day, and its aggregate in the rules' window.
//!
//! Invariant: where the window is extended, this aggregate is of the rules' window all the same, so that figures of
//! different categories can be compared.

use crate::model::{Aggregate, DayUnits, Units, Week, Window};
use crate::rank::overflow::Overflow;

/// What is reported of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reported {
    pub days: DayUnits,
    /// The aggregate in the rules' window; nothing yet where that is the window that is scored.
    pub window: Aggregate,
}

/// The hours that are reported besides those that are scored.
pub(super) struct ReportedHours {
    pub week: Week,
    /// The rules' window, where a longer one is scored.
    pub window: Option<Window>,
}

impl ReportedHours {
    /// Returns what is reported of an item whose aggregate in the scored window is known by now.
    pub fn of_scored(&self, reported: Reported, scored: Aggregate) -> Reported {
        match self.window {
            Some(_) => reported,
            None => Reported { window: scored, ..reported },
        }
    }
}

impl Reported {
    /// Adds what other rows of the same item have.
    pub fn add(&mut self, other: &Reported) -> Result<(), Overflow> {
        self.days.iter_mut().zip(other.days).try_for_each(|(day, units)| add_units(day, units))?;
        self.window = self.window.plus(other.window).ok_or(Overflow::Aggregate)?;
        Ok(())
    }

    /// The total of the week is reported, too.
    pub fn check(&self) -> Result<(), Overflow> {
        let week = self.days.iter().try_fold(Units::ZERO, |week, day| week.checked_add(*day));
        week.map(drop).ok_or(Overflow::Aggregate)
    }
}

/// Adds units to those of a day.
pub(super) fn add_units(day: &mut Units, units: Units) -> Result<(), Overflow> {
    *day = day.checked_add(units).ok_or(Overflow::Aggregate)?;
    Ok(())
}
