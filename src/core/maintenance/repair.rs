//! Repair of a lake: what can be computed again is, and what cannot be is set aside and named.
//!
//! Invariant: each action is complete by itself, and one that was interrupted is planned again; what is intact is
//! never changed.

use std::collections::BTreeSet;

use crate::delta::{LogPlan, LogReader};
use crate::lake::{
    self, Lake, LakeError, LostEvents, Quarantined, WritersLock, note_quarantined, repair_inputs,
};
use crate::maintenance::problem::LakeTable;
use crate::maintenance::repair_plan::{RepairAction, RepairPlan};
use crate::model::Timestamp;
use crate::progress::Progress;
use crate::rankings::{self, PublishedFile, PublishedRepair};
use crate::rollup::{self, Replaces, RollupError, Rollups, Scope};
use crate::storage::{Store, StoreError};

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Files and folders that were moved into the quarantine.
    pub set_aside: u64,
    /// Missing files of events that were removed from the table.
    pub missing: u64,
    /// Files that have again what they had when they were written.
    pub restored: u64,
    /// Files that were written again.
    pub rewritten: u64,
    /// Hours of an event type whose aggregates were computed again.
    pub hours: u64,
    /// Files of events that were lost.
    pub lost: Vec<LostEvents>,
    /// What else was lost, a line each.
    pub lost_others: Vec<String>,
    /// What cannot be repaired, and what to do about it.
    pub impossible: Vec<String>,
}

impl Repaired {
    /// Returns whether anything was changed.
    pub fn has_changes(&self) -> bool {
        let counts = [self.set_aside, self.missing, self.restored, self.rewritten, self.hours];
        counts.iter().any(|count| *count > 0) || !self.lost.is_empty() || !self.lost_others.is_empty()
    }

    /// Returns whether something was lost that the lake had.
    pub fn has_losses(&self) -> bool {
        !self.lost.is_empty() || !self.lost_others.is_empty() || !self.impossible.is_empty()
    }
}

