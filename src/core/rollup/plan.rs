//! Which hours to recompute: those whose events changed since the version of `events` covered last.
//!
//! Invariant: a plan is computed from the logs of both tables alone; nothing is written.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::delta::{LiveFile, Partition, Version};
use crate::lake::{DayPartition, FilePartition, Lake, LakeScope, events_log};
use crate::model::{Date, Hour};
use crate::rollup::changes::{Changes, DayKey};
use crate::rollup::error::RollupError;
use crate::rollup::event_file::EventFile;
use crate::rollup::table::partition_of;

/// How much to recompute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The hours whose events changed since the last rollup.
    Changed,
    /// These, and all hours of a part of the lake, from raw events.
    Recomputed(LakeScope),
}

impl Scope {
    /// Returns the scope of a whole lake, from raw events.
    pub fn all() -> Scope {
        Scope::Recomputed(LakeScope::default())
    }
}

/// Why hours are recomputed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Events of these hours were added.
    EventsAdded,
    /// Events of the day were removed or replaced.
    EventsRemoved,
    /// No rollup has covered this lake's events yet.
    NeverAggregated,
    /// The last rollup was by an older program, which aggregated by other rules.
    OlderRules,
    /// What changed since the last rollup is not known: the log does not reach back so far, or is not the one
    /// that was aggregated, because a copy was restored.
    UnknownChanges,
    /// The day is in the part of the lake that is to be recomputed.
    Requested,
    /// A file of the day's aggregates is damaged, or they are not what the events add up to.
    Damaged,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::EventsAdded => "events were added",
            Reason::EventsRemoved => "events of the day were removed or replaced",
            Reason::NeverAggregated => "never aggregated before",
            Reason::OlderRules => "aggregated by an older version of topsell",
            Reason::UnknownChanges => "the log does not say what changed",
            Reason::Requested => "all of the day is recomputed",
            Reason::Damaged => "the stored aggregates are damaged",
        })
    }
}

/// The days to recompute, and the version of `events` that the rollups will then cover.
pub(super) struct Plan {
    /// The version of `events` that the rollups will cover.
    pub covers: u64,
    /// What is recorded of that version.
    pub transactions: Vec<(String, i64)>,
    pub days: Vec<DayPlan>,
    pub is_up_to_date: bool,
}

/// The hours of one day and event type to recompute, and all files of that day.
pub(super) struct DayPlan {
    pub event_type: String,
    pub date: Date,
    pub reason: Reason,
    /// The hours to recompute.
    pub hours: BTreeSet<Hour>,
    /// All event files of the day.
    pub events: Vec<EventFile>,
    /// All rollup files of the day.
    pub stored: Vec<(FilePartition, LiveFile)>,
    /// The hours whose events changed since the stored aggregates were computed; those of all other
    /// hours must come out unchanged. None where that is not known, or not asked.
    pub changed_since: Option<BTreeSet<Hour>>,
}

impl DayPlan {
    /// Returns whether the day's stored files are replaced whatever they hold.
    pub fn is_full(&self) -> bool {
        !matches!(self.reason, Reason::EventsAdded | Reason::EventsRemoved)
    }

    /// Returns how many event rows the files have that may have hours to recompute.
    pub fn rows(&self) -> u64 {
        self.events.iter().filter(|of| of.may_contain_any(&self.hours)).map(|of| of.file.rows).sum()
    }
}

impl Plan {
    /// Returns how many event rows will be read.
    pub fn rows(&self) -> u64 {
        self.days.iter().map(DayPlan::rows).sum()
    }

    /// Returns how many hours of an event type will be recomputed.
    pub fn hours(&self) -> u64 {
        self.days.iter().map(|day| day.hours.len() as u64).sum()
    }
}

