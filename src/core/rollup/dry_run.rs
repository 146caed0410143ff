//! What a rollup would recompute, for `--dry-run`.
//!
//! Invariant: nothing is written, and no lock is taken.

use std::collections::{BTreeMap, BTreeSet};

use crate::lake::Lake;
use crate::model::{Date, Hour};
use crate::rollup::error::RollupError;
use crate::rollup::plan::{DayPlan, Reason, Scope, plan};
use crate::rollup::table::Rollups;

/// What a rollup would recompute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedRollup {
    /// How many hours of an event type would be recomputed.
    pub hours: u64,
    pub categories: Vec<PlannedCategory>,
}

/// A day of one event type, and of a top-level category or a shard of them, of which hours would be recomputed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCategory {
    pub event_type: String,
    /// The name of the category, or of the shard.
    pub category: String,
    pub date: Date,
    /// The hours that have events, or may have stored aggregates.
    pub hours: BTreeSet<Hour>,
    /// How many event rows would be read, and from how many files.
    pub rows: u64,
    pub files: u64,
    pub reason: Reason,
}

/// Returns what a rollup would recompute; writes nothing and takes no lock.
///
/// Other hours of a day may be recomputed too, where they share an event id of differing contents
/// with these; that is known only when the ids are read.
///
/// # Errors
/// Fails where a table's log cannot be read.
pub fn dry_run(lake: &Lake, scope: Scope) -> Result<PlannedRollup, RollupError> {
    let rollups = Rollups::open(lake.store())?;
    let newest = rollups.as_ref().map(|rollups| rollups.table.newest()).transpose()?;
    let plan = plan(lake, newest.as_ref(), scope, &BTreeSet::new(), &[])?;
    Ok(PlannedRollup { hours: plan.hours(), categories: plan.days.iter().flat_map(categories_of).collect() })
}

/// Returns the categories that have events, or may have stored aggregates, in a day's planned hours.
fn categories_of(day: &DayPlan) -> Vec<PlannedCategory> {
    let mut categories: BTreeMap<String, PlannedCategory> = BTreeMap::new();
    let planned = |category: &String| PlannedCategory {
        event_type: day.event_type.clone(),
        category: category.clone(),
        date: day.date,
        hours: BTreeSet::new(),
        rows: 0,
        files: 0,
        reason: day.reason,
    };
    for of in day.events.iter().filter(|of| of.may_contain_any(&day.hours)) {
        let category = of.partition.category_name(&of.file);
        let planned = categories.entry(category.clone()).or_insert_with(|| planned(&category));
        planned.hours.extend(of.partition.hours().filter(|hour| day.hours.contains(hour)));
        planned.rows += of.file.rows;
        planned.files += 1;
    }
    for (partition, file) in &day.stored {
        let is_wanted = |hour: &Hour| day.is_full() || day.hours.contains(hour);
        let hours: Vec<Hour> = partition.hours().filter(is_wanted).collect();
        if !hours.is_empty() {
            let category = partition.category_name(file);
            categories.entry(category.clone()).or_insert_with(|| planned(&category)).hours.extend(hours);
        }
    }
    categories.into_values().collect()
}
