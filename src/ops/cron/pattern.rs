//! The local times that an expression matches, independent of the time zone.
//!
//! Invariant: matches at least one date.

use jiff::civil;
use jiff::civil::{Date, DateTime};

/// Bit sets of the matching numbers of each field.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    pub seconds: u64,
    pub minutes: u64,
    pub hours: u64,
    pub months: u64,
    pub days: Days,
}

/// The matching days of matching months.
#[derive(Clone, Debug, PartialEq)]
pub struct Days {
    pub of_month: u64,
    /// Sunday is 0.
    pub of_week: u64,
    /// Whether a day must match both fields; otherwise one is enough.
    pub match_both: bool,
}

/// The Gregorian calendar, including days of the week, repeats after this many years.
const YEARS: u32 = 400;
const MONTHS_A_YEAR: u32 = 12;
const HOURS: u64 = (1 << 24) - 1;
/// The same weekday in all weeks of a month.
const WEEKLY: u64 = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28;

impl Pattern {
    /// Returns whether every hour of the day matches.
    pub fn matches_every_hour(&self) -> bool {
        self.hours == HOURS
    }

    /// Returns the first match at or after a local time; `None` beyond the year 9999 or if no date matches.
    pub fn first_from(&self, local: DateTime) -> Option<DateTime> {
        let (date, time) = (local.date(), local.time());
        if first_in(self.matching_days(date), date.day()) == Some(date.day()) {
            let time = self.time_from(time.hour(), time.minute(), time.second());
            if let Some((hour, minute, second)) = time {
                return Some(date.at(hour, minute, second, 0));
            }
        }
        let day = self.day_after(date)?;
        let (hour, minute, second) = self.time_from(0, 0, 0)?;
        Some(day.at(hour, minute, second, 0))
    }

    /// Returns the first matching date after another.
    fn day_after(&self, date: Date) -> Option<Date> {
        let mut from = date.day() + 1;
        let mut month = date.first_of_month();
        for _ in 0..=YEARS * MONTHS_A_YEAR {
            if let Some(day) = first_in(self.matching_days(month), from) {
                return month.with().day(day).build().ok();
            }
            month = match month.month() {
                12 => civil::Date::new(month.year() + 1, 1, 1).ok()?,
                other => civil::Date::new(month.year(), other + 1, 1).ok()?,
            };
            from = 1;
        }
        None
    }

    /// Returns the matching days of a date's month.
    fn matching_days(&self, date: Date) -> u64 {
        if self.months >> date.month() & 1 == 0 {
            return 0;
        }
        let days_in_month = (2 << date.days_in_month()) - 2;
        // The weekdays, counted from the first of the month.
        let first = date.first_of_month().weekday().to_sunday_zero_offset();
        let week = (self.days.of_week | self.days.of_week << 7) >> first & 0x7f;
        let by_week = (week * WEEKLY) << 1;
        let matching = match self.days.match_both {
            true => self.days.of_month & by_week,
            false => self.days.of_month | by_week,
        };
        matching & days_in_month
    }

    /// Returns the first matching time of day at or after another.
    fn time_from(&self, hour: i8, minute: i8, second: i8) -> Option<(i8, i8, i8)> {
        let first = |set| first_in(set, 0);
        if first_in(self.hours, hour) == Some(hour) {
            if first_in(self.minutes, minute) == Some(minute)
                && let Some(second) = first_in(self.seconds, second)
            {
                return Some((hour, minute, second));
            }
            if let Some(minute) = first_in(self.minutes, minute + 1) {
                return Some((hour, minute, first(self.seconds)?));
            }
        }
        Some((first_in(self.hours, hour + 1)?, first(self.minutes)?, first(self.seconds)?))
    }
}

/// Returns the smallest number of a set that is at least `from`; numbers go up to 60.
fn first_in(set: u64, from: i8) -> Option<i8> {
    let rest = set >> from << from;
    (rest != 0).then(|| rest.trailing_zeros() as i8)
}
