//! The summaries of rollups and of the maintenance of a lake, and the plans of their dry runs.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::settings::Verbosity;
use topsell_core::distributed::RollupPlan;
use topsell_core::lake::LakeScope;
use topsell_core::lake::{DryRun, Expired};
use topsell_core::maintenance::{Compacted, Pruned, Verified};
use topsell_core::model::{Hour, escape_control};
use topsell_core::rollup::{Diff, PlannedCategory, PlannedRollup, Summary};
use topsell_ops::run_history::RetentionReport;
use topsell_output::text::{counted, size};

/// How many differing hours are listed.
const MAX_DIFFERING: usize = 5;
/// How many gaps are listed.
const MAX_GAPS: usize = 10;

/// Writes what a plan of a rollup in several processes has.
///
/// # Errors
/// Fails where the output does.
pub fn write_rollup_parts(planned: Option<&(RollupPlan, PathBuf)>, out: &mut dyn Write) -> io::Result<()> {
    let Some((plan, file)) = planned else { return writeln!(out, "plan: the aggregates are up to date") };
    let hours = counted(plan.hours(), "hour", "hours");
    let (parts, rows) = (counted(plan.parts() as u64, "part", "parts"), plan.rows());
    let rows = counted(rows, "row", "rows");
    writeln!(out, "plan: {hours}, {parts}, {rows} of events, in {}", file.display())
}

/// Writes the summary of a rollup.
///
/// # Errors
/// Fails where the output does.
pub fn write_rollup(summary: &Summary, verbosity: Verbosity, out: &mut dyn Write) -> io::Result<()> {
    if summary.hours == 0 {
        return writeln!(out, "rollup: up to date");
    }
    let hours = counted(summary.hours, "hour", "hours");
    let events = counted(summary.events, "event", "events");
    let rows = counted(summary.rows, "row", "rows");
    write!(out, "rollup: {hours} aggregated from {events}, {rows} written")?;
    if summary.repeated > 0 {
        write!(out, ", {} ignored", counted(summary.repeated, "duplicate event", "duplicate events"))?;
    }
    if summary.conflicts > 0 {
        let ids = counted(summary.conflicts, "event id", "event ids");
        write!(out, ", {ids} with differing contents counted once")?;
    }
    if summary.corrected > 0 {
        write!(out, ", {} corrected by newer versions", counted(summary.corrected, "event", "events"))?;
    }
    if verbosity == Verbosity::Verbose {
        let files = counted(summary.files_added, "file", "files");
        write!(out, ", {files} added, {} removed", summary.files_removed)?;
    }
    writeln!(out)?;
    summary.diff.as_ref().map_or(Ok(()), |diff| write_diff(diff, verbosity, out))
}

fn write_diff(diff: &Diff, verbosity: Verbosity, out: &mut dyn Write) -> io::Result<()> {
    let Diff { hours, changed_hours, differing, differing_in_damaged, damaged_files } = diff;
    for file in damaged_files {
        writeln!(out, "damaged: {} was replaced by what the events add up to", escape_control(file))?;
    }
    let mut all = differing.clone();
    for (hour, rows) in differing_in_damaged {
        *all.entry(hour.clone()).or_default() += rows;
    }
    let differing = &all;
    let listed = if verbosity == Verbosity::Verbose { differing.len() } else { MAX_DIFFERING };
    for ((hour, event_type), rows) in differing.iter().take(listed) {
        let rows = counted(*rows, "row", "rows");
        writeln!(out, "differing: {} {}: {rows}", hour.start(), escape_control(event_type))?;
    }
    write!(out, "rollup: {} compared with the stored aggregates", counted(*hours, "hour", "hours"))?;
    if *changed_hours > 0 {
        write!(out, ", {changed_hours} more had changed")?;
    }
    match differing.len() as u64 {
        0 => writeln!(out, "; no differences"),
        hours => {
            let rows = counted(differing.values().sum(), "row", "rows");
            let hours = counted(hours, "hour", "hours");
            writeln!(out, "; {hours} DIFFERED, in {rows}: replaced by what the events add up to")
        }
    }
}

/// Writes the summary of a rollup's dry run.
///
/// # Errors
/// Fails where the output does.
pub fn write_planned_rollup(planned: &PlannedRollup, out: &mut dyn Write) -> io::Result<()> {
    match planned.hours {
        0 => writeln!(out, "rollup: up to date"),
        hours => writeln!(out, "rollup: would recompute {}", counted(hours, "hour", "hours")),
    }
}

