//! The time range of a question: its options, and the hours, minutes or moments that they mean.

use std::ops::Range;

use crate::text::BadOption;
use topsell_core::model::{
    BucketSpan, Hour, Timestamp, Window, Zone, check_path, parse_bucket_span, parse_hours, parse_moment,
    parse_seconds,
};

const MAX_HOURS: u32 = 100 * 366 * 24;
const LAST: &str = "24h";
const MICROS_PER_MINUTE: i64 = 60_000_000;

/// The options of a time range; `prefix` is what stands in front of the names of options in messages.
#[derive(Clone, Debug, Default)]
pub struct TimeRangeOptions {
    pub prefix: &'static str,
    pub last: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub at: Option<String>,
    pub zone: String,
}

/// What a time range consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    Hours,
    Minutes,
    /// It is to the microsecond.
    Exact,
}

/// A time range.
#[derive(Clone, Debug)]
pub(super) struct TimeRange {
    /// All hours that it touches.
    pub hours: Range<Hour>,
    pub times: Range<Timestamp>,
    pub precision: Precision,
    /// The moment that is asked about.
    pub at: Timestamp,
    pub zone: Zone,
    /// What to say about it, where it was not given as full hours.
    pub notes: Vec<String>,
}

impl TimeRange {
    /// Returns a range of whole hours.
    pub(super) fn of_hours(hours: Range<Hour>, at: Timestamp, zone: Zone, notes: Vec<String>) -> TimeRange {
        let times = hours.start.start()..hours.end.start();
        TimeRange { hours, times, precision: Precision::Hours, at, zone, notes }
    }

    /// Returns whether it goes on after the moment that is asked about.
    pub fn is_filling(&self) -> bool {
        self.times.end > self.at
    }

    /// Returns what a title says of this.
    pub fn filling(&self) -> &'static str {
        match (self.is_filling(), self.precision) {
            (false, _) => "",
            (true, Precision::Hours) => ", the last hour still filling",
            (true, Precision::Minutes) => ", the last minute still filling",
            (true, Precision::Exact) => ", still filling",
        }
    }

    /// Returns the names of the fields that have its ends.
    pub fn end_names(&self) -> [&'static str; 2] {
        match self.precision {
            Precision::Hours => ["hours_from", "hours_to"],
            Precision::Minutes | Precision::Exact => ["from", "to"],
        }
    }

    /// Returns its ends, as a clock of its zone has them.
    pub fn shown(&self) -> (String, String) {
        (self.zone.shown_moment(self.times.start), self.zone.shown_moment(self.times.end))
    }
}

/// Reads the path of a category.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn category_of(prefix: &str, path: &str) -> Result<String, BadOption> {
    check_path(path).map_err(|e| BadOption::new(format!("{prefix}category `{path}` {e}")))
}