/// Repairs the logs of the tables and what is known of ingested files.
///
/// # Errors
/// Fails where the disk does; what is not repaired then is planned again.
pub fn repair_logs(
    store: &Store,
    plan: &RepairPlan,
    writers: &WritersLock,
    now: Timestamp,
    repaired: &mut Repaired,
) -> Result<(), RollupError> {
    for (action, reason) in &plan.actions {
        match action {
            RepairAction::Restore { path, bytes } if action.is_of_log() => {
                repaired.restore(store, path, bytes)?;
            }
            RepairAction::Log(LakeTable::Events, _) => {
                repaired.repair_log(store, &lake::events_log(store), reason, now)?;
            }
            RepairAction::Log(LakeTable::Rollups, _) => {
                repaired.repair_log(store, &rollup::log(store), reason, now)?;
            }
            RepairAction::RebuildEventsLog(planned) => {
                let log = lake::events_log(store);
                // Read again, now that nobody commits.
                let check = log.check_all(planned.last().copied())?;
                if let LogPlan::Without(lost) = check.plan_repair() {
                    lake::rebuild_events_log(store, writers, &check, &lost)?;
                    repaired.lost_others.extend(lost.iter().map(|version| format!(
                        "events/_delta_log: what version {version} of the table `events` added or removed is lost; ingest \
                         again what was ingested then, without --force"
                    )));
                }
                repaired.repair_log(store, &log, reason, now)?;
            }
            RepairAction::Inputs(path) => {
                let dropped = repair_inputs(store, writers, path, reason, now)?;
                repaired.rewritten += 1;
                let lost = || {
                    format!(
                        "{path}: {dropped} of the entries of ingested files are lost; a log that has grown since it was \
                         ingested may be ingested again as a whole"
                    )
                };
                repaired.lost_others.extend((dropped > 0).then(lost));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Repairs the files of the tables.
///
/// # Errors
/// As [`repair_logs`].
pub fn repair_files(
    store: &Store,
    plan: &RepairPlan,
    now: Timestamp,
    progress: &Progress,
    repaired: &mut Repaired,
) -> Result<(), RollupError> {
    let now_ms = now.micros() / 1_000;
    let mut days = BTreeSet::new();
    for (action, reason) in &plan.actions {
        match action {
            RepairAction::Restore { path, bytes } if !action.is_of_log() => {
                repaired.restore(store, path, bytes)?;
            }
            RepairAction::RemoveEvents(files) => {
                let paths = files.iter().map(|lost| lost.path_in_table().to_owned()).collect();
                let (lost, moved) = Lake::open(store.clone())?.remove_damaged(&paths, reason, now)?;
                repaired.set_aside += moved;
                repaired.missing += lost.len() as u64 - moved;
                repaired.lost.extend(lost);
            }
            RepairAction::RebuildRollups => {
                let file = "rollups".to_owned();
                let note = |to: &str| {
                    let (file, moved_to, reason) = (file.clone(), Some(to.to_owned()), reason.clone());
                    note_quarantined(
                        store,
                        now,
                        &Quarantined { file, moved_to, reason, ..Quarantined::default() },
                    )
                };
                repaired.set_aside += u64::from(store.quarantine_folder(&file, note)?.is_some());
                let lake = Lake::open(store.clone())?;
                let summary = rollup::rollup(&lake, Scope::Changed, Replaces::DamagedOnly, now_ms, progress)?;
                repaired.hours += summary.hours;
            }
            RepairAction::RebuildDay(event_type, date) => drop(days.insert((event_type.clone(), *date))),
            RepairAction::Restore { .. }
            | RepairAction::Log(..)
            | RepairAction::RebuildEventsLog(_)
            | RepairAction::Inputs(_)
            | RepairAction::Month(_)
            | RepairAction::PathIndex(_)
            | RepairAction::Published(_) => {}
        }
    }
    let has_removed = plan.actions.iter().any(|(action, _)| matches!(action, RepairAction::RemoveEvents(_)));
    if !days.is_empty() || has_removed && Rollups::open(store)?.is_some() {
        let lake = Lake::open(store.clone())?;
        repaired.hours += rollup::rebuild(&lake, &days, now_ms, progress)?.hours;
    }
    for (action, _) in &plan.actions {
        if let RepairAction::Month(path) = action
            && let Some(rollups) = Rollups::open(store)?
        {
            repaired.rewritten += u64::from(rollups.rewrite_copy(path)?);
        }
        if let RepairAction::PathIndex(path) = action
            && let Some(rollups) = Rollups::open(store)?
        {
            rollups.rewrite_path_index(path)?;
            repaired.rewritten += 1;
        }
    }
    Ok(())
}

/// Repairs the published rankings and the item totals; `recompute` writes a ranking again and returns whether it could
/// be computed as it was, or none where it cannot be computed now: then it stays as it is.
///
/// # Errors
/// As [`repair_logs`].
pub fn repair_published(
    store: &Store,
    plan: &RepairPlan,
    recompute: &dyn Fn(&str) -> Option<bool>,
    now: Timestamp,
    repaired: &mut Repaired,
) -> Result<(), RollupError> {
    for (action, reason) in &plan.actions {
        let RepairAction::Published(file) = action else { continue };
        let is_rewritten = match file {
            PublishedFile::Ranking(path) => recompute(path),
            _ => Some(false),
        };
        let done = match is_rewritten {
            Some(true) => PublishedRepair::Rewritten,
            Some(false) => rankings::repair_published(store, file, reason, now)?,
            None => continue,
        };
        repaired.add_published(file, &done);
    }
    Ok(())
}

impl Repaired {
    fn repair_log(
        &mut self,
        store: &Store,
        log: &LogReader<'_>,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), RollupError> {
        // Read again, now that nobody commits.
        let check = log.check_all(None)?;
        let LogPlan::Repairs(repairs) = check.plan_repair() else { return Ok(()) };
        let note = &mut |file: &str, moved_to: &str| {
            self.set_aside += 1;
            let (file, moved_to, reason) = (file.to_owned(), Some(moved_to.to_owned()), reason.to_owned());
            note_quarantined(store, now, &Quarantined { file, moved_to, reason, ..Quarantined::default() })
        };
        Ok(log.repair(&check, &repairs, note).map_err(LakeError::from)?)
    }

    /// Writes what a file had when it was written, unless the file was changed since the plan was made: one bit is
    /// all that may differ.
    fn restore(&mut self, store: &Store, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let is_as_planned = match store.get(path) {
            Err(error) if error.is_not_found() => false,
            now => differing_bits(&now?, bytes) == Some(1),
        };
        if is_as_planned {
            store.put(path, bytes.to_vec().into())?;
            self.restored += 1;
        }
        Ok(())
    }

    fn add_published(&mut self, file: &PublishedFile, done: &PublishedRepair) {
        match (done, file) {
            (PublishedRepair::Rewritten, _) => self.rewritten += 1,
            (PublishedRepair::PointsTo(path), _) => {
                self.rewritten += 1;
                self.lost_others
                    .push(format!("rankings/current.json names {path} now, the newest intact ranking"));
            }
            (PublishedRepair::NoRanking, _) => {
                self.rewritten += 1;
                self.lost_others.push("no ranking is published; run `topsell rank`".to_owned());
            }
            (PublishedRepair::SetAside(moved), PublishedFile::Ranking(path)) => {
                self.set_aside += moved;
                self.lost_others.push(format!("{path}: that ranking cannot be computed again as it was"));
            }
            (PublishedRepair::SetAside(moved), _) => self.set_aside += moved,
        }
    }
}

/// Returns in how many bits two files differ; none where they are of different sizes.
fn differing_bits(one: &[u8], other: &[u8]) -> Option<u32> {
    let bits = || one.iter().zip(other).map(|(one, other)| (one ^ other).count_ones()).sum();
    (one.len() == other.len()).then(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::temporary;

    /// A plan is shown first, and whoever is asked may take an hour to say yes.
    #[test]
    fn a_file_that_changed_since_the_plan_was_made_is_not_restored() {
        let (store, _folder) = temporary();
        let path = "events/_delta_log/_last_checkpoint";
        let check = |now: Option<&[u8]>, expected: u64| {
            now.map_or_else(|| store.delete(path), |now| store.put(path, now.to_vec().into()))
                .expect("it can be written");
            let mut repaired = Repaired::default();
            repaired.restore(&store, path, b"{\"version\":5}").expect("the disk works");
            assert_eq!(repaired.restored, expected, "{now:?}");
            if expected == 0 {
                assert_eq!(store.get(path).ok().as_deref(), now, "it stays as it is");
            }
        };
        check(Some(b"{\"version\":4}"), 1);
        check(Some(b"{\"version\":5}"), 0);
        check(Some(b"{\"version\":6}"), 0);
        check(Some(b"{\"version\":15}"), 0);
        check(None, 0);
    }
}
