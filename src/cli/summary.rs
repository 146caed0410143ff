//! The summary of a run on stderr, and the answers of steps that have one on stdout.

use std::io::{self, Write};

use crate::failure::Exit;
use crate::settings::Verbosity;
use topsell_core::ingest;
use topsell_core::ingest::SpoolSummary;
use topsell_core::lake::{DryRun, Expired, Reject};
use topsell_core::maintenance::{Compacted, Pruned, Verified};
use topsell_core::model::{Hour, escape_control};
use topsell_core::pipeline::Done;
use topsell_core::rollup;
use topsell_core::rollup::Compared;
use topsell_ops::run_history::RetentionReport;
use topsell_output::text::{counted, size};

/// The number of already ingested inputs that are listed.
const FIRST_SKIPPED: usize = 5;
/// Hours that differ from what stood there that are named one by one.
const FIRST_DIFFERING: usize = 5;
/// Gaps that are named one by one.
const FIRST_GAPS: usize = 10;

/// Returns the exit code of a step that was done.
pub fn exit_of(done: &Done) -> Exit {
    match done {
        Done::Ingested { summary: ingest::Summary { spool: Some(spool), .. }, .. }
            if !spool.unmoved.is_empty() =>
        {
            Exit::RuntimeError
        }
        Done::Ingested { summary, .. } if summary.failures.is_empty() && summary.rejected == 0 => {
            Exit::Success
        }
        // Nothing at all could be read, and what could not be is still where it was.
        Done::Ingested { summary, .. }
            if summary.read == 0
                && summary.inputs == summary.failures.len() as u64
                && summary.spool.is_none() =>
        {
            Exit::RuntimeError
        }
        Done::Ingested { .. } => Exit::CompletedWithRejects,
        Done::Verified(verified) if !verified.problems.is_empty() => Exit::DataCorruption,
        _ => Exit::Success,
    }
}

/// Writes what came of a step.
///
/// # Errors
/// Fails where the output does.
pub fn write(done: &Done, verbosity: Verbosity, out: &mut dyn Write) -> io::Result<()> {
    match done {
        Done::Ingested { summary, dry_run } => write_ingest(summary, *dry_run, verbosity, out),
        Done::RolledUp(summary) => write_rollup(summary, verbosity, out),
        Done::Compacted { compacted, dry_run } => write_compacted(compacted, *dry_run, out),
        Done::Pruned { pruned, dry_run } => write_pruned(pruned, *dry_run, out),
        Done::Verified(verified) => write_verified(verified, out),
        // An answer, not a summary.
        Done::Counted(_) => Ok(()),
        Done::Ranked { rolled_up, published, totals } => {
            write_rollup(rolled_up, verbosity, out)?;
            let categories = counted(published.categories, "category", "categories");
            let rows = counted(published.rows, "row", "rows");
            let named = published.named.map(|named| format!(", {named} of them named")).unwrap_or_default();
            let (size_bytes, file) = (&published.size_bytes, &published.file);
            writeln!(out, "rank: {categories}, {rows}{named}, {} in {file}", size(*size_bytes))?;
            let Some(totals) = totals else { return Ok(()) };
            let rows = counted(totals.rows, "row", "rows");
            writeln!(out, "totals: {rows}, {} in {}", size(totals.size_bytes), totals.file)
        }
    }
}

fn write_ingest(
    summary: &ingest::Summary,
    dry_run: DryRun,
    verbosity: Verbosity,
    out: &mut dyn Write,
) -> io::Result<()> {
    for reject in summary.failures.iter().chain(&summary.first_rejects) {
        write_reject(reject, out)?;
    }
    let more = summary.rejected.saturating_sub(summary.first_rejects.len() as u64);
    if more > 0 {
        let more = counted(more, "more line", "more lines");
        let kept = if dry_run == DryRun::No { "; all are in the lake's rejects folder" } else { "" };
        writeln!(out, "rejected: {more}{kept}")?;
    }
    if verbosity == Verbosity::Verbose {
        for name in &summary.skipped_files {
            writeln!(out, "skipped: {name}")?;
        }
    }
    for name in summary.already_ingested.iter().take(FIRST_SKIPPED) {
        writeln!(out, "skipped: {name} is already ingested")?;
    }
    let more = summary.already_ingested.len().saturating_sub(FIRST_SKIPPED) as u64;
    if more > 0 {
        writeln!(out, "skipped: {} already ingested", counted(more, "more input is", "more inputs are"))?;
    }
    if let Some(spool) = &summary.spool {
        write_spool(spool, dry_run, out)?;
    } else if summary.inputs == 0 {
        writeln!(out, "no logs found")?;
    }
    if summary.was_stopped {
        writeln!(out, "stopped: by a signal; what had arrived by then was ingested")?;
    }
    if summary.unacknowledged > 0 {
        let messages = counted(summary.unacknowledged, "message was", "messages were");
        writeln!(out, "unacknowledged: {messages} not committed; the sender sends them again")?;
    }
    if summary.replaces && summary.batches > 0 {
        let added = counted(summary.batches, "batch was", "batches were");
        writeln!(out, "added: {added} not in the lake before and replaced nothing")?;
    }
    if let Some(categorized) = summary.categorized.filter(|_| summary.accepted > 0) {
        let events = counted(summary.accepted, "event", "events");
        writeln!(out, "catalog: {categorized} of {events} categorized from the item catalog")?;
    }
    let ingest::Summary { read, accepted, duplicate, rejected, batches, replaced, .. } = summary;
    write!(out, "ingest: {read} read = {accepted} accepted + {duplicate} duplicate + {rejected} rejected")?;
    write!(out, ", {}", counted(*batches, "new batch", "new batches"))?;
    if *replaced > 0 {
        write!(out, ", {} replaced", counted(*replaced, "batch", "batches"))?;
    }
    if !summary.failures.is_empty() {
        let inputs = counted(summary.inputs, "input", "inputs");
        write!(out, ", {} of {inputs} failed", summary.failures.len())?;
    }
    match dry_run {
        DryRun::No => writeln!(out),
        DryRun::Yes => writeln!(out, "; dry run, nothing was written"),
    }
}

