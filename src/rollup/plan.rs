//! Which hours to sum anew: those whose events changed since the version covered last.

use std::collections::{BTreeMap, BTreeSet};

use crate::lake::{HourPartition, Lake};
use crate::rollup::RollupError;
use crate::table::{Change, LiveFile, Version};
use crate::time::{Date, Hour};

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

/// The hours of one day and event type to sum anew.
pub(super) struct DayPlan {
    pub event_type: String,
    pub date: Date,
    pub hours: BTreeSet<Hour>,
    /// The files of those hours, by category.
    pub events: BTreeMap<Option<String>, BTreeMap<HourPartition, Vec<LiveFile>>>,
    /// The day's rollup files that may hold one of those hours, by category.
    pub standing: BTreeMap<Option<String>, Vec<LiveFile>>,
    /// The standing files go whatever they hold, unread.
    pub from_ground: bool,
}

impl DayPlan {
    /// Returns the categories that have events or sums in the day.
    pub fn categories(&self) -> Vec<&Option<String>> {
        self.events.keys().chain(self.standing.keys()).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl Plan {
    /// Tells whether the rollups are up to date as they are.
    pub fn is_nothing(&self) -> bool {
        self.is_current
    }

    /// Returns how many event rows will be read.
    pub fn rows(&self) -> u64 {
        let files = self.days.iter().flat_map(|day| day.events.values().flat_map(BTreeMap::values).flatten());
        files.map(|file| file.rows).sum()
    }

    /// Returns how many hours will be summed anew.
    pub fn hours(&self) -> u64 {
        self.days.iter().map(|day| day.hours.len() as u64).sum()
    }
}

/// Decides what to sum anew; writes nothing.
///
/// # Errors
/// Fails where a table's log cannot be read.
pub fn plan(lake: &Lake, rollups: &Version<'_>, scope: Scope) -> Result<Plan, RollupError> {
    let events = lake.events().newest()?;
    let covers = events.number();
    // A lake begun anew has other versions, which must not be taken for the old lake's.
    let app_id = format!("rollup:{}", events.table_id());
    let covered = rollups.transaction(&app_id)?.and_then(|version| u64::try_from(version).ok());
    let touched = match (scope, covered) {
        (Scope::Changed, Some(covered)) if covered == covers => {
            return Ok(Plan { covers, app_id, days: Vec::new(), is_current: true });
        }
        (Scope::Changed, Some(covered)) if covered < covers => {
            match lake.events().changes(covered, covers)? {
                // A commit by another program may name no partition; then anything may have changed.
                Change::Partitions(partitions) => hours_of(partitions.iter().map(HourPartition::of)),
                Change::Unknown => None,
            }
        }
        // Everything is asked for, or the events are older than the sums: someone brought back a copy.
        _ => None,
    };
    let days = days(&events, rollups, touched.as_ref())?;
    Ok(Plan { covers, app_id, days, is_current: false })
}

type Hours = BTreeSet<(String, Hour)>;

fn hours_of(partitions: impl Iterator<Item = Option<HourPartition>>) -> Option<Hours> {
    partitions.map(|partition| partition.map(|p| (p.event_type, p.hour))).collect()
}

/// Returns the days of the touched hours; of all hours that either table has where `touched` is
/// not known.
fn days(
    events: &Version<'_>,
    rollups: &Version<'_>,
    touched: Option<&Hours>,
) -> Result<Vec<DayPlan>, RollupError> {
    let mut days: BTreeMap<(String, Date), DayPlan> = BTreeMap::new();
    let day_of = |event_type: &str, date: Date| DayPlan {
        event_type: event_type.to_owned(),
        date,
        hours: BTreeSet::new(),
        events: BTreeMap::new(),
        standing: BTreeMap::new(),
        from_ground: touched.is_none(),
    };
    for (event_type, hour) in touched.into_iter().flatten() {
        let key = (event_type.clone(), hour.date());
        days.entry(key).or_insert_with(|| day_of(event_type, hour.date())).hours.insert(*hour);
    }
    for file in events.files()? {
        let partition = HourPartition::of(&file.partition)
            .ok_or_else(|| RollupError::BadPartition { file: file.path.clone() })?;
        let key = (partition.event_type.clone(), partition.hour.date());
        let day = match touched {
            None => days.entry(key).or_insert_with(|| day_of(&partition.event_type, partition.hour.date())),
            Some(_) => match days.get_mut(&key) {
                Some(day) if day.hours.contains(&partition.hour) => day,
                _ => continue,
            },
        };
        day.hours.insert(partition.hour);
        let of_category = day.events.entry(partition.category.clone()).or_default();
        of_category.entry(partition).or_default().push(file);
    }
    for file in rollups.files()? {
        let place = super::read::place_of(&file)?;
        let key = (place.event_type.clone(), place.date);
        let day = match touched {
            None => days.entry(key).or_insert_with(|| day_of(&place.event_type, place.date)),
            Some(_) => match days.get_mut(&key) {
                Some(day) if day.hours.iter().any(|hour| place.may_hold(*hour)) => day,
                _ => continue,
            },
        };
        day.standing.entry(place.category).or_default().push(file);
    }
    Ok(days.into_values().collect())
}
