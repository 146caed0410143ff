//! The whole flow in one page: what a person or a job may ask for, and what came of it.
//!
//! Invariant: no work of its own; it calls the rooms in their order.

use crate::ingest::{self, Plan};
use crate::lake::{Lake, LakeError};
use crate::rank::{Rules, Search};
use crate::rollup::{self, RollupError, Rollups, Scope, Wanted};
use crate::snapshot::{self, Published, SnapshotError};
use crate::store::Store;
use crate::time::Timestamp;
use crate::trace::{Count, Run, Stage};

/// Something that can be asked of a lake.
pub enum Step {
    Ingest { plan: Plan, options: ingest::Options, slice_bytes: Option<u64> },
    Rollup { scope: Scope },
    Rank { rules: Rules, event_types: Vec<String> },
}

/// What came of it.
pub enum Done {
    Ingested(ingest::Summary),
    RolledUp(rollup::Summary),
    Ranked { rolled_up: rollup::Summary, published: Published },
}

/// A step could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Rollup(#[from] RollupError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// Does one step on the lake in a store.
///
/// # Errors
/// Fails where the step does; the lake is then as it was before, or as after a part of the step
/// that stands by itself.
pub fn run(step: &Step, store: &Store, now: Timestamp, run: &Run) -> Result<Done, StepError> {
    match step {
        Step::Ingest { plan, options, slice_bytes } => {
            let lake = Lake::open_or_create(store.clone(), *slice_bytes)?;
            Ok(Done::Ingested(ingest::ingest(&lake, plan, *options, run)?))
        }
        Step::Rollup { scope } => {
            let lake = Lake::open(store.clone())?;
            Ok(Done::RolledUp(rollup::rollup(&lake, *scope, now.micros() / 1_000, run)?))
        }
        Step::Rank { rules, event_types } => {
            let lake = Lake::open(store.clone())?;
            let rolled_up = rollup::rollup(&lake, Scope::Changed, now.micros() / 1_000, run)?;
            let published = rank(store, *rules, event_types, run)?;
            Ok(Done::Ranked { rolled_up, published })
        }
    }
}

fn rank(store: &Store, rules: Rules, event_types: &[String], run: &Run) -> Result<Published, StepError> {
    let rollups = Rollups::open_or_create(store)?;
    let mut search = Search::new(rules);
    while let Some(need) = search.need() {
        let wants = |paths: &str| need.wants_paths(paths);
        let sums = rollups.read(&Wanted { event_types, hours: need.hours.clone(), paths: &wants }, run)?;
        run.begin(Stage::Rank, None);
        search.supply(sums).map_err(SnapshotError::from)?;
        run.end(Stage::Rank);
    }
    run.begin(Stage::Publish, None);
    let published = snapshot::publish(store, &search.finish(), &rules, event_types)?;
    run.end(Stage::Publish);
    run.count(Count::CategoriesRanked, published.categories);
    run.count(Count::RowsRanked, published.rows);
    Ok(published)
}
