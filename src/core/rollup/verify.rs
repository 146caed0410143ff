//! The stored aggregates verified: compared with what the events add up to.
//!
//! Invariant: nothing is written.

use rayon::prelude::*;

use crate::lake::Lake;
use crate::model::AggregateRows;
use crate::progress::{Progress, Stage};
use crate::rollup::aggregate::aggregate_category;
use crate::rollup::dedup::dedup;
use crate::rollup::error::RollupError;
use crate::rollup::plan::{Scope, plan};
use crate::rollup::table::Rollups;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// The aggregates are of an older version of the events: a rollup is due, and nothing was compared.
    pub is_behind: bool,
    /// Days of categories that were compared.
    pub days: u64,
    /// Those whose aggregates are not what their events add up to.
    pub differing: Vec<String>,
}

/// Recomputes all aggregates from raw events and compares them with the stored ones.
///
/// # Errors
/// Names the file that is missing or damaged.
pub fn verify(lake: &Lake, progress: &Progress) -> Result<Verification, RollupError> {
    let behind = Verification { is_behind: true, ..Verification::default() };
    let Some(rollups) = Rollups::open(lake.store())? else { return Ok(behind) };
    let newest = rollups.table.newest()?;
    let missing = plan(lake, Some(&newest), Scope::Changed)?;
    let plan = plan(lake, Some(&newest), Scope::All)?;
    // Each plan reads the newest events; a batch may have been committed in between.
    if missing.hours() > 0 || missing.covers != plan.covers {
        return Ok(behind);
    }
    progress.begin(Stage::Rollup, Some(plan.rows()));
    let mut found = Verification::default();
    for plan in &plan.days {
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