impl TimeRangeOptions {
    /// Reads a time range that is asked for at `now`: of whole hours, of whole minutes where `last` names such, or to
    /// the microsecond where `is_exact`.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub(super) fn read(&self, now: Timestamp, is_exact: bool) -> Result<TimeRange, BadOption> {
        let (at, zone, mut notes) = self.asked_at(now)?;
        let (times, precision) = if is_exact {
            (self.exact_times(at, &zone, &mut notes)?, Precision::Exact)
        } else if let (None, Some(minutes)) = (&self.from, self.last_minutes()?) {
            // A minute that has begun counts; one that begins at `to` does not.
            let to = self.to.as_deref().map(|to| self.moment("to", to, at, &zone, &mut notes)).transpose()?;
            let last = to.map_or(at.micros(), |to| to.micros() - 1);
            let minute = last.div_euclid(MICROS_PER_MINUTE) * MICROS_PER_MINUTE;
            let end = self.moment_of(minute + MICROS_PER_MINUTE)?;
            (self.before(end, 60 * i64::from(minutes))?..end, Precision::Minutes)
        } else {
            let hours = self.hours(at, &zone, &mut notes)?;
            return Ok(TimeRange::of_hours(hours, at, zone, notes));
        };
        let hours = times.start.hour()..times.end.rounded_up();
        Ok(TimeRange { hours, times, precision, at, zone, notes })
    }

    /// Returns the moment that is asked about, the time zone, and what to say about the moment.
    fn asked_at(&self, now: Timestamp) -> Result<(Timestamp, Zone, Vec<String>), BadOption> {
        let prefix = self.prefix;
        let zone = Zone::named(&self.zone).map_err(|e| BadOption::new(format!("{prefix}tz: {e}")))?;
        let mut notes = Vec::new();
        let at = match &self.at {
            Some(text) => self.moment("at", text, now, &zone, &mut notes)?,
            None => now,
        };
        Ok((at, zone, notes))
    }

    /// Returns how many minutes are asked for; none where it is hours.
    fn last_minutes(&self) -> Result<Option<u32>, BadOption> {
        let Some(last) = &self.last else { return Ok(None) };
        let span = parse_bucket_span(last);
        match span.map_err(|e| BadOption::new(format!("{}last: {e}", self.prefix)))? {
            BucketSpan::Minutes(minutes) => Ok(Some(minutes)),
            BucketSpan::Hours(_) => Ok(None),
        }
    }

    /// Returns the time range to the microsecond.
    fn exact_times(
        &self,
        at: Timestamp,
        zone: &Zone,
        notes: &mut Vec<String>,
    ) -> Result<Range<Timestamp>, BadOption> {
        let prefix = self.prefix;
        self.check_together()?;
        let Some(from) = &self.from else {
            let last = self.last.as_deref().unwrap_or(LAST);
            let seconds = parse_seconds(last).map_err(|e| BadOption::new(format!("{prefix}last: {e}")))?;
            if seconds == 0 {
                return Err(BadOption::new(format!("{prefix}last: `{last}` is zero; pass at least 1s")));
            }
            let to = self.to.as_deref().map(|to| self.moment("to", to, at, zone, notes)).transpose()?;
            let end = to.unwrap_or(at);
            return Ok(self.before(end, seconds.cast_signed())?..end);
        };
        let from = self.moment("from", from, at, zone, notes)?;
        let to = self.to.as_deref().map(|to| self.moment("to", to, at, zone, notes)).transpose()?;
        let times = from..to.unwrap_or(at);
        self.check_ends(&times)?;
        Ok(times)
    }

    fn before(&self, end: Timestamp, seconds: i64) -> Result<Timestamp, BadOption> {
        self.moment_of(end.plus_seconds(-seconds).micros())
    }

    fn moment_of(&self, micros: i64) -> Result<Timestamp, BadOption> {
        Timestamp::from_micros(micros).map_err(|_| {
            BadOption::new(format!("{}last: the time range is outside of the years 1 to 9998", self.prefix))
        })
    }

    /// Checks that options are together that may be.
    fn check_together(&self) -> Result<(), BadOption> {
        let prefix = self.prefix;
        if self.from.is_none() && self.last.is_none() && self.to.is_some() {
            return Err(BadOption::new(format!("{prefix}to needs {prefix}from or {prefix}last")));
        }
        if self.from.is_some() && self.last.is_some() {
            return Err(BadOption::new(format!("{prefix}last and {prefix}from cannot be used together")));
        }
        Ok(())
    }

    /// Checks that a time range begins before its end, and not too long before.
    fn check_ends(&self, times: &Range<Timestamp>) -> Result<(), BadOption> {
        let prefix = self.prefix;
        let Range { start, end } = times;
        if times.is_empty() {
            return Err(BadOption::new(format!("{prefix}from {start} is not before {prefix}to {end}")));
        }
        if end.seconds_since(*start) > u64::from(MAX_HOURS) * 3_600 {
            return Err(BadOption::new(format!("{prefix}from and {prefix}to are more than 100 years apart")));
        }
        Ok(())
    }

    /// Returns the name of an option by which hours are given.
    pub(super) fn hours_option(&self) -> Option<&'static str> {
        let options = [("last", &self.last), ("from", &self.from), ("to", &self.to)];
        options.into_iter().find(|(_, given)| given.is_some()).map(|(name, _)| name)
    }

    /// Reads a moment, and notes what a relative one means.
    fn moment(
        &self,
        name: &str,
        text: &str,
        now: Timestamp,
        zone: &Zone,
        notes: &mut Vec<String>,
    ) -> Result<Timestamp, BadOption> {
        let at = parse_moment(text, now, zone);
        let at = at.map_err(|e| BadOption::new(format!("{}{name} `{text}` {e}", self.prefix)))?;
        if Timestamp::parse(text) != Ok(at) {
            notes.push(format!("note: {name} {at}"));
        }
        Ok(at)
    }

    /// Returns the hours of the time range.
    fn hours(&self, at: Timestamp, zone: &Zone, notes: &mut Vec<String>) -> Result<Range<Hour>, BadOption> {
        let prefix = self.prefix;
        let after = at.hour().plus(1);
        self.check_together()?;
        let Some(from) = &self.from else {
            let hours = parse_hours(self.last.as_deref().unwrap_or(LAST));
            let hours = hours.map_err(|e| BadOption::new(format!("{prefix}last: {e}")))?;
            let to = self.to.as_deref().map(|to| self.moment("to", to, at, zone, notes)).transpose()?;
            let end = to.map_or(after, Timestamp::rounded_up);
            if to.is_some_and(|to| end.start() != to) {
                notes.clear();
                notes.push(format!("note: counted in whole hours, to {}", end.start()));
            }
            let oldest = Window::ending(end, hours).oldest();
            return match Timestamp::from_micros(oldest.start().micros()) {
                Ok(_) => Ok(oldest..end),
                Err(_) => {
                    Err(BadOption::new(format!("{prefix}last: the time range begins before the year 1")))
                }
            };
        };
        let from = self.moment("from", from, at, zone, notes)?;
        let to = self.to.as_deref().map(|to| self.moment("to", to, at, zone, notes)).transpose()?;
        let hours = from.hour()..to.map_or(after, Timestamp::rounded_up);
        if hours.is_empty() {
            let to = to.unwrap_or(at);
            return Err(BadOption::new(format!("{prefix}from {from} is not before {prefix}to {to}")));
        }
        if hours.end.number().abs_diff(hours.start.number()) > MAX_HOURS {
            return Err(BadOption::new(format!("{prefix}from and {prefix}to are more than 100 years apart")));
        }
        if hours.start.start() != from || to.is_some_and(|to| hours.end.start() != to) {
            let (from, to) = (hours.start.start(), hours.end.start());
            // It says what the others do.
            notes.clear();
            notes.push(format!("note: counted in whole hours, from {from} to {to}"));
        }
        Ok(hours)
    }
}
