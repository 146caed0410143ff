//! Batches that are not committed yet, and are planned like the files of the table.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::delta::Version;
use crate::lake::{Lake, UncommittedBatch, events_log};
use crate::rollup::error::RollupError;
use crate::rollup::event_file::EventFile;
use crate::rollup::plan::{Plan, Scope, plan};
use crate::storage::Store;

/// Returns the batches that the newest version of the events does not have; each is committed before it is given up
/// by whoever holds it, so that it is counted once.
pub(super) fn still_uncommitted<'a>(
    store: &Store,
    uncommitted: &'a [Arc<UncommittedBatch>],
    until: u64,
) -> Result<Vec<&'a UncommittedBatch>, RollupError> {
    let Some(since) = uncommitted.iter().map(|batch| batch.since).min() else { return Ok(Vec::new()) };
    let log = events_log(store);
    let is_recorded: Box<dyn Fn(&str) -> bool> = match log.recorded_since(since, until)? {
        Some(recorded) => Box::new(move |id| recorded.contains(id)),
        None => {
            let lake = Lake::open(store.clone())?;
            let ids = uncommitted.iter().map(|batch| batch.id.clone()).collect();
            let known = lake.known_batches(ids)?;
            Box::new(move |id| known.iter().any(|known| known == id))
        }
    };
    Ok(uncommitted.iter().map(Arc::as_ref).filter(|batch| !is_recorded(&batch.id)).collect())
}

/// Returns the plan of a rollup of the events and of what is not committed yet.
pub(super) fn plan_with(
    lake: &Lake,
    rollups: Option<&Version<'_>>,
    uncommitted: &[Arc<UncommittedBatch>],
) -> Result<Plan, RollupError> {
    let none = BTreeSet::new();
    let mut version = lake.events().newest()?.number();
    loop {
        let files = EventFile::of_uncommitted(&still_uncommitted(lake.store(), uncommitted, version)?)?;
        let plan = plan(lake, rollups, Scope::Changed, &none, &files)?;
        // What was committed meanwhile may have been one of the batches.
        if uncommitted.is_empty() || plan.covers == version {
            return Ok(plan);
        }
        version = plan.covers;
    }
}
