//! What is to be counted: the options of `topsell count`, and the parameters of `/v1/count`.
//!
//! Invariant: both are read by the same rules, so that the same options get the same answer.

use std::ops::Range;
use std::sync::Arc;

use crate::answers::counts::Counts;
use crate::formats::Answer;
use crate::text::BadOption;
use topsell_core::counts::{self, By, ByHour, CountQuery};
use topsell_core::lake::UncommittedBatch;
use topsell_core::model::{EventTypes, Hour, Timestamp, Window, Zone, check_path, parse_hours, parse_moment};
use topsell_core::rollup::RollupError;
use topsell_core::storage::Store;

const MAX_HOURS: u32 = 100 * 366 * 24;
const LAST: &str = "24h";

/// The options of a question; `prefix` is what stands in front of the names of options in messages.
#[derive(Clone, Debug, Default)]
pub struct CountOptions {
    pub prefix: &'static str,
    pub items: Vec<String>,
    pub last: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub at: Option<String>,
    pub by: Option<By>,
    pub zone: String,
    pub event_types: Vec<String>,
    pub subtract: Vec<String>,
    pub category: Option<String>,
}

/// What is to be counted.
#[derive(Clone, Debug)]
pub struct CountQuestion {
    pub items: Vec<String>,
    event_types: EventTypes,
    hours: Range<Hour>,
    category: Option<String>,
    by: Option<By>,
    zone: Zone,
    /// The moment that is asked about.
    at: Timestamp,
    /// What to say about the time range, where it was not given as full hours.
    pub notes: Vec<String>,
}

impl CountQuestion {
    /// Reads a question that is asked at `now`.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn of(options: CountOptions, now: Timestamp) -> Result<CountQuestion, BadOption> {
        let prefix = options.prefix;
        let zone = Zone::named(&options.zone).map_err(|e| BadOption::new(format!("{prefix}tz: {e}")))?;
        let mut notes = Vec::new();
        let at = match &options.at {
            Some(text) => options.moment("at", text, now, &zone, &mut notes)?,
            None => now,
        };
        let hours = options.hours(at, &zone, &mut notes)?;
        let category = options.category.as_deref().map(|path| {
            check_path(path).map_err(|e| BadOption::new(format!("{prefix}category `{path}` {e}")))
        });
        Ok(CountQuestion {
            category: category.transpose()?,
            event_types: EventTypes::of(options.event_types, options.subtract),
            items: options.items,
            hours,
            by: options.by,
            zone,
            at,
            notes,
        })
    }

    /// Counts in the lake and in what is not in it yet, and passes the answer to `take`.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, or the item whose numbers do not fit.
    pub fn answer<T>(
        &self,
        store: &Store,
        uncommitted: &[Arc<UncommittedBatch>],
        take: impl FnOnce(Answer<'_>) -> T,
    ) -> Result<T, RollupError> {
        let counted = CountQuery { uncommitted, ..self.query() };
        let asked: Vec<&str> = self.items.iter().map(String::as_str).collect();
        let mut found = counts::by_hour(store, &counted, &asked)?;
        // Who is asked for twice is told of once, where first asked for.
        let found: Vec<(&str, ByHour)> =
            asked.into_iter().filter_map(|item| found.remove(item).map(|by_hour| (item, by_hour))).collect();
        self.answer_of(&found, take)
    }

    /// Returns how many numbers of rows an answer has at most: one for each item, or for each of its buckets.
    pub fn rows(&self) -> u64 {
        let hours = u64::from(self.hours.end.number().abs_diff(self.hours.start.number()));
        let buckets = match self.by {
            None => 1,
            Some(By::Hour) => hours,
            Some(By::Day) => hours / 24 + 2,
            Some(By::Weekday) => 7,
        };
        buckets.saturating_mul(self.items.len() as u64)
    }

    /// Returns what is to be counted in the lake alone.
    pub fn query(&self) -> CountQuery<'_> {
        CountQuery {
            event_types: &self.event_types,
            hours: self.hours.clone(),
            category: self.category.as_deref(),
            uncommitted: &[],
        }
    }

    /// Passes the answer to `take`, given what each item has sold.
    ///
    /// # Errors
    /// Names the item whose numbers do not fit.
    pub fn answer_of<T>(
        &self,
        found: &[(&str, ByHour)],
        take: impl FnOnce(Answer<'_>) -> T,
    ) -> Result<T, RollupError> {
        let counted = self.query();
        let counts = Counts { counted: &counted, items: found, by: self.by, zone: &self.zone, at: self.at };
        Ok(take(counts.answer()?))
    }
}

impl CountOptions {
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
