//! Batches that are not committed yet, and are planned like the files of the table.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::delta::Version;
use crate::lake::{Lake, UncommittedBatch, events_log};
use crate::rollup::error::RollupError;
use crate::rollup::event_file::EventFile;
use crate::rollup::plan::{Plan, Scope, plan};
use crate::storage::Store;

/// Returns the batches that a version of the events does not have; none where the commits do not say so. Each is
/// committed before it is given up by whoever holds it, so that it is counted once.
pub(super) fn still_uncommitted<'a>(
    store: &Store,
    uncommitted: &'a [Arc<UncommittedBatch>],
    until: u64,
) -> Result<Option<Vec<&'a UncommittedBatch>>, RollupError> {
    let Some(since) = uncommitted.iter().map(|batch| batch.since).min() else { return Ok(Some(Vec::new())) };
    let Some(recorded) = events_log(store).recorded_since(since, until)? else { return Ok(None) };
    let batches = uncommitted.iter().map(Arc::as_ref);
    Ok(Some(batches.filter(|batch| !recorded.contains(&batch.id)).collect()))
}

/// Returns the batches that a version of the events does not have.
pub(super) fn uncommitted_at<'a>(
    store: &Store,
    version: &Version<'_>,
    uncommitted: &'a [Arc<UncommittedBatch>],
) -> Result<Vec<&'a UncommittedBatch>, RollupError> {
    if let Some(batches) = still_uncommitted(store, uncommitted, version.number())? {
        return Ok(batches);
    }
    let mut batches = Vec::new();
    for batch in uncommitted {
        if version.transaction(&batch.id)?.is_none() {
            batches.push(batch.as_ref());
        }
    }
    Ok(batches)
}

/// Returns the plan of a rollup of the events and of what is not committed yet.
pub(super) fn plan_with(
    lake: &Lake,
    rollups: Option<&Version<'_>>,
    uncommitted: &[Arc<UncommittedBatch>],
) -> Result<Plan, RollupError> {
    let none = BTreeSet::new();
    loop {
        let newest = lake.events().newest()?;
        let batches = uncommitted_at(lake.store(), &newest, uncommitted)?;
        let plan = plan(lake, rollups, Scope::Changed, &none, &EventFile::of_uncommitted(&batches)?)?;
        // What was committed meanwhile may have been one of the batches.
        if uncommitted.is_empty() || plan.covers == newest.number() {
            return Ok(plan);
        }
    }
}
