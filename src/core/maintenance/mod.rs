//! Looking after a lake: what is in it, whether it is whole, laying it out anew, and letting go of
//! what has outlived its use.
//!
//! Invariant: nothing here changes what a ranking of the hours that are kept says.

mod hours;
mod prune;
mod stats;
mod verify;

use crate::lake::{DryRun, Lake};
use crate::model::Timestamp;
use crate::progress::{Progress, Stage};
use crate::rollup::{RollupError, Rollups};

pub use hours::Gap;
pub use prune::{Keep, Pruned, prune};
pub use stats::{Stats, TableStats, stats};
pub use verify::{Verified, verify};

/// What merging small files comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// What is to be merged, a line each; only where that is all that was asked.
    pub plan: Vec<String>,
    /// Hours of categories whose event files become one, and how many files they had.
    pub event_hours: u64,
    pub event_files: u64,
    /// Days of categories whose rollup files become one, and how many files they had.
    pub rollup_days: u64,
    pub rollup_files: u64,
}

/// Merges the event files of hours that are over, one for each category and hour, and the rollup
/// files of days that are over, one for each category and day.
///
/// # Errors
/// Fails where the disk does; both tables say the same as before.
pub fn compact(
    lake: &Lake,
    now: Timestamp,
    dry_run: DryRun,
    progress: &Progress,
) -> Result<Compacted, RollupError> {
    // Before anything is merged: a table that another program has changed stops it all.
    let rollups = Rollups::open(lake.store())?;
    progress.begin(Stage::CompactEvents, None);
    let events = lake.plan_compaction(now)?;
    let (event_hours, event_files) = events.size();
    let mut compacted = Compacted { event_hours, event_files, ..Compacted::default() };
    if dry_run == DryRun::Yes {
        let lines = events.hours().map(|(of, files)| {
            let category = of.category.as_deref().unwrap_or("(no category)");
            format!("merge events of {}, {category}, {}: {files} files", of.event_type, of.hour.start())
        });
        compacted.plan.extend(lines);
    }
    let now_ms = now.micros() / 1_000;
    if dry_run == DryRun::No {
        (compacted.event_hours, compacted.event_files) = lake.compact(&events, now_ms)?;
    }
    progress.end(Stage::CompactEvents);
    if let Some(rollups) = rollups {
        progress.begin(Stage::CompactAggregates, None);
        let days = rollups.plan_merges(now)?;
        (compacted.rollup_days, compacted.rollup_files) = days.size();
        if dry_run == DryRun::Yes {
            let lines = days.days().map(|((event_type, category, date), files)| {
                let category = category.as_deref().unwrap_or("(no category)");
                format!("merge sums of {event_type}, {category}, {date}: {files} files")
            });
            compacted.plan.extend(lines);
        }
        if dry_run == DryRun::No {
            (compacted.rollup_days, compacted.rollup_files) = rollups.merge(&days, now_ms)?;
        }
        progress.end(Stage::CompactAggregates);
    }
    Ok(compacted)
}