/// Decides what to recompute, and all of the days whose aggregates are `damaged`; `rollups` is the newest version
/// of the table, where there is one. Files that are `uncommitted` are planned like those of the table.
///
/// # Errors
/// Fails where a table's log cannot be read.
pub(super) fn plan(
    lake: &Lake,
    rollups: Option<&Version<'_>>,
    scope: Scope,
    damaged: &BTreeSet<DayKey>,
    uncommitted: &[EventFile],
) -> Result<Plan, RollupError> {
    let events = lake.events().newest()?;
    let covers = events.number();
    // A lake that was deleted and made again has other versions, which are not those of the old one.
    let app_id = app_id(events.table_id());
    let recorded = |app_id: &str| rollups.map(|rollups| rollups.transaction(app_id)).transpose();
    let covered = recorded(&app_id)?.flatten().and_then(|version| u64::try_from(version).ok());
    let log = events_log(lake.store());
    // A version may have been committed twice: the log was restored from a copy, or its end was lost.
    let commit_app_id = commit_app_id(events.table_id());
    let newest = log.commit_identity(covers)?;
    let is_same = match (covered, recorded(&commit_app_id)?.flatten()) {
        (Some(covered), Some(recorded)) => {
            let identity = if covered == covers { newest } else { log.commit_identity(covered)? };
            identity.is_none_or(|identity| identity == recorded)
        }
        _ => true,
    };
    let identity = newest.map(|identity| (commit_app_id, identity));
    let transactions = [(app_id, covers.cast_signed())].into_iter().chain(identity).collect();
    if scope == Scope::Changed
        && covered == Some(covers)
        && is_same
        && damaged.is_empty()
        && uncommitted.is_empty()
    {
        return Ok(Plan { covers, transactions, days: Vec::new(), is_up_to_date: true });
    }
    let changes = match covered {
        Some(covered) if covered <= covers && is_same => Changes::between(lake, covered, covers)?,
        _ => None,
    };
    let extent = match (scope, changes) {
        (Scope::Changed, Some(changes)) => Extent::Changed { changes, damaged, requested: None },
        (Scope::Recomputed(scope), Some(changes)) if !scope.is_all() => {
            Extent::Changed { changes, damaged, requested: Some(scope) }
        }
        (_, None) if covered.is_none() && !is_whole(scope) => {
            let mut is_older = false;
            for app_id in older_app_ids(events.table_id()) {
                is_older |= recorded(&app_id)?.flatten().is_some();
            }
            Extent::All(if is_older { Reason::OlderRules } else { Reason::NeverAggregated }, None)
        }
        (_, None) if !is_whole(scope) => Extent::All(Reason::UnknownChanges, None),
        (_, changes) => Extent::All(Reason::Requested, changes),
    };
    let days = day_plans(&events, rollups, extent, uncommitted)?;
    // Of a part of the lake, there may be no day.
    let is_up_to_date = days.is_empty() && covered == Some(covers) && is_same;
    Ok(Plan { covers, transactions, days, is_up_to_date })
}

/// Returns the application id under which the rollups record the version of `events` they cover.
///
/// It names the rules of the aggregates; where these change, all is recomputed.
pub(super) fn app_id(events_id: &str) -> String {
    format!("rollup:3:{events_id}")
}

/// Returns the application id under which the rollups record the identity of the commit of that version.
pub(super) fn commit_app_id(events_id: &str) -> String {
    format!("rollup-commit:{events_id}")
}

/// Returns the application ids of older rules: events were identified by their ids alone, and sales and
/// returns were in one row.
fn older_app_ids(events_id: &str) -> [String; 2] {
    [format!("rollup:{events_id}"), format!("rollup:2:{events_id}")]
}

/// Returns whether everything is to be recomputed.
fn is_whole(scope: Scope) -> bool {
    matches!(scope, Scope::Recomputed(scope) if scope.is_all())
}

/// Which days a plan has.
enum Extent<'a> {
    /// Those with changed hours, those with damaged aggregates, and those of a part of the lake that was asked for.
    Changed { changes: Changes, damaged: &'a BTreeSet<DayKey>, requested: Option<LakeScope> },
    /// All days that either table has; and what changed since the last rollup, where that is known.
    All(Reason, Option<Changes>),
}

