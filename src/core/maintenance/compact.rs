//! Compaction: small files of both tables rewritten as fewer large ones.

use crate::delta::StepLimits;
use crate::lake::{DryRun, HourPartition, Lake};
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

/// Rewrites the event files of past hours as one file for each category and hour, or several large ones, and
/// the rollup files of past days as one file for each category and day, in steps of a limited size.
///
/// # Errors
/// Fails where the disk does; the rows of both tables are unchanged.
pub fn compact(
    lake: &Lake,
    now: Timestamp,
    limits: StepLimits,
    dry_run: DryRun,
    progress: &Progress,
) -> Result<Compacted, RollupError> {
    let now_ms = now.micros() / 1_000;
    // Before anything is written: a table that another program has changed is an error.
    let rollups = Rollups::open(lake.store())?;
    let mut compacted = Compacted::default();
    let events = lake.plan_compaction(now, limits)?;
    (compacted.event_hours, compacted.event_files) = events.size();
    progress.begin(Stage::CompactEvents, Some(compacted.event_files));
    match dry_run {
        DryRun::Yes => compacted.plan.extend(lines_of_steps("events", events.steps(), |merge| {
            let HourPartition { event_type, category, hour } = &merge.partition;
            (format!("{event_type}, {}, {}", name_of(category.as_ref()), hour.start()), merge.files())
        })),
        DryRun::No => {
            let merged = events.run(now_ms, &|files| progress.advance(Stage::CompactEvents, files))?;
            (compacted.event_hours, compacted.event_files) = (merged.hours.len() as u64, merged.files);
        }
    }
    progress.end(Stage::CompactEvents);
    let Some(rollups) = rollups else { return Ok(compacted) };
    let days = rollups.plan_compaction(now, limits)?;
    (compacted.rollup_days, compacted.rollup_files) = days.size();
    progress.begin(Stage::CompactAggregates, Some(compacted.rollup_files));
    match dry_run {
        DryRun::Yes => compacted.plan.extend(lines_of_steps("aggregates", days.steps(), |merge| {
            let (event_type, category, date) = &merge.day;
            (format!("{event_type}, {}, {date}", name_of(category.as_ref())), merge.files())
        })),
        DryRun::No => {
            let advance = |files| progress.advance(Stage::CompactAggregates, files);
            (compacted.rollup_days, compacted.rollup_files) = days.run(now_ms, &advance)?;
        }
    }
    progress.end(Stage::CompactAggregates);
    Ok(compacted)
}

/// Returns a line for each merge, with its step where there are several.
fn lines_of_steps<T>(table: &str, steps: &[Vec<T>], described: impl Fn(&T) -> (String, u64)) -> Vec<String> {
    let mut lines = Vec::new();
    for (step, number) in steps.iter().zip(1..) {
        let of_step = if steps.len() > 1 { format!("step {number}: ") } else { String::new() };
        lines.extend(step.iter().map(|merge| {
            let (what, files) = described(merge);
            format!("{of_step}compact {table} of {what}: {files} files")
        }));
    }
    lines
}

fn name_of(category: Option<&String>) -> &str {
    category.map_or("(no category)", String::as_str)
}
