//! Cron expressions: the times at which they are due in a time zone.
//!
//! Invariant: pure; never reads the clock.
//!
//! An expression matches local times, such as 03:30. At a daylight saving change, a local time occurs twice
//! or not at all. There are two cases:
//!
//! * An expression that restricts the hour is due once per matching local time: at its first occurrence, or,
//!   if it is skipped, right after the change; several times in one gap are due once.
//! * An expression that matches every hour is due at every matching local time, so that runs continue every
//!   ten minutes, or every hour, through the change.

mod expression;
mod pattern;
#[cfg(test)]
mod tests;

use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use topsell_core::model::{Timestamp, Zone};

use pattern::Pattern;

pub use expression::CronError;

/// Two offset changes that cancel out are further apart than this.
const MIN_CHANGE_DISTANCE: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// The due times of a cron expression in a time zone.
#[derive(Clone, Debug)]
pub struct CronSchedule {
    pattern: Pattern,
    zone: Zone,
}

impl CronSchedule {
    /// Parses five fields, six with seconds first, or a macro such as `@hourly`.
    ///
    /// # Errors
    /// Returns what is wrong with the expression, or that it never matches a date.
    pub fn parse(expression: &str, zone: Zone) -> Result<CronSchedule, CronError> {
        Ok(CronSchedule { pattern: expression::parse(expression)?, zone })
    }

    /// Returns the time zone.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Returns the first due time after a moment, if there is one.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let moment = jiff::Timestamp::from_microsecond(moment.micros()).ok()?;
        let rules = self.zone.rules();
        let due = match self.pattern.matches_every_hour() {
            true => self.next_occurrence(moment, rules),
            false => self.next_unique(moment, rules),
        };
        Timestamp::from_micros(due?.as_microsecond()).ok()
    }

    /// Returns the due times after a moment, in order.
    pub fn after(&self, moment: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next_after(moment), |time| self.next_after(*time))
    }

    /// Returns the last due time after one moment and not after another.
    ///
    /// Searches by bisection, so that the cost does not depend on the number of due times in between.
    pub fn last_between(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let next = |moment| self.next_after(moment).filter(|time| *time <= until);
        let mut last = next(after)?;
        // No due time lies after `end` and not after `until`.
        let mut end = until;
        while let Some(later) = next(last) {
            last = later;
            let middle = last.micros() + (end.micros() - last.micros()) / 2;
            let middle = Timestamp::from_micros(middle).expect("it lies between two moments");
            match next(middle) {
                Some(later) => last = later,
                None => end = middle,
            }
        }
        Some(last)
    }

    /// Returns the next time at which a matching local time first occurs or is skipped.
    fn next_unique(&self, moment: jiff::Timestamp, rules: &TimeZone) -> Option<jiff::Timestamp> {
        // A fraction of a second is after the second itself.
        let mut local = rules.to_datetime(moment).with().subsec_nanosecond(0).build().ok()?;
        loop {
            local = self.pattern.first_from(local.checked_add(SECOND).ok()?)?;
            let due = first_occurrence(local, rules)?;
            // A local time that occurs twice was due the first time.
            if due > moment {
                return Some(due);
            }
        }
    }

    /// Returns the next occurrence of a matching local time.
    fn next_occurrence(&self, moment: jiff::Timestamp, rules: &TimeZone) -> Option<jiff::Timestamp> {
        let second = moment.as_microsecond().div_euclid(1_000_000) + 1;
        let mut from = jiff::Timestamp::from_second(second).ok()?;
        loop {
            let offset = rules.to_offset(from);
            let local = self.pattern.first_from(offset.to_datetime(from))?;
            let due = offset.to_timestamp(local).ok()?;
            match offset_change(from, due, offset, rules) {
                None => return Some(due),
                // From then on, another offset applies.
                Some(changed) => from = changed,
            }
        }
    }
}

const SECOND: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

/// Returns when a local time first occurs, or the end of the gap that skips it.
fn first_occurrence(local: jiff::civil::DateTime, rules: &TimeZone) -> Option<jiff::Timestamp> {
    match rules.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
        AmbiguousOffset::Gap { before, after } => {
            // The end of the gap is the last change to the offset `after`.
            let late = before.to_timestamp(local).ok()?;
            let changes = rules.preceding(late.checked_add(SECOND).ok()?);
            let gap = changes.take(MAX_CHANGES).find(|change| {
                let just_before = change.timestamp().checked_sub(SECOND);
                change.offset() == after && just_before.is_ok_and(|moment| rules.to_offset(moment) == before)
            });
            Some(gap.map_or(late, |change| change.timestamp()))
        }
    }
}

/// How many changes to search for one that changes the offset: some change the abbreviation only.
const MAX_CHANGES: usize = 8;

/// Returns when the offset first changes after one moment and not after another.
fn offset_change(
    from: jiff::Timestamp,
    until: jiff::Timestamp,
    offset: Offset,
    rules: &TimeZone,
) -> Option<jiff::Timestamp> {
    if until.duration_since(from) < MIN_CHANGE_DISTANCE && rules.to_offset(until) == offset {
        return None;
    }
    let changes = rules.following(from).take_while(|change| change.timestamp() <= until);
    changes.filter(|change| change.offset() != offset).map(|change| change.timestamp()).next()
}
