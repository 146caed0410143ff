//! Which hours to recompute: those whose events changed since the version of `events` covered last.
//!
//! Invariant: a plan is computed from the logs of both tables alone; nothing is written.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::delta::{LiveFile, NamedFile, Partition, Version};
use crate::lake::{DayPartition, FilePartition, Lake, columns_to_aggregate, events_log};
use crate::model::{Date, Hour};
use crate::parquet_format::EventColumns;
use crate::rollup::changes::{Changes, DayKey};
use crate::rollup::error::RollupError;
use crate::rollup::table::{Rollups, partition_of};

/// How much to recompute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The hours whose events changed since the last rollup.
    Changed,
    /// Every hour, from raw events.
    All,
}

/// Why hours are recomputed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Everything is to be recomputed.
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
            Reason::Requested => "everything is recomputed",
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

/// A file of the `events` table.
#[derive(Clone)]
pub(super) struct EventFile {
    pub partition: FilePartition,
    pub file: NamedFile,
}

impl EventFile {
    /// Returns whether the file may have events of some hours.
    pub fn may_contain_any(&self, hours: &BTreeSet<Hour>) -> bool {
        hours.range(self.partition.first()..=self.partition.last()).next().is_some()
    }

    /// Returns whether any event of the file has an id, as far as the log knows.
    pub fn has_ids(&self) -> bool {
        columns_to_aggregate(&self.file) == EventColumns::All
    }

