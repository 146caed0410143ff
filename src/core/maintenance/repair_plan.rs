//! Decides how a lake is repaired, from what a verification found.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rayon::prelude::*;

use crate::delta::{LogPlan, LogRepair};
use crate::lake::{self, Lake, LostEvents};
use crate::maintenance::problem::{FileState, LakeTable, Problem, ProblemKind, TableFile};
use crate::maintenance::verify::Verified;
use crate::model::Date;
use crate::rankings::{PublishedFile, restored_published};
use crate::rollup::{self, RollupError};
use crate::storage::{Store, StoreError};

/// What is done to repair a lake, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepairAction {
    /// A file has again what it had when it was written: one bit of it had flipped.
    Restore {
        path: String,
        bytes: Vec<u8>,
    },
    /// Files of a table's log are set aside or written again; the newest version stays as it is.
    Log(LakeTable, Vec<LogRepair>),
    /// The log of the events is rebuilt without commits that are damaged or missing: what they changed is lost.
    RebuildEventsLog(BTreeSet<u64>),
    /// What is known of ingested files is written again without the damaged entries.
    Inputs(String),
    /// The table of aggregates is set aside, and all aggregates are computed again.
    RebuildRollups,
    /// Damaged and missing files of events are removed from the table.
    RemoveEvents(Vec<LostEvents>),
    /// The aggregates of an event type and day are computed again.
    RebuildDay(String, Date),
    /// A copy of a month's aggregates is written again.
    Month(String),
    /// An index of paths is written again.
    PathIndex(String),
    Published(PublishedFile),
}

/// How a lake is repaired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairPlan {
    /// Each with the reason.
    pub actions: Vec<(RepairAction, String)>,
    /// What cannot be repaired, and what to do about it.
    pub impossible: Vec<String>,
}

/// So many missing files may be those of a disk that is not mounted.
const MANY_FILES: u64 = 10;

impl RepairAction {
    /// Returns whether it restores a file of a table's log, which a commit may replace.
    pub(super) fn is_of_log(&self) -> bool {
        matches!(self, RepairAction::Restore { path, .. } if path.contains("/_delta_log/"))
    }

    /// Returns whether it changes what the tables have.
    fn is_of_tables(&self) -> bool {
        match self {
            RepairAction::Restore { path, .. } => !path.starts_with("rankings/"),
            RepairAction::Log(..)
            | RepairAction::RebuildEventsLog(_)
            | RepairAction::RebuildRollups
            | RepairAction::RemoveEvents(_)
            | RepairAction::RebuildDay(..) => true,
            RepairAction::Inputs(_)
            | RepairAction::Month(_)
            | RepairAction::PathIndex(_)
            | RepairAction::Published(_) => false,
        }
    }
}

impl RepairPlan {
    /// Decides how a lake is repaired.
    ///
    /// # Errors
    /// Fails where the log of the events cannot be read.
    pub fn of(store: &Store, verified: &Verified) -> Result<RepairPlan, RollupError> {
        let (mut plan, restored) = RepairPlan::restoring(store, verified);
        let rebuild = plan.add_logs(verified, &restored);
        for problem in &verified.problems {
            match &problem.kind {
                ProblemKind::Inputs(path) => {
                    plan.actions.push((RepairAction::Inputs(path.clone()), problem.text.clone()));
                }
                ProblemKind::Month(path) => {
                    plan.actions.push((RepairAction::Month(path.clone()), problem.text.clone()));
                }
                ProblemKind::PathIndex(path) => {
                    plan.actions.push((RepairAction::PathIndex(path.clone()), problem.text.clone()));
                }
                ProblemKind::OutOfReach => plan.impossible.push(out_of_reach(&problem.text)),
                _ => {}
            }
        }
        let has_events = plan.add_files(store, verified, &restored)?;
        // Aggregates are computed from events.
        match rebuild.filter(|_| !verified.unopened.contains(&LakeTable::Events)) {
            Some(reason) if has_events => plan.actions.push((RepairAction::RebuildRollups, reason)),
            Some(reason) => {
                plan.impossible.push(format!("{reason}; rebuilt once all files of events can be read"));
            }
            None => {}
        }
        let others = verified.problems.iter().filter(|problem| !restored.contains(problem));
        let published = others.filter_map(|problem| match &problem.kind {
            ProblemKind::Published(file) => Some((file.clone(), problem.text.clone())),
            _ => None,
        });
        let published: BTreeMap<PublishedFile, String> = published.collect();
        // What a pointer names is known when the rankings are restored, and a ranking can be computed again when
        // all tables are repaired.
        let is_published = |problem: &&Problem| matches!(problem.kind, ProblemKind::Published(_));
        let is_early = restored.iter().any(is_published)
            || !verified.unopened.is_empty()
            || plan.actions.iter().any(|(action, _)| action.is_of_tables());
        let published = if is_early { BTreeMap::new() } else { published };
        let published = published.into_iter();
        plan.actions.extend(published.map(|(file, text)| (RepairAction::Published(file), text)));
        Ok(plan)
    }

