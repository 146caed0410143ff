//! What is to be counted: the options of `topsell count`, and the parameters of `/v1/count`.
//!
//! Invariant: both are read by the same rules, so that the same options get the same answer.

use std::ops::Range;
use std::sync::Arc;

use crate::answers::counts::Counts;
use crate::answers::statistics::Statistic;
use crate::answers::time_range::{Precision, TimeRange, TimeRangeOptions, category_of};
use crate::formats::Answer;
use crate::text::BadOption;
use topsell_core::counts::{self, By, ByHour, CountQuery};
use topsell_core::lake::UncommittedBatch;
use topsell_core::model::{EventTypes, Timestamp};
use topsell_core::rollup::RollupError;
use topsell_core::storage::Store;

/// The options of a question.
#[derive(Clone, Debug, Default)]
pub struct CountOptions {
    pub items: Vec<String>,
    pub range: TimeRangeOptions,
    /// Whether to count to the microsecond.
    pub exact_times: bool,
    pub by: Option<By>,
    /// Only these, instead of the numbers of sales.
    pub statistics: Vec<Statistic>,
    pub event_types: Vec<String>,
    pub subtract: Vec<String>,
    pub category: Option<String>,
}

/// What is to be counted.
#[derive(Clone, Debug)]
pub struct CountQuestion {
    pub items: Vec<String>,
    event_types: EventTypes,
    range: TimeRange,
    category: Option<String>,
    by: Option<By>,
    statistics: Vec<Statistic>,
}

impl CountQuestion {
    /// Reads a question that is asked at `now`.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn of(options: CountOptions, now: Timestamp) -> Result<CountQuestion, BadOption> {
        let prefix = options.range.prefix;
        let range = options.range.read(now, options.exact_times)?;
        let mut statistics = options.statistics;
        for at in (1..statistics.len()).rev() {
            if statistics[..at].contains(&statistics[at]) {
                statistics.remove(at);
            }
        }
        Ok(CountQuestion {
            category: options.category.as_deref().map(|path| category_of(prefix, path)).transpose()?,
            event_types: EventTypes::of(options.event_types, options.subtract),
            items: options.items,
            range,
            by: options.by,
            statistics,
        })
    }

    /// Returns what to say about the time range, where it was not given as full hours.
    pub fn notes(&self) -> &[String] {
        &self.range.notes
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
        let mut found = match self.range.precision {
            Precision::Hours => counts::by_hour(store, &counted, &asked)?,
            _ => counts::by_exact_times(store, &counted, &self.range.times, &asked)?,
        };
        // Who is asked for twice is told of once, where first asked for.
        let found: Vec<(&str, ByHour)> =
            asked.into_iter().filter_map(|item| found.remove(item).map(|by_hour| (item, by_hour))).collect();
        self.answer_of(&found, take)
    }

    /// Returns how many numbers of rows an answer has at most: one for each item, or for each of its buckets.
    pub fn rows(&self) -> u64 {
        let hours = u64::from(self.range.hours.end.number().abs_diff(self.range.hours.start.number()));
        let buckets = match self.by {
            None => 1,
            Some(By::Hour) => hours,
            Some(By::Day) => hours / 24 + 2,
            Some(By::Weekday) => 7,
        };
        buckets.saturating_mul(self.items.len() as u64)
    }

    /// Returns whether all of it are whole hours.
    pub fn has_whole_hours(&self) -> bool {
        counts::has_whole_hours(&self.range.times)
    }

    /// Returns the time range.
    pub fn times(&self) -> &Range<Timestamp> {
        &self.range.times
    }

    /// Returns what is to be counted in the lake alone, in all hours that the time range touches.
    pub fn query(&self) -> CountQuery<'_> {
        CountQuery {
            event_types: &self.event_types,
            hours: self.range.hours.clone(),
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
        let (range, statistics) = (&self.range, &self.statistics[..]);
        let counts = Counts { counted: &counted, range, items: found, by: self.by, statistics };
        Ok(take(counts.answer()?))
    }
}
