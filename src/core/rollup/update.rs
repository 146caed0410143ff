//! The `rollups` table brought up to date: plan, deduplicate, aggregate, write, commit.
//!
//! Invariant: everything becomes visible in one commit, or nothing does; where another program commits
//! first, all of it begins again.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashSet;
use rayon::prelude::*;

use crate::delta::{Commit, LiveFile, MAX_TRIES, NewFile, Outcome, TableError};
use crate::lake::{Lake, ROLLUPS, events_path};
use crate::model::{AggregateRows, Date, Hour, Shard};
use crate::progress::{Count, Progress, Stage};
use crate::rollup::aggregate::{Tally, aggregate_shard};
use crate::rollup::changes::DayKey;
use crate::rollup::dedup::{DedupedDay, affected_hours, dedup};
use crate::rollup::diff::{DifferingRows, Ordered, are_same_files, diff};
use crate::rollup::error::RollupError;
use crate::rollup::plan::{DayPlan, Plan, Reason, Scope, plan};
use crate::rollup::table::{Rollups, is_part_of_any, path_of};
use crate::rollup::write::{Output, encode_day};
use crate::storage::WrittenFiles;

/// A day with more rows keeps all threads busy by itself, and needs so much memory for its ids and
/// aggregates that no other day is processed meanwhile.
const ROWS_OF_A_LARGE_DAY: u64 = 1_000_000;

/// The application id that a commit records where it replaces aggregates that were not what their events add up to; by any
/// other, no count changes.
pub const REPLACED: &str = "topsell:replaced";

/// What a rollup did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Hours of an event type that were recomputed.
    pub hours: u64,
    /// Events they hold, each counted once.
    pub events: u64,
    /// Copies left out because their event counts already.
    pub repeated: u64,
    /// Events that came with different contents.
    pub conflicts: u64,
    /// Other events that a greater version number has corrected.
    pub corrected: u64,
    /// Rows written.
    pub rows: u64,
    pub files_added: u64,
    pub files_removed: u64,
    /// How the recomputed aggregates differ from the stored ones; none where nothing was compared.
    pub diff: Option<Diff>,
}

/// Recomputed aggregates compared with the stored ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Hours of an event type that were compared: their events are the same as when they were
    /// aggregated before.
    pub hours: u64,
    /// Hours that were not compared, because their events had changed.
    pub changed_hours: u64,
    /// Rows that were not what their events add up to, by hour and event type.
    pub differing: BTreeMap<(Hour, String), u64>,
    /// The same of shards with a damaged file, whose rows could not be compared.
    pub differing_in_damaged: BTreeMap<(Hour, String), u64>,
    /// Damaged files of aggregates, which were replaced.
    pub damaged_files: Vec<String>,
}

/// Which aggregates are replaced whose events did not change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replaces {
    /// Those of damaged files; it is an error where others are not what their events add up to.
    #[default]
    DamagedOnly,
    /// Those that are not what their events add up to, too.
    Differing,
}

/// Brings the rollups up to date with the lake's events, in one commit; does nothing where nothing
/// changed.
///
/// # Errors
/// Fails where the disk does, a file is damaged or an aggregate does not fit; the table is then
/// unchanged.
pub fn rollup(
    lake: &Lake,
    scope: Scope,
    replaces: Replaces,
    now_ms: i64,
    progress: &Progress,
) -> Result<Summary, RollupError> {
    update(lake, scope, &BTreeSet::new(), replaces, now_ms, progress)
}

/// Brings the rollups up to date as [`rollup`] does, and recomputes all aggregates of some days of an event type,
/// without reading those that are stored.
///
/// # Errors
/// As [`rollup`].
pub fn rebuild(
    lake: &Lake,
    days: &BTreeSet<(String, Date)>,
    now_ms: i64,
    progress: &Progress,
) -> Result<Summary, RollupError> {
    update(lake, Scope::Changed, days, Replaces::Differing, now_ms, progress)
}