    /// Returns the plan with the files that can be restored as they were, and the problems that this solves.
    fn restoring<'a>(store: &Store, verified: &'a Verified) -> (RepairPlan, Vec<&'a Problem>) {
        // What cannot be read cannot be restored.
        let restored =
            verified.problems.par_iter().map(|problem| restored(store, &problem.kind).ok().flatten());
        let restored: Vec<Option<(String, Vec<u8>)>> = restored.collect();
        let mut plan = RepairPlan::default();
        let mut solved = Vec::new();
        for (problem, restored) in verified.problems.iter().zip(restored) {
            let Some((path, bytes)) = restored else { continue };
            plan.actions.push((RepairAction::Restore { path, bytes }, problem.text.clone()));
            solved.push(problem);
        }
        (plan, solved)
    }

    /// Returns whether a part of it needs that no batch is being written.
    pub fn needs_writers(&self) -> bool {
        let needs = |action: &RepairAction| {
            let is_other = matches!(
                action,
                RepairAction::Log(..) | RepairAction::RebuildEventsLog(_) | RepairAction::Inputs(_)
            );
            is_other || action.is_of_log()
        };
        self.actions.iter().any(|(action, _)| needs(action))
    }

    /// Adds the repairs of the logs, and returns why the table of aggregates is to be rebuilt, if it is.
    fn add_logs(&mut self, verified: &Verified, restored: &[&Problem]) -> Option<String> {
        let mut rebuild = None;
        for (table, of_log) in &verified.log_plans {
            // What else is to be done is known when these are restored.
            if restored.iter().any(|problem| matches!(&problem.kind, ProblemKind::Log(of, _) if of == table))
            {
                continue;
            }
            let texts = verified.problems.iter().filter_map(|problem| match &problem.kind {
                ProblemKind::Log(of, _) | ProblemKind::Table(of) if of == table => {
                    Some(problem.text.as_str())
                }
                _ => None,
            });
            let reason = texts.collect::<Vec<_>>().join("; ");
            if reason.is_empty() {
                continue;
            }
            match of_log {
                LogPlan::Repairs(repairs) if repairs.is_empty() && !verified.unopened.contains(table) => {}
                LogPlan::Repairs(repairs) if !repairs.is_empty() => {
                    self.actions.push((RepairAction::Log(*table, repairs.clone()), reason));
                }
                LogPlan::OutOfReach => self.impossible.push(out_of_reach(&reason)),
                LogPlan::Without(lost) if *table == LakeTable::Events => {
                    self.actions.push((RepairAction::RebuildEventsLog(lost.clone()), reason));
                }
                _ if *table == LakeTable::Rollups => rebuild = Some(reason),
                _ => self.impossible.push(format!(
                    "the newest version of the table `events` needs what is damaged ({reason}); restore the folder \
                     events/_delta_log from a backup, or load the logs into a new lake"
                )),
            }
        }
        rebuild
    }

    fn add_files(
        &mut self,
        store: &Store,
        verified: &Verified,
        restored: &[&Problem],
    ) -> Result<bool, RollupError> {
        let (mut lost, mut days) = (BTreeMap::new(), BTreeMap::new());
        let mut has_events = true;
        let mut missing = 0;
        for problem in verified.problems.iter().filter(|problem| !restored.contains(problem)) {
            match &problem.kind {
                ProblemKind::File(TableFile { state: FileState::OutOfReach, table, .. }) => {
                    has_events &= *table != LakeTable::Events;
                    self.impossible.push(out_of_reach(&problem.text));
                }
                ProblemKind::File(file) if file.table == LakeTable::Events => {
                    missing += u64::from(file.state == FileState::Missing);
                    lost.insert(file.path.clone(), problem.text.clone());
                }
                ProblemKind::File(file) => {
                    let value = |name: &str| file.partition.get(name).and_then(Option::as_deref);
                    if let Some((event_type, date)) =
                        value("event_type").zip(value("date").and_then(Date::parse))
                    {
                        days.insert((event_type.to_owned(), date), problem.text.clone());
                    }
                }
                ProblemKind::Differing(event_type, date) => {
                    days.insert((event_type.clone(), *date), problem.text.clone());
                }
                ProblemKind::Log(..)
                | ProblemKind::Table(_)
                | ProblemKind::OutOfReach
                | ProblemKind::Day
                | ProblemKind::Month(_)
                | ProblemKind::PathIndex(_)
                | ProblemKind::Inputs(_)
                | ProblemKind::Published(_) => {}
            }
        }
        if missing >= MANY_FILES && missing * 2 > verified.event_files {
            self.impossible.push(format!(
                "{missing} of {} files of events are missing; if a disk is not mounted, mount it; else restore them from a \
                 backup",
                verified.event_files
            ));
            return Ok(false);
        }
        if !lost.is_empty() {
            let paths = lost.keys().cloned().collect();
            let files = Lake::open(store.clone())?.describe_events(&paths)?;
            let reason = lost.into_values().collect::<Vec<_>>().join("; ");
            self.actions.push((RepairAction::RemoveEvents(files), reason));
        }
        let days = days.into_iter();
        self.actions.extend(
            days.map(|((event_type, date), text)| (RepairAction::RebuildDay(event_type, date), text)),
        );
        Ok(has_events)
    }
}

