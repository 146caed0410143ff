//! What sold most: the options of `topsell top`, and the parameters of `/v1/top`.
//!
//! Invariant: both are read by the same rules, so that the same options get the same answer.

use std::sync::Arc;

use crate::answers::time_range::{TimeRange, TimeRangeOptions, category_of};
use crate::answers::top::top_items;
use crate::formats::Answer;
use crate::text::BadOption;
use topsell_core::counts::{TopQuery, top};
use topsell_core::lake::UncommittedBatch;
use topsell_core::model::{EventTypes, Timestamp};
use topsell_core::rank::Measure;
use topsell_core::rollup::RollupError;
use topsell_core::storage::Store;

/// How many items are listed where nothing else is asked for.
pub const TOP_LIMIT: usize = 10;

/// The options of a question.
#[derive(Clone, Debug, Default)]
pub struct TopOptions {
    pub range: TimeRangeOptions,
    pub event_types: Vec<String>,
    pub subtract: Vec<String>,
    pub category: Option<String>,
    /// The name of what items are ordered by; units for none.
    pub measure: Option<String>,
    pub limit: Option<usize>,
}

/// What is to be listed.
#[derive(Clone, Debug)]
pub struct TopQuestion {
    event_types: EventTypes,
    range: TimeRange,
    category: Option<String>,
    measure: Measure,
    limit: usize,
}

impl TopQuestion {
    /// Reads a question that is asked at `now`.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn of(options: TopOptions, now: Timestamp) -> Result<TopQuestion, BadOption> {
        let prefix = options.range.prefix;
        let measure = options.measure.as_deref().unwrap_or(Measure::Units.name());
        let bad_measure =
            || BadOption::new(format!("{prefix}measure `{measure}` is not units, purchases or amount"));
        let limit = options.limit.unwrap_or(TOP_LIMIT);
        if limit == 0 {
            return Err(BadOption::new(format!("{prefix}limit must be at least 1")));
        }
        Ok(TopQuestion {
            measure: Measure::named(measure).ok_or_else(bad_measure)?,
            category: options.category.as_deref().map(|path| category_of(prefix, path)).transpose()?,
            range: options.range.read(now)?,
            event_types: EventTypes::of(options.event_types, options.subtract),
            limit,
        })
    }

    /// Adds up what is in the lake and what is not in it yet, and passes the answer to `take`.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, or the item whose numbers do not fit.
    pub fn answer<T>(
        &self,
        store: &Store,
        uncommitted: &[Arc<UncommittedBatch>],
        take: impl FnOnce(Answer<'_>) -> T,
    ) -> Result<T, RollupError> {
        let query = TopQuery {
            event_types: &self.event_types,
            hours: self.range.hours.clone(),
            measure: self.measure,
            limit: self.limit,
            category: self.category.as_deref(),
            uncommitted,
        };
        let found = top(store, &query)?;
        Ok(take(top_items(&query, &self.range, found.as_ref())))
    }

    /// Returns what to say about the time range, where it was not given as full hours.
    pub fn notes(&self) -> &[String] {
        &self.range.notes
    }

    /// Returns how many hours are added up.
    pub fn hours(&self) -> u32 {
        self.range.hours.end.number().abs_diff(self.range.hours.start.number())
    }

    /// Returns how many items are listed at most.
    pub fn limit(&self) -> usize {
        self.limit
    }
}
