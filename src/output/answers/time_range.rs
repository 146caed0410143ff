//! The time range of a question: its options, and the whole hours that they mean.

use std::ops::Range;

use crate::text::BadOption;
use topsell_core::model::{Hour, Timestamp, Window, Zone, check_path, parse_hours, parse_moment};

const MAX_HOURS: u32 = 100 * 366 * 24;
const LAST: &str = "24h";

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

/// A time range.
#[derive(Clone, Debug)]
pub(super) struct TimeRange {
    pub hours: Range<Hour>,
    /// The moment that is asked about.
    pub at: Timestamp,
    pub zone: Zone,
    /// What to say about it, where it was not given as full hours.
    pub notes: Vec<String>,
}

impl TimeRange {
    /// Returns whether its last hour goes on after the moment that is asked about.
    pub fn is_filling(&self) -> bool {
        self.hours.end.start() > self.at
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
    /// Reads a time range that is asked for at `now`.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub(super) fn read(&self, now: Timestamp) -> Result<TimeRange, BadOption> {
        let prefix = self.prefix;
        let zone = Zone::named(&self.zone).map_err(|e| BadOption::new(format!("{prefix}tz: {e}")))?;
        let mut notes = Vec::new();
        let at = match &self.at {
            Some(text) => self.moment("at", text, now, &zone, &mut notes)?,
            None => now,
        };
        let hours = self.hours(at, &zone, &mut notes)?;
        Ok(TimeRange { hours, at, zone, notes })
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
        if self.from.is_none() && self.to.is_some() {
            return Err(BadOption::new(format!("{prefix}to needs {prefix}from")));
        }
        if self.from.is_some() && self.last.is_some() {
            return Err(BadOption::new(format!("{prefix}last and {prefix}from cannot be used together")));
        }
        let Some(from) = &self.from else {
            let hours = parse_hours(self.last.as_deref().unwrap_or(LAST));
            let hours = hours.map_err(|e| BadOption::new(format!("{prefix}last: {e}")))?;
            let oldest = Window::ending(after, hours).oldest();
            return match Timestamp::from_micros(oldest.start().micros()) {
                Ok(_) => Ok(oldest..after),
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
