//! Which hours to sum anew: those whose events changed since the version covered last.

use std::collections::{BTreeMap, BTreeSet};

use crate::delta::{Change, LiveFile, NamedFile, Partition, Version};
use crate::lake::{HourPartition, Lake, columns_to_aggregate};
use crate::model::{Date, Hour};
use crate::parquet_format::EventColumns;
use crate::rollup::RollupError;
use crate::rollup::read::{Place, place_of};

/// How much to sum anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What changed since last time.
    Changed,
    /// Everything, from the ground.
    All,
}

/// The days to sum anew, and the version that they will then be true for.
pub struct Plan {
    /// The version of `events` that the rollups will cover.
    pub covers: u64,
    /// The name that version is recorded under.
    pub(super) app_id: String,
    pub(super) days: Vec<DayPlan>,
    pub(super) is_current: bool,
}

/// The hours of one day and event type to sum anew, and all there is of that day.
pub(super) struct DayPlan {
    pub event_type: String,
    pub date: Date,
    /// The hours whose events changed.
    pub hours: BTreeSet<Hour>,
    pub events: Vec<HourFile>,
    pub standing: Vec<(Place, LiveFile)>,
    /// The standing files go whatever they hold.
    pub from_ground: bool,
    /// The hours whose events changed since what stands was aggregated: aggregates of all others must be what they
    /// were. None where that is not known, or not asked.
    pub changed: Option<BTreeSet<Hour>>,
}

/// A file of the `events` table.
#[derive(Clone)]
pub(super) struct HourFile {
    pub partition: HourPartition,
    pub file: NamedFile,
}

impl HourFile {
    /// Tells whether any event of the file has an id, as far as the log knows.
    pub fn has_ids(&self) -> bool {
        columns_to_aggregate(&self.file) == EventColumns::All
    }

    /// Tells whether an id may be in both files, by the ranges that the log knows.
    pub fn may_share_ids_with(&self, other: &HourFile) -> bool {
        let first = |of: &HourFile| of.file.min_values["event_id"].as_str().map(str::to_owned);
        let last = |of: &HourFile| of.file.max_values["event_id"].as_str().map(str::to_owned);
        let ends_before = |a: &HourFile, b: &HourFile| match (last(a), first(b)) {
            (Some(last), Some(first)) => last < first,
            _ => false,
        };
        other.has_ids() && !ends_before(self, other) && !ends_before(other, self)
    }
}

impl DayPlan {
    /// Returns how many event rows the planned hours have.
    pub fn rows(&self) -> u64 {
        let files = self.events.iter().filter(|file| self.hours.contains(&file.partition.hour));
        files.map(|of| of.file.rows).sum()
    }
}

impl Plan {
    /// Tells whether the rollups are up to date as they are.
    pub fn is_nothing(&self) -> bool {
        self.is_current
    }

    /// Returns how many event rows will be read.
    pub fn rows(&self) -> u64 {
        self.days.iter().map(DayPlan::rows).sum()
    }

    /// Returns how many hours will be re-aggregated.
    pub fn hours(&self) -> u64 {
        self.days.iter().map(|day| day.hours.len() as u64).sum()
    }
}

/// Decides what to sum anew; writes nothing.
///
/// # Errors
/// Fails where a table's log cannot be read.
pub fn plan(lake: &Lake, rollups: &Version<'_>, scope: Scope) -> Result<Plan, RollupError> {
    plan_on(lake, Some(rollups), scope)
}

