//! Compaction: small files of both tables rewritten as fewer large ones.

use crate::delta::StepLimits;
use crate::lake::{DryRun, Lake};
use crate::model::Timestamp;
use crate::progress::{Progress, Stage};
use crate::rollup::{RollupError, Rollups};

/// What a compaction did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// What would be compacted, a line each; only for a dry run.
    pub plan: Vec<String>,
    /// How many event files are merged, and into how many; for a dry run, if no category gets files of its own.
    pub event_files: u64,
    pub events_to: u64,
    /// The same of rollup files.
    pub rollup_files: u64,
    pub rollups_to: u64,
    /// Copies of whole months that were written.
    pub months: u64,
}

/// Rewrites the files of past days, and the event files of past hours of today, as one file for each group of
/// categories, or several large ones, in steps of a limited size.
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
    (compacted.event_files, compacted.events_to) = events.size();
    progress.begin(Stage::CompactEvents, Some(compacted.event_files));
    match dry_run {
        DryRun::Yes => compacted.plan.extend(lines_of_steps("events", events.steps(), |merge| {
            let (first, last) = (merge.partition.first(), merge.partition.last());
            let event_type = &merge.partition.day.event_type;
            let hours = format!("{} to {}", first.start(), last.plus(1).start());
            (format!("{event_type}, {}, {hours}", merge.category), merge.files())
        })),
        DryRun::No => {
            let merged = events.run(now_ms, &|files| progress.advance(Stage::CompactEvents, files))?;
            (compacted.event_files, compacted.events_to) = (merged.files, merged.written);
        }
    }
    progress.end(Stage::CompactEvents);
    let Some(rollups) = rollups else { return Ok(compacted) };
    let days = rollups.plan_compaction(now, limits)?;
    (compacted.rollup_files, compacted.rollups_to) = days.size();
    progress.begin(Stage::CompactAggregates, Some(compacted.rollup_files));
    match dry_run {
        DryRun::Yes => {
            compacted.plan.extend(lines_of_steps("aggregates", days.steps(), |merge| {
                let (event_type, category, date) = merge.day();
                (format!("{event_type}, {category}, {date}"), merge.files())
            }));
            let months = days.months()?;
            compacted.months = months.len() as u64;
            compacted.plan.extend(months.into_iter().map(|(event_type, first)| {
                format!("copy the aggregates of {event_type}, the month from {first}, into one file")
            }));
        }
        DryRun::No => {
            let advance = |files| progress.advance(Stage::CompactAggregates, files);
            let done = days.run(now_ms, &advance)?;
            (compacted.rollup_files, compacted.rollups_to) = (done.files, done.written);
            compacted.months = done.months;
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
