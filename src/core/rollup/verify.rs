//! The stored aggregates verified: compared with what the events add up to.
//!
//! Invariant: nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rayon::prelude::*;

use crate::lake::{Lake, LakeScope};
use crate::model::{AggregateRow, AggregateRows, Date, Shard, category_of_set};
use crate::progress::Progress;
use crate::rollup::aggregate::aggregate_shard;
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
    /// Decides which days of a part of a lake can be compared; more may be than those.
    ///
    /// # Errors
    /// Fails where a table's log cannot be read.
    pub fn of(lake: &'a Lake, scope: LakeScope) -> Result<Verification<'a>, RollupError> {
        let rollups = Rollups::open(lake.store())?;
        let newest = rollups.as_ref().map(|rollups| rollups.table.newest()).transpose()?;
        let none = BTreeSet::new();
        let all = match &newest {
            Some(newest) => plan(lake, Some(newest), Scope::Recomputed(scope), &none, &[])?.days,
            None => Vec::new(),
        };
        // After the other plan, so that a batch that was committed in between is one of the changes.
        let changed = plan(lake, newest.as_ref(), Scope::Changed, &none, &[])?.days;
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
        let shards: Vec<Shard> = day.shards().into_iter().collect();
        let compared = shards
            .into_par_iter()
            .map(|shard| {
                let (aggregates, _) = aggregate_shard(self.lake, &day, shard, progress)?;
                let stored = rollups.read_shard(&day.stored_files(shard), shard)?;
                Ok(differing_categories(&stored, &aggregates))
            })
            .collect::<Result<Vec<_>, RollupError>>()?;
        let count = compared.iter().map(|(categories, _)| categories).sum();
        let differing = compared.into_iter().flat_map(|(_, differing)| differing);
        let day_of =
            |category| DifferingDay { event_type: plan.event_type.clone(), category, date: plan.date };
        Ok((count, differing.map(day_of).collect()))
    }
}

/// Returns how many categories some aggregates are of, and in which of them both differ.
fn differing_categories(stored: &AggregateRows, recomputed: &AggregateRows) -> (u64, Vec<Option<String>>) {
    if stored.is_same_as(recomputed) {
        let sets: BTreeSet<u32> = recomputed.rows.iter().map(|row| row.path_set).collect();
        let names = sets.into_iter().map(|set| category_of_set(recomputed.path_sets.name(set)));
        return (names.collect::<BTreeSet<_>>().len() as u64, Vec::new());
    }
    let (stored, recomputed) = (by_category(stored), by_category(recomputed));
    let all: BTreeSet<&Option<String>> = stored.keys().chain(recomputed.keys()).collect();
    let none = AggregateRows::default();
    let are_same = |category: &Option<String>| {
        let recomputed = recomputed.get(category).unwrap_or(&none);
        stored.get(category).unwrap_or(&none).is_same_as(recomputed)
    };
    let differing = all.iter().filter(|category| !are_same(category));
    (all.len() as u64, differing.map(|&category| category.clone()).collect())
}

/// Returns the rows of each category.
fn by_category(rows: &AggregateRows) -> BTreeMap<Option<String>, AggregateRows> {
    let category_of = |set: &str| category_of_set(set).map(str::to_owned);
    let of_sets: Vec<Option<String>> = rows.path_sets.iter().map(category_of).collect();
    let mut split: BTreeMap<Option<String>, AggregateRows> = BTreeMap::new();
    let mut sorted = rows.rows.clone();
    sorted.sort_by_key(|row| &of_sets[row.path_set as usize]);
    for of_category in sorted.chunk_by(|a, b| of_sets[a.path_set as usize] == of_sets[b.path_set as usize]) {
        let into = split.entry(of_sets[of_category[0].path_set as usize].clone()).or_default();
        for row in of_category {
            let item = into.items.code(rows.items.name(row.item));
            let path_set = into.path_sets.code(rows.path_sets.name(row.path_set));
            into.rows.push(AggregateRow { item, path_set, ..*row });
        }
    }
    split
}