/// Writes which hours a rollup would recompute, a line for each category and day.
///
/// # Errors
/// Fails where the output does.
pub fn write_rollup_plan(planned: &PlannedRollup, out: &mut dyn Write) -> io::Result<()> {
    for of in &planned.categories {
        let PlannedCategory { event_type, category, date, hours, rows, files, reason } = of;
        let hours = hour_ranges(hours.iter().map(|hour| hour.of_day()));
        let (rows, files) = (counted(*rows, "event row", "event rows"), counted(*files, "file", "files"));
        let line =
            format!("recompute {event_type}, {category}, {date}: hours {hours}; {rows} in {files}; {reason}");
        writeln!(out, "{}", escape_control(&line))?;
    }
    Ok(())
}

/// Returns ascending hours of a day as ranges: `0-5, 7`.
fn hour_ranges(hours: impl Iterator<Item = i32>) -> String {
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for hour in hours {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == hour => *last = hour,
            _ => ranges.push((hour, hour)),
        }
    }
    let text = |(first, last): (i32, i32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.into_iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Writes the summary of a compaction.
///
/// # Errors
/// Fails where the output does.
pub fn write_compacted(compacted: &Compacted, dry_run: DryRun, out: &mut dyn Write) -> io::Result<()> {
    let Compacted { events_to, event_files, rollups_to, rollup_files, months, .. } = compacted;
    let counted_months = counted(*months, "month", "months");
    let copied = match (months, dry_run) {
        (0, _) => String::new(),
        (_, DryRun::Yes) => format!("; would copy the aggregates of {counted_months} into one file each"),
        (_, DryRun::No) => format!("; the aggregates of {counted_months} copied into one file each"),
    };
    if event_files + rollup_files == 0 {
        return writeln!(out, "compact: nothing to compact{copied}");
    }
    let event_files = counted(*event_files, "event file", "event files");
    let rollup_files = counted(*rollup_files, "rollup file", "rollup files");
    match dry_run {
        DryRun::Yes => writeln!(
            out,
            "compact: would rewrite {event_files} as {events_to}, {rollup_files} as {rollups_to}{copied}"
        ),
        DryRun::No => {
            writeln!(
                out,
                "compact: {event_files} rewritten as {events_to}, {rollup_files} as {rollups_to}{copied}"
            )
        }
    }
}

/// Writes the summary of a pruning.
///
/// # Errors
/// Fails where the output does.
pub fn write_pruned(pruned: &Pruned, dry_run: DryRun, out: &mut dyn Write) -> io::Result<()> {
    let Expired { hours, files, rows } = &pruned.expired;
    match pruned.oldest.map(Hour::start) {
        None => writeln!(out, "prune: all hours are kept; neither --retention nor topsell.toml limits them")?,
        Some(oldest) if hours.is_empty() => writeln!(out, "prune: no hours before {oldest}")?,
        Some(oldest) => {
            let hours = counted(hours.len() as u64, "hour", "hours");
            let (rows, files) = (counted(*rows, "row", "rows"), counted(*files, "file", "files"));
            let expired = if dry_run == DryRun::Yes { "would expire" } else { "expired" };
            writeln!(out, "prune: {hours} before {oldest} {expired}, {rows} in {files}")?;
        }
    }
    let files = counted(pruned.files, "unreferenced file", "unreferenced files");
    let rankings = counted(pruned.rankings, "old ranking", "old rankings");
    let (removed, bytes) = (removed(dry_run), size(pruned.size_bytes));
    write!(out, "prune: {files} and {rankings} {removed}, {bytes}")?;
    if pruned.skipped_events {
        write!(out, "; event files were being written and are left for the next run")?;
    }
    writeln!(out)?;
    if pruned.inputs > 0 {
        let entries = counted(pruned.inputs, "old entry", "old entries");
        writeln!(out, "prune: {entries} of ingested files {}", self::removed(dry_run))?;
    }
    if pruned.scratch > 0 {
        let scratch = counted(pruned.scratch, "old plan or result", "old plans and results");
        writeln!(out, "prune: {scratch} of several processes {}", self::removed(dry_run))?;
    }
    if pruned.rejects > 0 {
        let rejects = counted(pruned.rejects, "old file of rejects", "old files of rejects");
        writeln!(out, "prune: {rejects} {}", self::removed(dry_run))?;
    }
    match &pruned.refusal {
        Some(refusal) => writeln!(out, "warning: without --yes this would be refused: {refusal}"),
        None => Ok(()),
    }
}

/// Writes the summary of a pruning of the run history.
///
/// # Errors
/// Fails where the output does.
pub fn write_kept_runs(kept: &RetentionReport, dry_run: DryRun, out: &mut dyn Write) -> io::Result<()> {
    for problem in &kept.problems {
        writeln!(out, "skipped: {problem}")?;
    }
    let old = kept.deleted.len() as u64;
    if kept.archived + old == 0 {
        return Ok(());
    }
    let records = counted(kept.archived, "run record", "run records");
    let archived = if dry_run == DryRun::Yes { "would be archived" } else { "archived" };
    write!(out, "prune: {records} {archived}")?;
    match old {
        0 => writeln!(out),
        _ => writeln!(out, ", {} {}", counted(old, "old archive", "old archives"), removed(dry_run)),
    }
}

/// Writes which files of the run history would be removed, a line each.
///
/// # Errors
/// Fails where the output does.
pub fn write_kept_runs_plan(kept: &RetentionReport, out: &mut dyn Write) -> io::Result<()> {
    kept.deleted.iter().try_for_each(|path| writeln!(out, "remove {}", escape_control(path)))
}

fn removed(dry_run: DryRun) -> &'static str {
    if dry_run == DryRun::Yes { "would be removed" } else { "removed" }
}

