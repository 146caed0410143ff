//! The aggregates that stand, held against the events they are aggregates of.

use rayon::prelude::*;

use crate::lake::Lake;
use crate::model::AggregateRows;
use crate::progress::{Progress, Stage};
use crate::rollup::apply::aggregate_category;
use crate::rollup::settle::settle;
use crate::rollup::{RollupError, Rollups, Scope, plan};

/// What a recount has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recount {
    /// The aggregates are of an older version of the events; a rollup is due, and nothing was compared.
    pub is_behind: bool,
    /// Days of categories that were compared.
    pub days: u64,
    /// Those whose aggregates are not what their events add up to.
    pub wrong: Vec<String>,
}

/// Re-aggregates all events and compares; writes nothing.
///
/// # Errors
/// Names the file that is missing or damaged.
pub fn recount(lake: &Lake, progress: &Progress) -> Result<Recount, RollupError> {
    let Some(rollups) = Rollups::open(lake.store())? else {
        return Ok(Recount { is_behind: true, ..Recount::default() });
    };
    let newest = rollups.table.newest()?;
    let missing = plan(lake, &newest, Scope::Changed)?;
    let plan = plan(lake, &newest, Scope::All)?;
    // Each plan looks at the newest events; a batch may have come in between.
    if missing.hours() > 0 || missing.covers != plan.covers {
        return Ok(Recount { is_behind: true, ..Recount::default() });
    }
    progress.begin(Stage::Rollup, Some(plan.rows()));
    let mut found = Recount::default();
    for day in &plan.days {
        let settled = settle(lake, day)?;
        let categories: Vec<&Option<String>> = settled.categories().into_iter().collect();
        found.days += categories.len() as u64;
        let wrong: Result<Vec<Option<String>>, RollupError> = categories
            .into_par_iter()
            .map(|category| {
                let (aggregates, _) = aggregate_category(lake, &settled, category, progress)?;
                let mut stood = AggregateRows::default();
                for file in settled.standing(category) {
                    rollups.read_day(&file, &mut stood)?;
                }
                let name = || format!("{} of {} on {}", day.event_type, shown(category.as_deref()), day.date);
                Ok((!stood.is_same_as(&aggregates)).then(name))
            })
            .collect();
        found.wrong.extend(wrong?.into_iter().flatten());
    }
    progress.end(Stage::Rollup);
    Ok(found)
}

fn shown(category: Option<&str>) -> &str {
    category.unwrap_or("no category")
}
