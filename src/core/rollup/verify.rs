//! The stored aggregates verified: compared with what the events add up to.
//!
//! Invariant: nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rayon::prelude::*;

use crate::lake::Lake;
use crate::model::{AggregateRows, Date};
use crate::progress::Progress;
use crate::rollup::aggregate::aggregate_category;
use crate::rollup::changes::DayKey;
use crate::rollup::dedup::dedup;
use crate::rollup::error::RollupError;
use crate::rollup::plan::{DayPlan, Scope, plan};
use crate::rollup::table::Rollups;

/// A comparison of the stored aggregates with what the events add up to, day by day.
pub struct Verification<'a> {
    lake: &'a Lake,
    /// None where nothing was ever aggregated.
    rollups: Option<Rollups>,
    days: BTreeMap<DayKey, DayPlan>,
    /// Days whose events have changed since the last rollup.
    changed: BTreeSet<DayKey>,
}

/// A day of an event type and top-level category whose aggregates are not what its events add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferingDay {
    pub event_type: String,
    pub category: Option<String>,
    pub date: Date,
}

impl fmt::Display for DifferingDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let category = self.category.as_deref().unwrap_or("no category");
        write!(f, "{} of {category} on {}", self.event_type, self.date)
    }
}

impl<'a> Verification<'a> {
    /// Decides which days can be compared.
    ///
    /// # Errors
    /// Fails where a table's log cannot be read.
    pub fn of(lake: &'a Lake) -> Result<Verification<'a>, RollupError> {
        let rollups = Rollups::open(lake.store())?;
        let newest = rollups.as_ref().map(|rollups| rollups.table.newest()).transpose()?;
        let none = BTreeSet::new();
        let all = match &newest {
            Some(newest) => plan(lake, Some(newest), Scope::All, &none)?.days,
            None => Vec::new(),
        };
        // After the other plan, so that a batch that was committed in between is one of the changes.
        let changed = plan(lake, newest.as_ref(), Scope::Changed, &none)?.days;
        let key = |day: &DayPlan| (day.event_type.clone(), day.date);
        Ok(Verification {
            lake,
            changed: changed.iter().map(key).collect(),
            days: all.into_iter().map(|day| (key(&day), day)).collect(),
            rollups,
        })
    }

    /// Returns the days of an event type that have events or aggregates.
    pub fn days(&self) -> impl Iterator<Item = &DayKey> {
        self.days.keys().chain(self.changed.iter().filter(|day| !self.days.contains_key(day)))
    }

    /// Returns whether a day's events have changed since the last rollup, so that it cannot be compared.
    pub fn has_changed(&self, day: &DayKey) -> bool {
        self.changed.contains(day)
    }

    /// Returns how many rows of events will be read for a day.
    pub fn rows(&self, day: &DayKey) -> u64 {
        self.days.get(day).map_or(0, DayPlan::rows)
    }

    /// Recomputes a day's aggregates from raw events, and returns how many categories it has, and those whose
    /// stored aggregates are others.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn compare(
        &self,
        day: &DayKey,
        progress: &Progress,
    ) -> Result<(u64, Vec<DifferingDay>), RollupError> {
        let Some((plan, rollups)) = self.days.get(day).zip(self.rollups.as_ref()) else {
            return Ok((0, Vec::new()));
        };
        let day = dedup(self.lake, plan)?;
        let categories: Vec<&Option<String>> = day.categories().into_iter().collect();
        let count = categories.len() as u64;
        let differing: Result<Vec<Option<DifferingDay>>, RollupError> = categories
            .into_par_iter()
            .map(|category| {
                let (aggregates, _) = aggregate_category(self.lake, &day, category, progress)?;
                let mut stored = AggregateRows::default();
                for file in day.stored_files(category) {
                    rollups.read_file(&file, &mut stored)?;
                }
                let day = || DifferingDay {
                    event_type: plan.event_type.clone(),
                    category: category.clone(),
                    date: plan.date,
                };
                Ok((!stored.is_same_as(&aggregates)).then(day))
            })
            .collect();
        Ok((count, differing?.into_iter().flatten().collect()))
    }
}
