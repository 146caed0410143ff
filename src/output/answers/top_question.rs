//! What sold most: the options of `topsell top`, and the parameters of `/v1/top`.
//!
//! Invariant: both are read by the same rules, so that the same options get the same answer.

use std::ops::Range;
use std::sync::Arc;

use crate::answers::ranking_rules::{
    RANKING_HALF_LIFE, RANKING_MAX_LOOKBACK, RANKING_MIN_ITEMS, RANKING_WINDOW, RankingRules, half_life,
};
use crate::answers::rising::rising_items;
use crate::answers::time_range::{Precision, TimeRange, TimeRangeOptions, category_of};
use crate::answers::top::{decayed_items, top_items};
use crate::formats::Answer;
use crate::text::BadOption;
use topsell_core::counts::{
    DecayedQuery, RisingQuery, TopQuery, decayed_top, hours_before, longest_window, rising, top, top_of_rows,
};
use topsell_core::lake::UncommittedBatch;
use topsell_core::model::{
    AggregateOverflow, AggregateRows, Date, Decay, EventTypes, Hour, Timestamp, Window, Zone,
};
use topsell_core::rank::{CategoryRanking, LiveRules, Measure, Rules};
use topsell_core::rollup::RollupError;
use topsell_core::storage::Store;

/// How many items are listed where nothing else is asked for.
pub const TOP_LIMIT: usize = 10;
/// How much of the measure an item that rises has at least where nothing else is asked for.
pub const RISING_MIN: u32 = 20;
/// The longest time that is compared.
const MAX_RISING_HOURS: u32 = 100 * 366 * 24;

/// The options of a question.
#[derive(Clone, Debug, Default)]
pub struct TopOptions {
    pub range: TimeRangeOptions,
    /// Whether the time range is to the microsecond.
    pub exact_times: bool,
    pub event_types: Vec<String>,
    pub subtract: Vec<String>,
    pub category: Option<String>,
    /// The name of what items are ordered by; units for none.
    pub measure: Option<String>,
    pub limit: Option<usize>,
    pub kind: TopKind,
}

/// By what items are ordered.
#[derive(Clone, Debug, Default)]
pub enum TopKind {
    /// The measure in the hours.
    #[default]
    Sum,
    /// How much more that is than in the time before.
    Rising { min: u32 },
    /// The score of a ranking as of the moment, instead of the hours.
    Decayed(DecayOptions),
}

/// The options of a decayed list.
#[derive(Clone, Debug)]
pub struct DecayOptions {
    pub window: String,
    pub half_life: String,
    /// A rate an hour, instead of the half-life.
    pub rate: Option<f64>,
    pub min_items: u64,
    pub max_lookback: String,
}

/// What is to be listed.
#[derive(Clone, Debug)]
pub struct TopQuestion {
    event_types: EventTypes,
    range: TimeRange,
    category: Option<String>,
    measure: Measure,
    limit: usize,
    list: List,
}

#[derive(Clone, Debug)]
enum List {
    Sum,
    Rising { min: u32 },
    Decayed(Box<Rules>),
}

impl Default for DecayOptions {
    fn default() -> DecayOptions {
        DecayOptions {
            window: RANKING_WINDOW.to_owned(),
            half_life: RANKING_HALF_LIFE.to_owned(),
            rate: None,
            min_items: RANKING_MIN_ITEMS,
            max_lookback: RANKING_MAX_LOOKBACK.to_owned(),
        }
    }
}

