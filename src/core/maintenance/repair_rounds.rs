//! Repairs a lake until a verification finds nothing that can be repaired: what is behind a damaged log is known only
//! when that is repaired.

use std::mem::take;

use crate::lake::LakeScope;
use crate::lake::{self, DryRun};
use crate::maintenance::repair::{Repaired, repair_files, repair_logs, repair_published};
use crate::maintenance::repair_plan::RepairPlan;
use crate::maintenance::stop_request::StopRequest;
use crate::maintenance::verify::{Verified, verify};
use crate::model::Timestamp;
use crate::progress::Progress;
use crate::rollup::RollupError;
use crate::storage::{LockError, Store};

/// After the logs, the files of the tables, and the aggregates of those.
const MAX_ROUNDS: u32 = 4;

/// Returns whether a plan is to be carried out.
pub type Confirm = Box<dyn Fn(&RepairPlan) -> bool + Send + Sync>;

/// What came of a repair.
pub enum RepairOutcome<E> {
    /// It was a dry run.
    Planned(Verified, RepairPlan),
    /// The plan was not confirmed, and nothing was changed.
    Refused,
    /// What was repaired, and what a verification found afterwards.
    Done(Repaired, Verified),
    /// What was repaired before a step failed, and how.
    Stopped(Repaired, E),
}

/// Repairs a lake; `recompute` writes a ranking again and returns whether it could be computed as it was, or none
/// where it cannot be computed now.
///
/// # Errors
/// Fails where the disk does, or batches are being written all the time while a log is to be repaired; once anything
/// was changed, that is an outcome, too.
pub fn repair<E: From<RollupError> + From<LockError>>(
    store: &Store,
    dry_run: DryRun,
    confirm: &Confirm,
    recompute: &dyn Fn(&str) -> Option<bool>,
    now: Timestamp,
    progress: &Progress,
) -> Result<RepairOutcome<E>, E> {
    let mut repaired = Repaired::default();
    match repair_in_rounds(store, dry_run, confirm, recompute, now, progress, &mut repaired) {
        Err(error) if repaired.has_changes() => Ok(RepairOutcome::Stopped(repaired, error)),
        outcome => outcome,
    }
}

fn repair_in_rounds<E: From<RollupError> + From<LockError>>(
    store: &Store,
    dry_run: DryRun,
    confirm: &Confirm,
    recompute: &dyn Fn(&str) -> Option<bool>,
    now: Timestamp,
    progress: &Progress,
    repaired: &mut Repaired,
) -> Result<RepairOutcome<E>, E> {
    let mut round = 0;
    loop {
        let verified = verify(store, LakeScope::default(), &StopRequest::default(), progress)?;
        let plan = RepairPlan::of(store, &verified)?;
        if dry_run == DryRun::Yes {
            return Ok(RepairOutcome::Planned(verified, plan));
        }
        repaired.impossible.clone_from(&plan.impossible);
        if plan.actions.is_empty() || round == MAX_ROUNDS {
            return Ok(RepairOutcome::Done(take(repaired), verified));
        }
        // Each round: what is behind a log was not in the first plan.
        if !confirm(&plan) {
            return Ok(match round {
                0 => RepairOutcome::Refused,
                _ => RepairOutcome::Done(take(repaired), verified),
            });
        }
        if plan.needs_writers() {
            let writers = lake::lock_writers(store)?;
            repair_logs(store, &plan, &writers, now, repaired)?;
        }
        repair_files(store, &plan, now, progress, repaired)?;
        repair_published(store, &plan, recompute, now, repaired)?;
        round += 1;
    }
}
