//! What is to be counted: the options of `topsell count`, and the parameters of `/v1/count`.
//!
//! Invariant: both are read by the same rules, so that the same options get the same answer.

use std::ops::Range;
use std::sync::Arc;

use crate::answers::counts::{Counting, Counts};
use crate::answers::statistics::Statistic;
use crate::answers::time_range::{Precision, TimeRange, TimeRangeOptions, category_of};
use crate::answers::top::best_items;
use crate::formats::Answer;
use crate::text::BadOption;
use topsell_core::counts::{self, By, ByHour, CountQuery, TopQuery};
use topsell_core::lake::UncommittedBatch;
use topsell_core::model::{EventTypes, Timestamp};
use topsell_core::rank::{CategoryRanking, Measure};
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
    /// Whether all items are counted together.
    pub all: bool,
    /// Of how many items to list the counts beside the total.
    pub top: Option<usize>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    #[error("no event was ever in the category `{category}`")]
    UnknownCategory { category: String },
    #[error(transparent)]
    Rollup(#[from] RollupError),
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
    all: bool,
    top: Option<usize>,
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
            all: options.all,
            top: options.top,
        })
    }

    /// Returns what to say about the time range, where it was not given as full hours.
    pub fn notes(&self) -> &[String] {
        &self.range.notes
    }

    /// Counts in the lake and in what is not in it yet, or all items together, and passes the answer to `take`.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, or the item whose numbers do not fit.
    pub fn answer<T>(
        &self,
        store: &Store,
        uncommitted: &[Arc<UncommittedBatch>],
        take: impl FnOnce(Answer<'_>) -> T,
    ) -> Result<T, CountError> {
        let counted = CountQuery { uncommitted, ..self.query() };
        if self.all {
            return self.answer_total(store, &counted, take);
        }
        let asked: Vec<&str> = self.items.iter().map(String::as_str).collect();
        let mut found = match self.range.precision {
            Precision::Hours => counts::by_hour(store, &counted, &asked)?,
            _ => counts::by_exact_times(store, &counted, &self.range.times, &asked)?,
        };
        // Who is asked for twice is told of once, where first asked for.
        let found: Vec<(&str, ByHour)> =
            asked.into_iter().filter_map(|item| found.remove(item).map(|by_hour| (item, by_hour))).collect();
        let has_any = found.iter().any(|(_, by_hour)| !by_hour.is_empty());
        let notes = if has_any { Vec::new() } else { self.notes_on_nothing(store, &counted)? };
        Ok(self.answer_with(&found, &notes, take)?)
    }

    fn answer_total<T>(
        &self,
        store: &Store,
        counted: &CountQuery<'_>,
        take: impl FnOnce(Answer<'_>) -> T,
    ) -> Result<T, CountError> {
        let total = counts::total_by_hour(store, counted, &self.range.times)?;
        let notes = if total.is_empty() { self.notes_on_nothing(store, counted)? } else { Vec::new() };
        let top = self.top.map(|limit| self.top_items(store, counted, limit)).transpose()?;
        let top = top.map(|found| best_items(counted.category, found.as_ref()));
        let all = [(counted.category.unwrap_or("of the whole shop"), total)];
        Ok(take(self.counts(counted, &all, Counting::All).answer(&notes, top)?))
    }

    /// Returns the items that sold most units; none where nothing was sold.
    fn top_items(
        &self,
        store: &Store,
        counted: &CountQuery<'_>,
        limit: usize,
    ) -> Result<Option<CategoryRanking>, RollupError> {
        let query = TopQuery {
            event_types: &self.event_types,
            times: self.range.times.clone(),
            measure: Measure::Units,
            limit,
            category: counted.category,
            uncommitted: counted.uncommitted,
        };
        counts::top(store, &query)
    }

    /// Returns what to say where nothing was counted.
    fn notes_on_nothing(&self, store: &Store, counted: &CountQuery<'_>) -> Result<Vec<String>, CountError> {
        let known = counts::known_events(store, counted)?;
        if !known.has_category {
            let category = counted.category.unwrap_or_default().to_owned();
            return Err(CountError::UnknownCategory { category });
        }
        Ok(match known.first {
            Some(first) if first >= self.range.hours.end => {
                vec![format!("the lake has no events of that time: the first are of {}", first.start())]
            }
            Some(_) => Vec::new(),
            None => vec!["the lake has no such events at any time".to_owned()],
        })
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
        buckets.saturating_mul(self.items.len().max(1) as u64)
    }

    /// Returns whether all items are counted together.
    pub fn is_of_all(&self) -> bool {
        self.all
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
        self.answer_with(found, &[], take)
    }

    fn answer_with<T>(
        &self,
        found: &[(&str, ByHour)],
        notes: &[String],
        take: impl FnOnce(Answer<'_>) -> T,
    ) -> Result<T, RollupError> {
        let counted = self.query();
        Ok(take(self.counts(&counted, found, Counting::Items).answer(notes, None)?))
    }

    fn counts<'a>(
        &'a self,
        counted: &'a CountQuery<'a>,
        items: &'a [(&'a str, ByHour)],
        counting: Counting,
    ) -> Counts<'a> {
        let (range, statistics) = (&self.range, &self.statistics[..]);
        Counts { counted, range, items, by: self.by, statistics, counting }
    }
}