fn write_spool(spool: &SpoolSummary, dry_run: DryRun, out: &mut dyn Write) -> io::Result<()> {
    for name in &spool.changed {
        writeln!(out, "skipped: {name} changed while it was read; the next run ingests it")?;
    }
    for why in &spool.unmoved {
        writeln!(out, "not moved: {why}; its events are ingested")?;
    }
    let SpoolSummary { done, failed, too_recent, .. } = *spool;
    let done = counted(done, "file", "files");
    match dry_run {
        DryRun::No => write!(out, "spool: {done} moved to done, {failed} to failed")?,
        DryRun::Yes => write!(out, "spool: would move {done} to done, {failed} to failed")?,
    }
    match too_recent {
        0 => writeln!(out),
        _ => writeln!(out, ", {too_recent} modified too recently"),
    }
}

fn write_reject(reject: &Reject, out: &mut dyn Write) -> io::Result<()> {
    match reject.line {
        Some(line) => writeln!(out, "rejected: {}:{line}: {}", reject.file, reject.reason),
        None => writeln!(out, "failed: {}: {}", reject.file, reject.reason),
    }
}

fn write_rollup(summary: &rollup::Summary, verbosity: Verbosity, out: &mut dyn Write) -> io::Result<()> {
    if summary.hours == 0 {
        return writeln!(out, "rollup: up to date");
    }
    let (hours, events) =
        (counted(summary.hours, "hour", "hours"), counted(summary.events, "event", "events"));
    write!(out, "rollup: {hours} summed from {events}, {} written", counted(summary.rows, "row", "rows"))?;
    if summary.repeated > 0 {
        write!(out, ", {} left out", counted(summary.repeated, "repeated event", "repeated events"))?;
    }
    if summary.conflicts > 0 {
        let ids = counted(summary.conflicts, "event id", "event ids");
        write!(out, ", {ids} with differing contents counted once")?;
    }
    if verbosity == Verbosity::Verbose {
        let files = counted(summary.files_added, "file", "files");
        write!(out, ", {files} added, {} taken out", summary.files_removed)?;
    }
    writeln!(out)?;
    summary.compared.as_ref().map_or(Ok(()), |compared| write_compared(compared, verbosity, out))
}

fn write_compared(compared: &Compared, verbosity: Verbosity, out: &mut dyn Write) -> io::Result<()> {
    let Compared { hours, changed_hours, differing } = compared;
    let shown = if verbosity == Verbosity::Verbose { differing.len() } else { FIRST_DIFFERING };
    for ((hour, event_type), rows) in differing.iter().take(shown) {
        let rows = counted(*rows, "row", "rows");
        writeln!(out, "differing: {} {}: {rows}", hour.start(), escape_control(event_type))?;
    }
    write!(out, "rollup: {} compared with what stood there", counted(*hours, "hour", "hours"))?;
    if *changed_hours > 0 {
        write!(out, ", {} had changed", counted(*changed_hours, "more", "more"))?;
    }
    match differing.len() as u64 {
        0 => writeln!(out, "; none differs"),
        wrong => {
            let rows = counted(differing.values().sum(), "row", "rows");
            writeln!(out, "; {wrong} DIFFERED, in {rows}: all are now what their events add up to")
        }
    }
}

