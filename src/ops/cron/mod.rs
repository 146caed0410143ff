//! Times at which something is due: cron expressions on a clock on some wall.
//!
//! Invariant: pure; never asks what time it is.
//!
//! An expression names readings of a clock, such as half past three. Clocks are changed, and then a reading
//! comes twice, or not at all. So there are two kinds of expressions:
//!
//! * One that names *some* hours is due once for each reading: the first time it is shown, or, where clocks
//!   jump over it, right after the jump; a jump over several is one time.
//! * One that names *every* hour means no reading in particular. It is due whenever a clock shows what it
//!   names, so that runs go on every ten minutes, or every hour, while clocks are changed.

mod expression;
mod pattern;
#[cfg(test)]
mod tests;

use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use topsell_core::model::{Timestamp, Zone};

use pattern::Pattern;

pub use expression::CalendarError;

/// Two changes of a clock that undo each other lie further apart than this.
const BETWEEN_CHANGES: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// The times that an expression names in a zone.
#[derive(Clone, Debug)]
pub struct Calendar {
    pattern: Pattern,
    zone: Zone,
}

impl Calendar {
    /// Reads five fields, six with seconds first, or a word such as `@hourly`.
    ///
    /// # Errors
    /// Says what is wrong with the expression, or that there is never such a day.
    pub fn parse(expression: &str, zone: Zone) -> Result<Calendar, CalendarError> {
        Ok(Calendar { pattern: expression::read(expression)?, zone })
    }

    /// Returns the zone whose clocks it goes by.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Returns the first time after a moment; none where there is none any more.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let moment = jiff::Timestamp::from_microsecond(moment.micros()).ok()?;
        let rules = self.zone.rules();
        let due = match self.pattern.names_every_hour() {
            true => self.next_shown(moment, rules),
            false => self.next_named(moment, rules),
        };
        Timestamp::from_micros(due?.as_microsecond()).ok()
    }

    /// Returns the times after a moment, in order.
    pub fn after(&self, moment: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next_after(moment), |time| self.next_after(*time))
    }

    /// Returns the last time that lies after one moment and not after another.
    ///
    /// It is found quickly, however many lie between the two.
    pub fn last_between(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let next = |moment| self.next_after(moment).filter(|time| *time <= until);
        let mut last = next(after)?;
        // No time lies after `end`, and not after `until`.
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

    /// Returns when a clock next shows for the first time, or jumps over, a reading that is named.
    fn next_named(&self, moment: jiff::Timestamp, rules: &TimeZone) -> Option<jiff::Timestamp> {
        // A moment that is no whole second lies after the second that clocks show.
        let mut reading = rules.to_datetime(moment).with().subsec_nanosecond(0).build().ok()?;
        loop {
            reading = self.pattern.first_from(reading.checked_add(SECOND).ok()?)?;
            let due = first_shown(reading, rules)?;
            // Readings that come twice were due the first time.
            if due > moment {
                return Some(due);
            }
        }
    }

    /// Returns when a clock next shows a reading that is named.
    fn next_shown(&self, moment: jiff::Timestamp, rules: &TimeZone) -> Option<jiff::Timestamp> {
        let second = moment.as_microsecond().div_euclid(1_000_000) + 1;
        let mut from = jiff::Timestamp::from_second(second).ok()?;
        loop {
            let offset = rules.to_offset(from);
            let reading = self.pattern.first_from(offset.to_datetime(from))?;
            let due = offset.to_timestamp(reading).ok()?;
            match change(from, due, offset, rules) {
                None => return Some(due),
                // From there on clocks show something else.
                Some(changed) => from = changed,
            }
        }
    }
}

const SECOND: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

/// Returns when a reading is first shown; right after the jump where clocks jump over it.
fn first_shown(reading: jiff::civil::DateTime, rules: &TimeZone) -> Option<jiff::Timestamp> {
    match rules.to_ambiguous_timestamp(reading).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(reading).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(reading).ok(),
        AmbiguousOffset::Gap { before, after } => {
            // The reading lies in the jump, whose end is the last change by which clocks show `after`.
            let late = before.to_timestamp(reading).ok()?;
            let changes = rules.preceding(late.checked_add(SECOND).ok()?);
            let jump = changes.take(MAX_CHANGES).find(|change| {
                let just_before = change.timestamp().checked_sub(SECOND);
                change.offset() == after && just_before.is_ok_and(|moment| rules.to_offset(moment) == before)
            });
            Some(jump.map_or(late, |change| change.timestamp()))
        }
    }
}

/// How many changes to look at for one that moves the clock: some change a zone's letters only.
const MAX_CHANGES: usize = 8;

/// Returns when clocks are first changed after one moment and not after another.
fn change(
    from: jiff::Timestamp,
    until: jiff::Timestamp,
    offset: Offset,
    rules: &TimeZone,
) -> Option<jiff::Timestamp> {
    if until.duration_since(from) < BETWEEN_CHANGES && rules.to_offset(until) == offset {
        return None;
    }
    let changes = rules.following(from).take_while(|change| change.timestamp() <= until);
    changes.filter(|change| change.offset() != offset).map(|change| change.timestamp()).next()
}