/// Decides the same where there may be no aggregates yet.
pub(super) fn plan_on(lake: &Lake, rollups: Option<&Version<'_>>, scope: Scope) -> Result<Plan, RollupError> {
    let events = lake.events().newest()?;
    let covers = events.number();
    // A lake begun anew has other versions, which must not be taken for the old lake's.
    let app_id = app_id(events.table_id());
    let covered = rollups.map(|rollups| rollups.transaction(&app_id)).transpose()?.flatten();
    let covered = covered.and_then(|version| u64::try_from(version).ok());
    let changed = match (scope, covered) {
        (Scope::Changed, Some(covered)) if covered == covers => {
            return Ok(Plan { covers, app_id, days: Vec::new(), is_current: true });
        }
        (Scope::Changed, Some(covered)) if covered < covers => {
            match lake.events().changes(covered, covers)? {
                // A commit by another program may name no partition; then anything may have changed.
                Change::Partitions { added, removed } => touched(&added, &removed),
                Change::Unknown => None,
            }
        }
        // Everything is asked for, or the events are older than the aggregates: someone brought back a copy.
        _ => None,
    };
    let since = match (scope, covered) {
        (Scope::All, Some(covered)) if covered == covers => Some(Touched::default()),
        (Scope::All, Some(covered)) if covered < covers => match lake.events().changes(covered, covers)? {
            Change::Partitions { added, removed } => touched(&added, &removed),
            Change::Unknown => None,
        },
        _ => None,
    };
    let days = days(&events, rollups, changed.as_ref(), since.as_ref())?;
    Ok(Plan { covers, app_id, days, is_current: false })
}

/// Returns the name under which the version of `events` is recorded that the rollups cover.
pub(super) fn app_id(events_id: &str) -> String {
    format!("rollup:{events_id}")
}

/// Hours by event type whose events changed, and days that lost some.
#[derive(Default)]
struct Touched {
    hours: BTreeSet<(String, Hour)>,
    /// An event that went may have kept another version of its id from counting, in any hour of
    /// its day, and nothing is left to tell which.
    days: BTreeSet<(String, Date)>,
}

fn touched(added: &BTreeSet<Partition>, removed: &BTreeSet<Partition>) -> Option<Touched> {
    let mut touched = Touched::default();
    for partition in added.iter().chain(removed) {
        let partition = HourPartition::of(partition)?;
        touched.hours.insert((partition.event_type, partition.hour));
    }
    for partition in removed {
        let partition = HourPartition::of(partition)?;
        touched.days.insert((partition.event_type, partition.hour.date()));
    }
    Some(touched)
}

/// Returns the days of the touched hours; of all hours that either table has where `touched` is
/// not known. What changed `since` need not be as it stood.
fn days(
    events: &Version<'_>,
    rollups: Option<&Version<'_>>,
    touched: Option<&Touched>,
    since: Option<&Touched>,
) -> Result<Vec<DayPlan>, RollupError> {
    let changed = |key: &(String, Date)| {
        let since = since.filter(|since| !since.days.contains(key))?;
        let of_day =
            since.hours.iter().filter(|(event_type, hour)| *event_type == key.0 && hour.date() == key.1);
        Some(of_day.map(|(_, hour)| *hour).collect())
    };
    let mut days: BTreeMap<(String, Date), DayPlan> = BTreeMap::new();
    let day_of = |key: &(String, Date)| DayPlan {
        event_type: key.0.clone(),
        date: key.1,
        hours: BTreeSet::new(),
        events: Vec::new(),
        standing: Vec::new(),
        from_ground: touched.is_none(),
        changed: changed(key),
    };
    for (event_type, hour) in touched.into_iter().flat_map(|touched| &touched.hours) {
        let key = (event_type.clone(), hour.date());
        days.entry(key.clone()).or_insert_with(|| day_of(&key)).hours.insert(*hour);
    }
    let is_whole = |key: &(String, Date)| touched.is_none_or(|touched| touched.days.contains(key));
    for file in events.files()? {
        let partition = HourPartition::of(&file.partition)
            .ok_or_else(|| RollupError::BadPartition { file: file.path.clone() })?;
        let key = (partition.event_type.clone(), partition.hour.date());
        if touched.is_none() {
            days.entry(key.clone()).or_insert_with(|| day_of(&key));
        }
        let Some(day) = days.get_mut(&key) else { continue };
        if is_whole(&key) {
            day.hours.insert(partition.hour);
        }
        day.events.push(HourFile { partition, file: file.into() });
    }
    for file in rollups.map(Version::files).transpose()?.into_iter().flatten() {
        let place = place_of(&file)?;
        let key = (place.event_type.clone(), place.date);
        if touched.is_none() {
            days.entry(key.clone()).or_insert_with(|| day_of(&key));
        }
        if let Some(day) = days.get_mut(&key) {
            day.standing.push((place, file));
        }
    }
    Ok(days.into_values().collect())
}