    /// Returns whether an id may be in both files, by their ranges in the log's column statistics.
    pub fn may_share_ids_with(&self, other: &EventFile) -> bool {
        let first = |of: &EventFile| of.file.min_values["event_id"].as_str().map(str::to_owned);
        let last = |of: &EventFile| of.file.max_values["event_id"].as_str().map(str::to_owned);
        let ends_before = |a: &EventFile, b: &EventFile| match (last(a), first(b)) {
            (Some(last), Some(first)) => last < first,
            _ => false,
        };
        other.has_ids() && !ends_before(self, other) && !ends_before(other, self)
    }
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
/// of the table, where there is one.
///
/// # Errors
/// Fails where a table's log cannot be read.
pub(super) fn plan(
    lake: &Lake,
    rollups: Option<&Version<'_>>,
    scope: Scope,
    damaged: &BTreeSet<DayKey>,
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
    if scope == Scope::Changed && covered == Some(covers) && is_same && damaged.is_empty() {
        return Ok(Plan { covers, transactions, days: Vec::new(), is_up_to_date: true });
    }
    let changes = match covered {
        Some(covered) if covered <= covers && is_same => Changes::between(lake, covered, covers)?,
        _ => None,
    };
    let extent = match (scope, changes) {
        (Scope::Changed, Some(changes)) => Extent::Changed(changes, damaged),
        (Scope::Changed, None) if covered.is_none() => {
            let mut is_older = false;
            for app_id in older_app_ids(events.table_id()) {
                is_older |= recorded(&app_id)?.flatten().is_some();
            }
            Extent::All(if is_older { Reason::OlderRules } else { Reason::NeverAggregated }, None)
        }
        (Scope::Changed, None) => Extent::All(Reason::UnknownChanges, None),
        (Scope::All, changes) => Extent::All(Reason::Requested, changes),
    };
    let days = day_plans(&events, rollups, &extent)?;
    Ok(Plan { covers, transactions, days, is_up_to_date: false })
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

/// Which days a plan has.
enum Extent<'a> {
    /// Those with changed hours, and those with damaged aggregates.
    Changed(Changes, &'a BTreeSet<DayKey>),
    /// All days that either table has; and what changed since the last rollup, where that is known.
    All(Reason, Option<Changes>),
}

impl Extent<'_> {
    fn new_day(&self, key: &DayKey) -> DayPlan {
        let (reason, changed_since) = match self {
            Extent::Changed(_, damaged) if damaged.contains(key) => (Reason::Damaged, None),
            Extent::Changed(changes, _) if changes.days_with_removals.contains(key) => {
                (Reason::EventsRemoved, None)
            }
            Extent::Changed(..) => (Reason::EventsAdded, None),
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

    /// Returns the plan of a day; none where the day is not part of the plan.
    fn day<'a>(&self, days: &'a mut BTreeMap<DayKey, DayPlan>, key: DayKey) -> Option<&'a mut DayPlan> {
        match self {
            Extent::Changed(..) => days.get_mut(&key),
            Extent::All(..) => Some(match days.entry(key) {
                Entry::Occupied(day) => day.into_mut(),
                Entry::Vacant(vacant) => {
                    let day = self.new_day(vacant.key());
                    vacant.insert(day)
                }
            }),
        }
    }
}

fn day_plans(
    events: &Version<'_>,
    rollups: Option<&Version<'_>>,
    extent: &Extent<'_>,
) -> Result<Vec<DayPlan>, RollupError> {
    let mut days: BTreeMap<DayKey, DayPlan> = BTreeMap::new();
    if let Extent::Changed(changes, damaged) = extent {
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
    // Of days that are not part of the plan, the statistics of files need not be read.
    let wants = |partition: &Partition| match (extent, DayPartition::of(partition)) {
        (Extent::Changed(..), Some(DayPartition { event_type, date, .. })) => {
            planned.contains(&(event_type, date))
        }
        // A malformed partition is an error, too.
        (Extent::Changed(..), None) | (Extent::All(..), _) => true,
    };
    for file in events.files_of(&wants)? {
        let partition =
            FilePartition::of(&file).ok_or_else(|| RollupError::BadPartition { file: file.path.clone() })?;
        let key = (partition.day.event_type.clone(), partition.day.date);
        let Some(day) = extent.day(&mut days, key) else { continue };
        if day.reason != Reason::EventsAdded {
            day.hours.extend(partition.hours());
        }
        day.events.push(EventFile { partition, file: file.into() });
    }
    for file in rollups.map(|rollups| rollups.files_of(&wants)).transpose()?.into_iter().flatten() {
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

/// What a rollup would recompute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedRollup {
    /// How many hours of an event type would be recomputed.
    pub hours: u64,
    pub categories: Vec<PlannedCategory>,
}

/// A day of one event type, and of a top-level category or a shard of them, of which hours would be recomputed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCategory {
    pub event_type: String,
    /// The name of the category, or of the shard.
    pub category: String,
    pub date: Date,
    /// The hours that have events, or may have stored aggregates.
    pub hours: BTreeSet<Hour>,
    /// How many event rows would be read, and from how many files.
    pub rows: u64,
    pub files: u64,
    pub reason: Reason,
}

/// Returns what a rollup would recompute; writes nothing and takes no lock.
///
/// Other hours of a day may be recomputed too, where they share an event id of differing contents
/// with these; that is known only when the ids are read.
///
/// # Errors
/// Fails where a table's log cannot be read.
pub fn dry_run(lake: &Lake, scope: Scope) -> Result<PlannedRollup, RollupError> {
    let rollups = Rollups::open(lake.store())?;
    let newest = rollups.as_ref().map(|rollups| rollups.table.newest()).transpose()?;
    let plan = plan(lake, newest.as_ref(), scope, &BTreeSet::new())?;
    Ok(PlannedRollup { hours: plan.hours(), categories: plan.days.iter().flat_map(categories_of).collect() })
}

/// Returns the categories that have events, or may have stored aggregates, in a day's planned hours.
fn categories_of(day: &DayPlan) -> Vec<PlannedCategory> {
    let mut categories: BTreeMap<String, PlannedCategory> = BTreeMap::new();
    let planned = |category: &String| PlannedCategory {
        event_type: day.event_type.clone(),
        category: category.clone(),
        date: day.date,
        hours: BTreeSet::new(),
        rows: 0,
        files: 0,
        reason: day.reason,
    };
    for of in day.events.iter().filter(|of| of.may_contain_any(&day.hours)) {
        let category = of.partition.category_name(&of.file);
        let planned = categories.entry(category.clone()).or_insert_with(|| planned(&category));
        planned.hours.extend(of.partition.hours().filter(|hour| day.hours.contains(hour)));
        planned.rows += of.file.rows;
        planned.files += 1;
    }
    for (partition, file) in &day.stored {
        let is_wanted = |hour: &Hour| day.is_full() || day.hours.contains(hour);
        let hours: Vec<Hour> = partition.hours().filter(is_wanted).collect();
        if !hours.is_empty() {
            let category = partition.category_name(file);
            categories.entry(category.clone()).or_insert_with(|| planned(&category)).hours.extend(hours);
        }
    }
    categories.into_values().collect()
}