fn out_of_reach(text: &str) -> String {
    format!(
        "{text}: it may be intact, so it stays; if the disk has lost it, delete the file and repair again"
    )
}

/// Returns the path below the lake of what is wrong, and what it had when it was written, where that is found.
fn restored(store: &Store, wrong: &ProblemKind) -> Result<Option<(String, Vec<u8>)>, StoreError> {
    match wrong {
        ProblemKind::Log(LakeTable::Events, problem) => lake::events_log(store).restored(problem.file),
        ProblemKind::Log(LakeTable::Rollups, problem) => rollup::log(store).restored(problem.file),
        ProblemKind::File(TableFile { table, path, state: FileState::Damaged, .. }) => {
            let path = format!("{table}/{path}");
            Ok(store.get_restored(&path)?.map(|bytes| (path, bytes)))
        }
        ProblemKind::Published(file) => restored_published(store, file),
        // Lines of their own are restored when the file is written again.
        ProblemKind::File(_)
        | ProblemKind::Table(_)
        | ProblemKind::OutOfReach
        | ProblemKind::Day
        | ProblemKind::Month(_)
        | ProblemKind::PathIndex(_)
        | ProblemKind::Differing(..)
        | ProblemKind::Inputs(_) => Ok(None),
    }
}

impl fmt::Display for RepairAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RepairAction::Restore { path, .. } => write!(f, "restore {path}: one bit of it has flipped"),
            RepairAction::Log(table, repairs) => {
                let log = format!("{table}/_delta_log");
                for (number, repair) in repairs.iter().enumerate() {
                    let next = if number == 0 { "" } else { "; " };
                    match repair {
                        LogRepair::LastCheckpoint => write!(f, "{next}rewrite {log}/_last_checkpoint")?,
                        LogRepair::Checkpoint(version) => {
                            write!(f, "{next}quarantine the checkpoint of version {version} in {log}")?;
                        }
                        LogRepair::History(until) => write!(
                            f,
                            "{next}quarantine the commits up to version {until} in {log}, which only older versions need"
                        )?,
                    }
                }
                Ok(())
            }
            RepairAction::RebuildEventsLog(lost) => {
                let versions: Vec<String> = lost.iter().map(u64::to_string).collect();
                let versions = versions.join(", ");
                write!(
                    f,
                    "rebuild events/_delta_log without version {versions}: what was ingested then is lost"
                )
            }
            RepairAction::Inputs(path) => write!(
                f,
                "rewrite {path} without the damaged entries: a log that has grown since it was ingested may be ingested \
                 again from its beginning"
            ),
            RepairAction::RebuildRollups => {
                write!(f, "quarantine rollups/, and recompute all aggregates from events")
            }
            RepairAction::RemoveEvents(files) => {
                for (number, lost) in files.iter().enumerate() {
                    let next = if number == 0 { "" } else { "\n" };
                    write!(f, "{next}quarantine {}: {lost}", lost.file)?;
                }
                Ok(())
            }
            RepairAction::RebuildDay(event_type, date) => {
                write!(f, "recompute the aggregates of {event_type}, {date} from events")
            }
            RepairAction::Month(path) | RepairAction::PathIndex(path) => {
                write!(f, "write {path} again, from the files of its days")
            }
            RepairAction::Published(PublishedFile::Ranking(path)) => {
                write!(
                    f,
                    "compute {path} again; if that gives another ranking, quarantine it: that ranking is lost"
                )
            }
            RepairAction::Published(PublishedFile::PointerBeside(path)) => {
                write!(f, "rewrite the pointer beside {path}")
            }
            RepairAction::Published(PublishedFile::Current(name)) => {
                write!(f, "point {} to the newest intact ranking", name.pointer())
            }
            RepairAction::Published(PublishedFile::ItemTotals(path)) => {
                write!(f, "quarantine {path}: the next `rank --all-items` writes item totals again")
            }
        }
    }
}