fn write_compacted(compacted: &Compacted, dry_run: DryRun, out: &mut dyn Write) -> io::Result<()> {
    let event_files = counted(compacted.event_files, "event file", "event files");
    let rollup_files = counted(compacted.rollup_files, "rollup file", "rollup files");
    match (dry_run, compacted.event_hours + compacted.rollup_days) {
        (_, 0) => writeln!(out, "compact: nothing to merge"),
        (DryRun::Yes, _) => writeln!(
            out,
            "compact: would merge {event_files} into {}, {rollup_files} into {}",
            compacted.event_hours, compacted.rollup_days
        ),
        (DryRun::No, _) => writeln!(
            out,
            "compact: {event_files} merged into {}, {rollup_files} into {}",
            compacted.event_hours, compacted.rollup_days
        ),
    }
}

fn write_pruned(pruned: &Pruned, dry_run: DryRun, out: &mut dyn Write) -> io::Result<()> {
    let Expired { hours, files, rows } = &pruned.dropped;
    let hours = hours.len() as u64;
    let would = if dry_run == DryRun::Yes { "would be " } else { "" };
    match pruned.oldest.map(Hour::start) {
        None => {
            writeln!(out, "prune: all hours are kept; neither --retention nor topsell.toml says otherwise")?;
        }
        Some(oldest) if hours == 0 => writeln!(out, "prune: nothing lies before {oldest}")?,
        Some(oldest) => writeln!(
            out,
            "prune: {} before {oldest} {would}dropped, {} in {}",
            counted(hours, "hour", "hours"),
            counted(*rows, "row", "rows"),
            counted(*files, "file", "files"),
        )?,
    }
    let files = counted(pruned.files, "unneeded file", "unneeded files");
    let rankings = counted(pruned.rankings, "old ranking", "old rankings");
    write!(out, "prune: {files} and {rankings} {would}removed, {}", size(pruned.size_bytes))?;
    match pruned.is_events_left {
        true => writeln!(
            out,
            "; the events table's files were being written all the time and are left for the next run"
        ),
        false => writeln!(out),
    }
}

/// Writes what became of the records of runs.
///
/// # Errors
/// Fails where the output does.
pub fn write_kept_runs(kept: &RetentionReport, dry_run: DryRun, out: &mut dyn Write) -> io::Result<()> {
    for problem in &kept.problems {
        writeln!(out, "left: {problem}")?;
    }
    let old = kept.deleted.len() as u64;
    if kept.archived + old == 0 {
        return Ok(());
    }
    let would = if dry_run == DryRun::Yes { "would be " } else { "" };
    let archived = counted(kept.archived, "run record", "run records");
    write!(out, "prune: {archived} {would}archived by day")?;
    match old {
        0 => writeln!(out),
        _ => writeln!(out, ", {} of expired days {would}removed", counted(old, "file", "files")),
    }
}

fn write_verified(verified: &Verified, out: &mut dyn Write) -> io::Result<()> {
    for problem in &verified.problems {
        writeln!(out, "damaged: {problem}")?;
    }
    for gap in verified.gaps.iter().take(FIRST_GAPS) {
        let hours = counted(u64::from(gap.hours), "hour", "hours");
        writeln!(out, "gap: no events for {hours} from {}", gap.first.start())?;
    }
    let more = &verified.gaps[verified.gaps.len().min(FIRST_GAPS)..];
    if !more.is_empty() {
        let hours = counted(more.iter().map(|gap| u64::from(gap.hours)).sum(), "hour", "hours");
        writeln!(out, "gap: {}, {hours}", counted(more.len() as u64, "more gap", "more gaps"))?;
    }
    let events = counted(verified.event_files, "event file", "event files");
    let rollups = counted(verified.rollup_files, "rollup file", "rollup files");
    let rankings = counted(verified.rankings, "ranking", "rankings");
    let days = counted(verified.days_recounted, "day", "days");
    write!(out, "verify: {events}, {rollups}, {rankings}, sums of {days} of categories counted again")?;
    if verified.is_behind {
        write!(out, "; the sums are behind the events, so run `topsell rollup` and verify again")?;
    }
    match verified.problems.len() as u64 {
        0 => writeln!(out, "; all is well"),
        problems => writeln!(out, "; {}", counted(problems, "problem", "problems")),
    }
}

/// Writes the answer of a step that has one; stdout is for data.
///
/// # Errors
/// Fails where the output does.
pub fn answer(done: &Done, out: &mut dyn Write) -> io::Result<()> {
    match done {
        Done::Compacted { compacted: Compacted { plan, .. }, .. }
        | Done::Pruned { pruned: Pruned { plan, .. }, .. } => {
            // Names of others may hold anything that a terminal would obey.
            plan.iter().try_for_each(|line| writeln!(out, "{}", escape_control(line)))
        }
        _ => Ok(()),
    }
}

/// Writes which files of records would go, a line each.
///
/// # Errors
/// Fails where the output does.
pub fn plan_of_records(kept: &RetentionReport, out: &mut dyn Write) -> io::Result<()> {
    kept.deleted.iter().try_for_each(|path| writeln!(out, "remove {}", escape_control(path)))
}
