//! The stored aggregates verified: compared with what the events add up to.
//!
//! Invariant: nothing is written.

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::lake::Lake;
use crate::model::{AggregateRows, Date};
use crate::progress::{Progress, Stage};
use crate::rollup::aggregate::aggregate_category;
use crate::rollup::dedup::dedup;
use crate::rollup::error::RollupError;
use crate::rollup::plan::{Scope, plan};
use crate::rollup::table::Rollups;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Days of categories that were compared.
    pub days: u64,
    /// Days of an event type that were not compared, since their events have changed since the last rollup.
    pub days_changed: u64,
    /// Those whose aggregates are not what their events add up to.
    pub differing: Vec<String>,
}

/// Recomputes all aggregates from raw events and compares them with the stored ones.
///
/// # Errors
/// Names the file that is missing or damaged.
pub fn verify(lake: &Lake, progress: &Progress) -> Result<Verification, RollupError> {
    let mut found = Verification::default();
    let Some(rollups) = Rollups::open(lake.store())? else {
        found.days_changed = plan(lake, None, Scope::Changed)?.days.len() as u64;
        return Ok(found);
    };
    let newest = rollups.table.newest()?;
    let all = plan(lake, Some(&newest), Scope::All)?;
    // After the other plan, so that a batch that was committed in between is one of the changes.
    let changed = plan(lake, Some(&newest), Scope::Changed)?;
    let changed: BTreeSet<(&str, Date)> =
        changed.days.iter().map(|day| (day.event_type.as_str(), day.date)).collect();
    found.days_changed = changed.len() as u64;
    progress.begin(Stage::Rollup, Some(all.rows()));
    for plan in &all.days {
        if changed.contains(&(plan.event_type.as_str(), plan.date)) {
            continue;
        }
        let day = dedup(lake, plan)?;
        let categories: Vec<&Option<String>> = day.categories().into_iter().collect();
        found.days += categories.len() as u64;
        let differing: Result<Vec<Option<String>>, RollupError> = categories
            .into_par_iter()
            .map(|category| {
                let (aggregates, _) = aggregate_category(lake, &day, category, progress)?;
                let mut stored = AggregateRows::default();
                for file in day.stored_files(category) {
                    rollups.read_file(&file, &mut stored)?;
                }
                let name = || {
                    let category = category.as_deref().unwrap_or("no category");
                    format!("{} of {category} on {}", plan.event_type, plan.date)
                };
                Ok((!stored.is_same_as(&aggregates)).then(name))
            })
            .collect();
        found.differing.extend(differing?.into_iter().flatten());
    }
    progress.end(Stage::Rollup);
    Ok(found)
}
