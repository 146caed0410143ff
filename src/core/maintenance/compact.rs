//! Compaction: small files of both tables rewritten as fewer large ones.

use crate::lake::{DryRun, Lake};
use crate::model::Timestamp;
use crate::progress::{Progress, Stage};
use crate::rollup::{RollupError, Rollups};

/// What a compaction did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// What would be compacted, a line each; only for a dry run.
    pub plan: Vec<String>,
    /// Hours of categories whose event files are rewritten as one, and how many files they have.
    pub event_hours: u64,
    pub event_files: u64,
    /// Days of categories whose rollup files are rewritten as one, and how many files they have.
    pub rollup_days: u64,
    pub rollup_files: u64,
}

/// Rewrites the event files of past hours as one file for each category and hour, and the rollup files
/// of past days as one file for each category and day.
///
/// # Errors
/// Fails where the disk does; the rows of both tables are unchanged.
pub fn compact(
    lake: &Lake,
    now: Timestamp,
    dry_run: DryRun,
    progress: &Progress,
) -> Result<Compacted, RollupError> {
    // Before anything is written: a table that another program has changed is an error.
    let rollups = Rollups::open(lake.store())?;
    progress.begin(Stage::CompactEvents, None);
    let events = lake.plan_compaction(now)?;
    let (event_hours, event_files) = events.size();
    let mut compacted = Compacted { event_hours, event_files, ..Compacted::default() };
    if dry_run == DryRun::Yes {
        let lines = events.hours().map(|(of, files)| {
            let category = of.category.as_deref().unwrap_or("(no category)");
            format!("compact events of {}, {category}, {}: {files} files", of.event_type, of.hour.start())
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
        let days = rollups.plan_compaction(now)?;
        (compacted.rollup_days, compacted.rollup_files) = days.size();
        if dry_run == DryRun::Yes {
            let lines = days.days().map(|((event_type, category, date), files)| {
                let category = category.as_deref().unwrap_or("(no category)");
                format!("compact aggregates of {event_type}, {category}, {date}: {files} files")
            });
            compacted.plan.extend(lines);
        }
        if dry_run == DryRun::No {
            (compacted.rollup_days, compacted.rollup_files) = rollups.compact(&days, now_ms)?;
        }
        progress.end(Stage::CompactAggregates);
    }
    Ok(compacted)
}