/// Writes the summary of a verification.
///
/// # Errors
/// Fails where the output does.
pub fn write_verified(verified: &Verified, out: &mut dyn Write) -> io::Result<()> {
    for problem in &verified.problems {
        writeln!(out, "problem: {problem}")?;
    }
    for gap in verified.gaps.iter().take(MAX_GAPS) {
        let hours = counted(u64::from(gap.hours), "hour", "hours");
        writeln!(out, "gap: no events for {hours} from {}", gap.first.start())?;
    }
    let more = &verified.gaps[verified.gaps.len().min(MAX_GAPS)..];
    if !more.is_empty() {
        let hours = counted(more.iter().map(|gap| u64::from(gap.hours)).sum(), "hour", "hours");
        writeln!(out, "gap: {}, {hours}", counted(more.len() as u64, "more gap", "more gaps"))?;
    }
    let events = counted(verified.event_files, "event file", "event files");
    let rollups = counted(verified.rollup_files, "rollup file", "rollup files");
    let rankings = counted(verified.rankings, "ranking", "rankings");
    let days = counted(verified.days_recomputed, "category day", "category days");
    let log = counted(verified.log_files, "log file", "log files");
    write!(out, "verify: {events}, {rollups}, {log}, {rankings}, aggregates of {days} recomputed")?;
    if verified.months > 0 {
        write!(out, ", {} of months compared", counted(verified.months, "copy", "copies"))?;
    }
    if verified.path_indexes > 0 {
        let indexes = counted(verified.path_indexes, "index of paths", "indexes of paths");
        write!(out, ", {indexes} compared")?;
    }
    for table in &verified.unopened {
        write!(out, "; the files of `{table}` were not checked, because its log is damaged")?;
    }
    if !verified.unopened.is_empty() {
        write!(out, "; no day was compared")?;
    }
    if verified.days_damaged > 0 {
        let days = counted(verified.days_damaged, "day", "days");
        write!(out, "; {days} not compared, because of damaged files")?;
    }
    if verified.files_left > 0 {
        let files = counted(verified.files_left, "more file", "more files");
        write!(out, "; {files} not checked, because of {}", limits(verified.scope))?;
    }
    if verified.without_checksum > 0 {
        let files = counted(verified.without_checksum, "file", "files");
        write!(out, "; {files} without a checksum, from an older version or another program")?;
    }
    if verified.days_changed > 0 {
        let days = counted(verified.days_changed, "day", "days");
        write!(
            out,
            "; {days} not compared, with events newer than the aggregates: run `topsell rollup` and verify again"
        )?;
    }
    if let Some(date) = verified.stopped_at {
        write!(out, "; STOPPED before {date}: continue with --since {date}")?;
    }
    let is_partial = !verified.scope.is_all() || verified.stopped_at.is_some();
    match verified.problems.len() as u64 {
        0 if is_partial => writeln!(out, "; no problems found in what was checked"),
        0 if verified.days_changed > 0 => writeln!(out, "; no problems found in the rest"),
        0 => writeln!(out, "; no problems found"),
        problems => writeln!(out, "; {} found", counted(problems, "problem", "problems")),
    }
}

/// Returns the options that limit a verification.
fn limits(scope: LakeScope) -> String {
    let options = [scope.since.map(|_| "--since"), scope.share.map(|_| "--share")];
    options.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}