impl DecayOptions {
    /// Checks the options where no list is asked for yet.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, prefix: &'static str) -> Result<(), BadOption> {
        let at = Hour::of(Date::new(20_000), 0).start();
        let range = TimeRange::of_hours(at.hour()..at.hour().plus(1), at, Zone::utc(), Vec::new());
        self.rules(prefix, (Measure::Units, 1), &range).map(drop)
    }

    fn rules(
        &self,
        prefix: &'static str,
        (measure, limit): (Measure, usize),
        range: &TimeRange,
    ) -> Result<Rules, BadOption> {
        let bad_rate = |rate: f64, e| BadOption::new(format!("{prefix}decay: {rate:?} {e}"));
        let decay = match self.rate {
            Some(rate) => Decay::rate_per_hour(rate).map_err(|e| bad_rate(rate, e))?,
            None => half_life(prefix, &self.half_life)?,
        };
        let rules = RankingRules {
            prefix,
            moment: "at",
            window: &self.window,
            decay,
            decay_option: if self.rate.is_some() { "decay" } else { "half-life" },
            measure,
            limit,
            min_items: self.min_items,
            max_lookback: &self.max_lookback,
        };
        rules.read(range.at, range.zone.clone())
    }
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
        let measure = Measure::named(measure).ok_or_else(bad_measure)?;
        let limit = options.limit.unwrap_or(TOP_LIMIT);
        if limit == 0 {
            return Err(BadOption::new(format!("{prefix}limit must be at least 1")));
        }
        let mut range = options.range.read(now, options.exact_times)?;
        let list = match &options.kind {
            TopKind::Sum => List::Sum,
            TopKind::Rising { min } => {
                check_rising(prefix, &range)?;
                List::Rising { min: *min }
            }
            TopKind::Decayed(decay) => {
                if let Some(other) = options.range.hours_option() {
                    let what = format!("{prefix}decay and {prefix}{other} cannot be used together");
                    return Err(BadOption::new(format!("{what}; pass {prefix}window")));
                }
                if options.exact_times {
                    return Err(BadOption::new(format!(
                        "{prefix}decay is of whole hours, not of exact times"
                    )));
                }
                let rules = decay.rules(prefix, (measure, limit), &range)?;
                let hours = rules.window.oldest()..rules.window.as_of();
                range = TimeRange::of_hours(hours, range.at, range.zone, range.notes);
                List::Decayed(Box::new(rules))
            }
        };
        Ok(TopQuestion {
            measure,
            category: options.category.as_deref().map(|path| category_of(prefix, path)).transpose()?,
            range,
            event_types: EventTypes::of(options.event_types, options.subtract),
            limit,
            list,
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
        let (event_types, category) = (&self.event_types, self.category.as_deref());
        let (hours, measure, limit) = (self.range.hours.clone(), self.measure, self.limit);
        match &self.list {
            List::Sum => {
                let times = self.range.times.clone();
                let query = TopQuery { event_types, times, measure, limit, category, uncommitted };
                let found = top(store, &query)?;
                Ok(take(top_items(&query, &self.range, found.as_ref())))
            }
            List::Rising { min } => {
                let least = i64::from(*min) * measure.unit().cast_signed();
                let query =
                    RisingQuery { event_types, hours, measure, min: least, limit, category, uncommitted };
                let found = rising(store, &query)?;
                Ok(take(rising_items(&query, *min, &self.range, &found)))
            }
            List::Decayed(rules) => {
                let query = DecayedQuery { rules, event_types, category, uncommitted };
                let found = decayed_top(store, &query)?;
                Ok(take(decayed_items(&query, &self.range, found.as_ref())))
            }
        }
    }

    /// Returns by what rules the items of a list of whole hours are scored that may be kept in memory; none for others.
    pub fn live_rules(&self) -> Option<LiveRules> {
        let Range { start, end } = &self.range.hours;
        let measure = self.measure;
        match &self.list {
            List::Sum if self.range.precision == Precision::Hours => {
                let window = Window::ending(*end, end.number().abs_diff(start.number()));
                Some(LiveRules { window, decay: Decay::None, measure })
            }
            List::Decayed(rules) => Some(LiveRules { window: rules.window, decay: rules.decay, measure }),
            List::Sum | List::Rising { .. } => None,
        }
    }

    /// Returns the event types that are counted.
    pub fn event_types(&self) -> &EventTypes {
        &self.event_types
    }

    /// Returns the category; none for the shop.
    pub fn category(&self) -> Option<&str> {
        self.category.as_deref()
    }

    /// Passes the answer to `take` where the ranking by [`TopQuestion::live_rules`] is all of it; none where the window
    /// has to be extended.
    pub fn answer_by<T>(&self, found: &CategoryRanking, take: impl FnOnce(Answer<'_>) -> T) -> Option<T> {
        let (event_types, category) = (&self.event_types, self.category());
        let (measure, limit) = (self.measure, self.limit);
        let found_any = Some(found).filter(|found| found.eligible_items > 0);
        match &self.list {
            List::Sum => {
                let times = self.range.times.clone();
                let query = TopQuery { event_types, times, measure, limit, category, uncommitted: &[] };
                Some(take(top_items(&query, &self.range, found_any)))
            }
            List::Decayed(rules) => {
                if found.eligible_items < rules.min_items && longest_window(rules) != rules.window {
                    return None;
                }
                let query = DecayedQuery { rules, event_types, category, uncommitted: &[] };
                Some(take(decayed_items(&query, &self.range, found_any)))
            }
            List::Rising { .. } => None,
        }
    }

    /// Returns the time range of a list that is not of whole hours; none for others.
    pub fn minutes(&self) -> Option<&Range<Timestamp>> {
        let has_minutes = matches!(self.list, List::Sum) && self.range.precision != Precision::Hours;
        has_minutes.then_some(&self.range.times)
    }

    /// Passes the answer to `take`, given all rows of the category in [`TopQuestion::minutes`].
    ///
    /// # Errors
    /// Names the item whose numbers do not fit.
    pub fn answer_by_rows<T>(
        &self,
        rows: &AggregateRows,
        take: impl FnOnce(Answer<'_>) -> T,
    ) -> Result<T, AggregateOverflow> {
        let (event_types, category, times) = (&self.event_types, self.category(), self.range.times.clone());
        let (measure, limit) = (self.measure, self.limit);
        let query = TopQuery { event_types, times, measure, limit, category, uncommitted: &[] };
        let found = top_of_rows(rows, &query)?;
        Ok(take(top_items(&query, &self.range, found.as_ref())))
    }

    /// Returns what to say about the time range, where it was not given as full hours.
    pub fn notes(&self) -> &[String] {
        &self.range.notes
    }

    /// Returns how many hours are read; a decayed list of a category with few items may need as many as
    /// [`TopQuestion::longest_hours`].
    pub fn hours(&self) -> u32 {
        let hours = self.range.hours.end.number().abs_diff(self.range.hours.start.number());
        match &self.list {
            List::Rising { .. } => {
                let before = hours_before(&self.range.hours);
                hours.saturating_add(before.end.number().abs_diff(before.start.number()))
            }
            List::Sum | List::Decayed(_) => hours,
        }
    }

    /// Returns how many hours are read at most.
    pub fn longest_hours(&self) -> u32 {
        match &self.list {
            List::Decayed(rules) => longest_window(rules).hours(),
            List::Sum | List::Rising { .. } => self.hours(),
        }
    }

    /// Returns whether it is a decayed list, which takes longer than others.
    pub fn is_decayed(&self) -> bool {
        matches!(self.list, List::Decayed(_))
    }

    /// Returns how many items are listed at most.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns a text that two questions share only if they have the same answer by the same lake.
    pub fn key(&self) -> String {
        let TopQuestion { event_types, range, category, measure, limit, list } = self;
        let list = match list {
            List::Sum => "sum".to_owned(),
            List::Rising { min } => format!("rising {min}"),
            List::Decayed(rules) => {
                let Rules { window, decay, min_items, max_lookback_hours, .. } = rules.as_ref();
                format!("decayed {window:?} {decay:?} {min_items} {max_lookback_hours}")
            }
        };
        let (from, to) = (range.times.start.micros(), range.times.end.micros());
        let (precision, is_filling) = (range.precision, range.is_filling());
        format!(
            "{from}..{to} {precision:?} {is_filling} {event_types:?} {category:?} {measure:?} {limit} {list}"
        )
    }
}

fn check_rising(prefix: &str, range: &TimeRange) -> Result<(), BadOption> {
    if range.precision != Precision::Hours {
        return Err(BadOption::new(format!(
            "{prefix}rising compares whole hours, not minutes or exact times; pass {prefix}last in hours, such as 1h"
        )));
    }
    let before = hours_before(&range.hours);
    if before.start.number().abs_diff(range.hours.end.number()) > MAX_RISING_HOURS {
        return Err(BadOption::new(format!(
            "{prefix}rising compares 8 times the hours, more than 100 years"
        )));
    }
    let first = Timestamp::from_micros(before.start.start().micros());
    let begins_early =
        |_| BadOption::new(format!("{prefix}rising: the time before begins before the year 1"));
    first.map(drop).map_err(begins_early)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_minutes_is_another_after_its_minute() {
        let key = |last: &str, now: &str| {
            let range = TimeRangeOptions {
                last: Some(last.to_owned()),
                zone: "UTC".to_owned(),
                ..Default::default()
            };
            let options = TopOptions { range, ..TopOptions::default() };
            let now = Timestamp::parse(&format!("2017-01-14T{now}Z")).expect("a moment");
            TopQuestion::of(options, now).expect("it can be asked").key()
        };
        for last in ["1min", "10min", "60min"] {
            assert_eq!(key(last, "12:05:00"), key(last, "12:05:59.999999"), "{last}");
            assert_ne!(key(last, "12:05:59.999999"), key(last, "12:06:00"), "{last}");
        }
        assert_eq!(key("1h", "12:05:00"), key("1h", "12:59:59.999999"));
        // Of the same time, but its ends have other names.
        assert_ne!(key("60min", "12:59:00"), key("1h", "12:59:00"));
    }
}