fn update(
    lake: &Lake,
    scope: Scope,
    damaged: &BTreeSet<DayKey>,
    replaces: Replaces,
    now_ms: i64,
    progress: &Progress,
) -> Result<Summary, RollupError> {
    let rollups = Rollups::open_or_create(lake.store())?;
    progress.begin(Stage::Rollup, None);
    // From here on: a compaction that committed meanwhile would make all of it begin again.
    let _turn = rollups.table.wait_for_turn()?;
    for _ in 0..MAX_TRIES {
        let newest = rollups.table.newest()?;
        let plan = plan(lake, Some(&newest), scope, damaged, &[])?;
        if plan.is_up_to_date {
            progress.end(Stage::Rollup);
            return Ok(Summary::default());
        }
        progress.begin(Stage::Rollup, Some(plan.rows()));
        let (days, written) = recompute(lake, &rollups, &plan, progress)?;
        let (commit, summary) = commit_of(&plan, days, now_ms);
        // The events are the same as when they were aggregated: one of the two is wrong, and it is not known
        // which.
        let differing = summary.diff.as_ref().map(|diff| &diff.differing).filter(|of| !of.is_empty());
        if let Some(differing) = differing.filter(|_| replaces == Replaces::DamagedOnly) {
            return Err(RollupError::Differing { differing: differing.clone() });
        }
        let outcome = newest.commit(&commit);
        if newest.may_name_files(&outcome) {
            written.keep();
        }
        if let Outcome::Committed(_) = outcome? {
            report(&summary, progress);
            progress.end(Stage::Rollup);
            return Ok(summary);
        }
    }
    Err(TableError::Contended { table: ROLLUPS.to_owned(), tries: MAX_TRIES }.into())
}

/// A recomputed day.
pub(super) struct DayOutcome {
    pub event_type: String,
    pub hours: u64,
    pub conflicts: (u64, u64),
    /// How many hours were compared with the stored ones, and how many were not; none where nothing was.
    pub compared: Option<(u64, u64)>,
    pub shards: Vec<ShardOutcome>,
}

/// A recomputed day of one shard.
pub(super) struct ShardOutcome {
    pub adds: Vec<NewFile>,
    pub removes: Vec<LiveFile>,
    pub tally: Tally,
    pub differing: DifferingRows,
    /// Files that cannot be read, and are replaced.
    pub damaged: Vec<String>,
}

impl ShardOutcome {
    fn unchanged(tally: Tally) -> ShardOutcome {
        let (differing, damaged) = (DifferingRows::new(), Vec::new());
        ShardOutcome { adds: Vec::new(), removes: Vec::new(), tally, differing, damaged }
    }
}

/// Recomputes the planned days; the files are durable, but no commit names them yet.
fn recompute(
    lake: &Lake,
    rollups: &Rollups,
    plan: &Plan,
    progress: &Progress,
) -> Result<(Vec<DayOutcome>, WrittenFiles), RollupError> {
    let bulk = rollups.store.bulk_writer(ROLLUPS)?;
    let events = plan.days.iter().flat_map(|day| &day.events);
    rollups.store.read_ahead(events.map(|of| (events_path(&of.file), of.file.size_bytes)));
    let (large, small): (Vec<&DayPlan>, Vec<&DayPlan>) =
        plan.days.iter().partition(|day| day.rows() > ROWS_OF_A_LARGE_DAY);
    let output = Output::Bulk(&bulk);
    let recompute = |day: &&DayPlan| recompute_day(lake, rollups, day, DayShare::ALL, &output, progress);
    let days: Result<Vec<DayOutcome>, RollupError> = small.par_iter().map(recompute).collect();
    let mut days = days?;
    for day in &large {
        days.push(recompute(day)?);
    }
    Ok((days, bulk.finish()?))
}

/// Some of the shards of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DayShare {
    /// From 0.
    pub number: usize,
    pub of: usize,
}

impl DayShare {
    pub const ALL: DayShare = DayShare { number: 0, of: 1 };
}

/// Recomputes a planned day, or the shards of one of its shares.
pub(super) fn recompute_day(
    lake: &Lake,
    rollups: &Rollups,
    plan: &DayPlan,
    share: DayShare,
    output: &Output<'_>,
    progress: &Progress,
) -> Result<DayOutcome, RollupError> {
    let day = dedup(lake, plan)?;
    // A changed hour may decide which of two events counts in another.
    let changed = match &plan.changed_since {
        Some(hours) if !hours.is_empty() => Some(affected_hours(lake, plan, hours)?),
        hours => hours.clone(),
    };
    let shards: Result<Vec<ShardOutcome>, RollupError> = day
        .shards()
        .into_iter()
        .skip(share.number)
        .step_by(share.of.max(1))
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|shard| recompute_shard(lake, rollups, &day, changed.as_ref(), shard, output, progress))
        .collect();
    let hours = day.hours.len() as u64;
    Ok(DayOutcome {
        event_type: plan.event_type.clone(),
        compared: changed.map(|changed| {
            let may_differ = day.hours.intersection(&changed).count() as u64;
            (hours - may_differ, may_differ)
        }),
        hours,
        conflicts: day.conflicts(),
        shards: shards?,
    })
}

