//! How to rank: the window, the weights, what the score adds up, and the limits.

use crate::model::{Aggregate, Decay, MAX_OCTAVES, Units, Week, Window};

/// What a score adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Units,
    Purchases,
    Amount,
}

impl Measure {
    /// Returns what an aggregate has of it, in ten-thousandths for units and amounts; nothing where it
    /// does not fit.
    #[inline]
    pub fn of(self, aggregate: Aggregate) -> Option<i64> {
        match self {
            Measure::Units => Some(aggregate.units.ten_thousandths()),
            Measure::Purchases => Some(aggregate.purchases),
            Measure::Amount => i64::try_from(aggregate.amount).ok(),
        }
    }

    /// Returns how many of the integers of [`Measure::of`] are one.
    pub fn unit(self) -> u64 {
        match self {
            Measure::Units | Measure::Amount => Units::ONE.ten_thousandths().unsigned_abs(),
            Measure::Purchases => 1,
        }
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Units => "units",
            Measure::Purchases => "purchases",
            Measure::Amount => "amount",
        }
    }

    /// Returns the measure of a name.
    pub fn named(name: &str) -> Option<Measure> {
        [Measure::Units, Measure::Purchases, Measure::Amount].into_iter().find(|of| of.name() == name)
    }
}

/// How to rank.
#[derive(Clone, Debug)]
pub struct Rules {
    pub window: Window,
    pub decay: Decay,
    pub measure: Measure,
    /// How many items a category's ranking has at most.
    pub limit: usize,
    /// The window of a category with fewer eligible items than this is extended.
    pub min_items: u64,
    /// The longest window of a category.
    pub max_lookback_hours: u32,
    /// The days whose units are reported, besides the window.
    pub week: Week,
}

impl Rules {
    /// Checks what the command line checks, of rules from elsewhere.
    ///
    /// # Errors
    /// Says what is wrong.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let longest = Window::ending(self.window.as_of(), self.window.hours().max(self.max_lookback_hours));
        if self.limit == 0 {
            return Err("limit is 0");
        }
        if self.window.hours() == 0 {
            return Err("window_hours is 0");
        }
        if longest.hours() > MAX_WINDOW_HOURS {
            return Err("the window is longer than 100 years");
        }
        match self.decay.octaves_between(longest.oldest(), longest.newest()) {
            ..=MAX_OCTAVES => Ok(()),
            _ => Err("the window has too many half-lives"),
        }
    }
}

/// A hundred years.
const MAX_WINDOW_HOURS: u32 = 100 * 366 * 24;