impl Extent<'_> {
    /// Adds the hours of files that are not in the table yet.
    fn add(&mut self, uncommitted: &[EventFile]) {
        let Extent::Changed { changes, .. } = self else { return };
        let hours = |of: &EventFile| {
            let event_type = of.partition.day.event_type.clone();
            of.partition.hours().map(move |hour| (event_type.clone(), hour)).collect::<Vec<_>>()
        };
        changes.hours.extend(uncommitted.iter().flat_map(hours));
    }

    fn new_day(&self, key: &DayKey) -> DayPlan {
        let (reason, changed_since) = match self {
            Extent::Changed { damaged, .. } if damaged.contains(key) => (Reason::Damaged, None),
            Extent::Changed { changes, .. } if self.is_requested(key) => {
                (Reason::Requested, changes.hours_of(key))
            }
            Extent::Changed { changes, .. } if changes.days_with_removals.contains(key) => {
                (Reason::EventsRemoved, None)
            }
            Extent::Changed { .. } => (Reason::EventsAdded, None),
            Extent::All(reason, changes) => {
                (*reason, changes.as_ref().and_then(|changes| changes.hours_of(key)))
            }
        };
        DayPlan {
            event_type: key.0.clone(),
            date: key.1,
            reason,
            hours: BTreeSet::new(),
            events: Vec::new(),
            stored: Vec::new(),
            changed_since,
        }
    }

    /// Returns whether all of a day is to be recomputed, whether or not its events changed.
    fn is_requested(&self, (event_type, date): &DayKey) -> bool {
        match self {
            Extent::Changed { requested, .. } => {
                requested.is_some_and(|scope| scope.has_day(event_type, *date))
            }
            Extent::All(..) => true,
        }
    }

    /// Returns the days from the first to the last of a plan, given those known so far; none where any day of a table
    /// may be part of it.
    fn days(&self, planned: &BTreeSet<DayKey>) -> Option<RangeInclusive<Date>> {
        let days = || planned.iter().map(|(_, date)| *date).filter(|_| self.is_of_planned_days());
        Some(days().min()?..=days().max()?)
    }

    /// Returns whether no day becomes part of the plan by what is stored of it.
    fn is_of_planned_days(&self) -> bool {
        matches!(self, Extent::Changed { requested: None, .. })
    }

    /// Returns the plan of a day; none where the day is not part of the plan.
    fn day<'a>(&self, days: &'a mut BTreeMap<DayKey, DayPlan>, key: DayKey) -> Option<&'a mut DayPlan> {
        if !self.is_requested(&key) {
            return days.get_mut(&key);
        }
        Some(match days.entry(key) {
            Entry::Occupied(day) => day.into_mut(),
            Entry::Vacant(vacant) => {
                let day = self.new_day(vacant.key());
                vacant.insert(day)
            }
        })
    }
}

fn day_plans(
    events: &Version<'_>,
    rollups: Option<&Version<'_>>,
    mut extent: Extent<'_>,
    uncommitted: &[EventFile],
) -> Result<Vec<DayPlan>, RollupError> {
    extent.add(uncommitted);
    let extent = &extent;
    let mut days: BTreeMap<DayKey, DayPlan> = BTreeMap::new();
    if let Extent::Changed { changes, damaged, .. } = extent {
        days.extend(damaged.iter().map(|key| (key.clone(), extent.new_day(key))));
        for key in &changes.days_with_removals {
            days.entry(key.clone()).or_insert_with(|| extent.new_day(key));
        }
        for (event_type, hour) in &changes.hours {
            let key = (event_type.clone(), hour.date());
            days.entry(key.clone()).or_insert_with(|| extent.new_day(&key)).hours.insert(*hour);
        }
    }
    let planned: BTreeSet<DayKey> = days.keys().cloned().collect();
    if planned.is_empty() && extent.is_of_planned_days() {
        return Ok(Vec::new());
    }
    // Of days that are not part of the plan, the statistics of files need not be read.
    let wants = |partition: &Partition| match DayPartition::of(partition) {
        Some(DayPartition { event_type, date, .. }) => {
            let key = (event_type, date);
            extent.is_requested(&key) || planned.contains(&key)
        }
        // A malformed partition is an error, too.
        None => true,
    };
    let files_of = |version: &Version<'_>| match extent.days(&planned) {
        Some(days) => version.files_of_days(&days, &wants),
        None => version.files_of(&wants),
    };
    for file in files_of(events)? {
        let partition =
            FilePartition::of(&file).ok_or_else(|| RollupError::BadPartition { file: file.path.clone() })?;
        let key = (partition.day.event_type.clone(), partition.day.date);
        let Some(day) = extent.day(&mut days, key) else { continue };
        if day.reason != Reason::EventsAdded {
            day.hours.extend(partition.hours());
        }
        day.events.push(EventFile { partition, file: file.into(), bytes: None });
    }
    for file in uncommitted {
        let key = (file.partition.day.event_type.clone(), file.partition.day.date);
        let Some(day) = extent.day(&mut days, key) else { continue };
        day.hours.extend(file.partition.hours());
        day.events.push(file.clone());
    }
    for file in rollups.map(files_of).transpose()?.into_iter().flatten() {
        let partition = partition_of(&file)?;
        let key = (partition.day.event_type.clone(), partition.day.date);
        if let Some(day) = extent.day(&mut days, key) {
            if day.reason == Reason::EventsRemoved {
                // The events of these hours may all be gone.
                day.hours.extend(partition.hours());
            }
            day.stored.push((partition, file));
        }
    }
    Ok(days.into_values().collect())
}