fn recompute_shard(
    lake: &Lake,
    rollups: &Rollups,
    day: &DedupedDay<'_>,
    changed: Option<&BTreeSet<Hour>>,
    shard: Shard,
    output: &Output<'_>,
    progress: &Progress,
) -> Result<ShardOutcome, RollupError> {
    let (mut aggregates, tally) = aggregate_shard(lake, day, shard, progress)?;
    let stored_files = day.stored_files(shard);
    let plan = day.day;
    if !plan.is_full() {
        let stored = rollups.read_shard(&stored_files, shard)?;
        let mut of_hours = AggregateRows::default();
        of_hours.append_where(&stored, |row| day.hours.contains(&row.hour));
        // A file that others replace, too, must not take the shard's rows away.
        if of_hours.is_same_as(&aggregates) && !is_part_of_any(&stored_files, shard)? {
            return Ok(ShardOutcome::unchanged(tally));
        }
        aggregates.append_where(&stored, |row| !day.hours.contains(&row.hour));
    }
    let order = aggregates.order();
    let files = encode_day(&plan.event_type, plan.date, shard, &aggregates, &order)?;
    if are_same_files(rollups, &stored_files, &files) {
        return Ok(ShardOutcome::unchanged(tally));
    }
    let (differing, is_readable) = match changed {
        Some(changed) => {
            let recomputed = Ordered { aggregates: &aggregates, order: &order };
            diff(rollups, plan.date, shard, &stored_files, &recomputed, changed)
        }
        None => (DifferingRows::new(), true),
    };
    let damaged = match is_readable {
        true => Vec::new(),
        false => stored_files
            .iter()
            .filter(|file| rollups.check_file(file).is_err())
            .map(|file| path_of(file))
            .collect(),
    };
    let adds = files.into_iter().map(|file| file.write(output)).collect::<Result<_, _>>()?;
    Ok(ShardOutcome { adds, removes: stored_files, tally, differing, damaged })
}

/// Returns the commit that replaces the recomputed files, and what to report of it.
pub(super) fn commit_of(plan: &Plan, days: Vec<DayOutcome>, now_ms: i64) -> (Commit, Summary) {
    let is_repair = plan.days.iter().any(|day| day.reason == Reason::Damaged);
    let mut summary = Summary::default();
    let mut commit = Commit { transactions: plan.transactions.clone(), now_ms, ..Commit::default() };
    for day in days {
        summary.hours += day.hours;
        summary.conflicts += day.conflicts.0;
        summary.corrected += day.conflicts.1;
        if let Some((hours, changed)) = day.compared {
            let diff = summary.diff.get_or_insert_default();
            diff.hours += hours;
            diff.changed_hours += changed;
            for of in &day.shards {
                let differing =
                    if of.damaged.is_empty() { &mut diff.differing } else { &mut diff.differing_in_damaged };
                for (hour, rows) in &of.differing {
                    *differing.entry((*hour, day.event_type.clone())).or_default() += rows;
                }
                diff.damaged_files.extend(of.damaged.iter().cloned());
            }
        }
        for shard in day.shards {
            summary.events += shard.tally.events;
            summary.repeated += shard.tally.repeated;
            summary.rows += shard.adds.iter().map(|file| file.rows).sum::<u64>();
            commit.adds.extend(shard.adds);
            commit.removes.extend(shard.removes);
        }
    }
    // Shards that share a file replace it together.
    let mut removed = HashSet::new();
    commit.removes.retain(|file| removed.insert(file.path.clone()));
    if let Some(diff) = &mut summary.diff {
        diff.damaged_files.sort();
        diff.damaged_files.dedup();
    }
    let differs = |diff: &Diff| {
        !(diff.differing.is_empty() && diff.differing_in_damaged.is_empty() && diff.damaged_files.is_empty())
    };
    if is_repair || summary.diff.as_ref().is_some_and(differs) {
        commit.transactions.push((REPLACED.to_owned(), now_ms));
    }
    summary.files_added = commit.adds.len() as u64;
    summary.files_removed = commit.removes.len() as u64;
    commit.metrics = vec![
        ("numHours", summary.hours),
        ("numEvents", summary.events),
        ("numRepeatedEvents", summary.repeated),
        ("numConflictingEventIds", summary.conflicts),
        ("numOutputRows", summary.rows),
    ];
    (commit, summary)
}

pub(super) fn report(summary: &Summary, progress: &Progress) {
    progress.count(Count::HoursRebuilt, summary.hours);
    progress.count(Count::EventsRolledUp, summary.events);
    progress.count(Count::EventsRepeated, summary.repeated);
    progress.count(Count::EventIdsInConflict, summary.conflicts);
    if summary.corrected > 0 {
        progress.count(Count::EventsCorrected, summary.corrected);
    }
    progress.count(Count::RollupRows, summary.rows);
    if let Some(diff) = &summary.diff {
        let all = || diff.differing.iter().chain(&diff.differing_in_damaged);
        let hours: BTreeSet<_> = all().map(|(hour, _)| hour).collect();
        progress.count(Count::HoursDiffering, hours.len() as u64);
        progress.count(Count::RowsDiffering, all().map(|(_, rows)| rows).sum());
    }
}
