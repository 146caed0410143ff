//! The summary of a run on stderr, and the answers of steps that have one on stdout.

use std::io::{self, Write};

use crate::failure::Exit;
use crate::lake_summary;
use crate::ranking_summary;
use crate::repair_summary;
use crate::settings::Verbosity;
use topsell_core::ingest;
use topsell_core::ingest::{FileNote, LineCounts, NamedBatch, NotedFile, Skipped, SkippedKind, SpoolSummary};
use topsell_core::lake::{DryRun, Reject};
use topsell_core::maintenance::{Compacted, Pruned};
use topsell_core::model::escape_control;
use topsell_core::pipeline::Done;
use topsell_core::progress::BatchOutcome;
use topsell_core::rollup;
use topsell_output::answers::explanation;
use topsell_output::formats::Format;
use topsell_output::terminal::TerminalOptions;
use topsell_output::text::counted;

/// The number of already ingested inputs that are listed.
const FIRST_SKIPPED: usize = 5;

/// Returns the exit code of a step that was done.
pub fn exit_of(done: &Done) -> Exit {
    match done {
        Done::Ingested { summary: ingest::Summary { spool: Some(spool), .. }, .. }
            if !spool.unmoved.is_empty() =>
        {
            Exit::RuntimeError
        }
        Done::Ingested { summary, .. }
            if summary.failures.is_empty()
                && summary.rejected == 0
                && !summary.notices.has_warning()
                && !summary.has_note_of_wrong_numbers() =>
        {
            Exit::Success
        }
        // Nothing at all could be read, and what could not be is still where it was.
        Done::Ingested { summary, .. }
            if summary.lines.read == 0
                && summary.inputs == summary.failures.len() as u64
                && summary.spool.is_none() =>
        {
            Exit::RuntimeError
        }
        Done::Ingested { .. } => Exit::CompletedWithRejects,
        Done::RolledUp(rollup::Summary { diff: Some(diff), .. }) if !diff.damaged_files.is_empty() => {
            Exit::DataCorruption
        }
        Done::Repaired(outcome) => repair_summary::exit_of(outcome),
        Done::Verified(verified) if verified.problems.is_empty() && verified.stopped_at.is_some() => {
            Exit::RuntimeError
        }
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
        Done::RolledUp(summary) => lake_summary::write_rollup(summary, verbosity, out),
        Done::RollupPlanned(planned) => lake_summary::write_planned_rollup(planned, out),
        Done::Compacted { compacted, dry_run } => lake_summary::write_compacted(compacted, *dry_run, out),
        Done::Pruned { pruned, dry_run } => lake_summary::write_pruned(pruned, *dry_run, out),
        Done::Verified(verified) => lake_summary::write_verified(verified, out),
        Done::Repaired(outcome) => repair_summary::write(outcome, out),
        // An answer, not a summary.
        Done::Counted(_) => Ok(()),
        Done::RollupPartsPlanned(planned) => lake_summary::write_rollup_parts(planned.as_ref(), out),
        Done::RankingPlanned { rolled_up, plan, file, .. } => {
            if let Some(rolled_up) = rolled_up {
                lake_summary::write_rollup(rolled_up, verbosity, out)?;
            }
            ranking_summary::write_plan(plan, file, out)
        }
        Done::RankingMerged { published, totals } => ranking_summary::write(published, totals.as_ref(), out),
        Done::Ranked { rolled_up, published, totals } => {
            lake_summary::write_rollup(rolled_up, verbosity, out)?;
            ranking_summary::write(published, totals.as_ref(), out)
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
    let unkept = summary.unkept_rejects;
    if more > 0 || (unkept > 0 && dry_run == DryRun::No) {
        let more = counted(more, "more line", "more lines");
        let first = summary.rejected - unkept;
        let kept = match (dry_run, unkept) {
            (DryRun::Yes, _) => String::new(),
            (_, 0) => "; all are in the lake's rejects folder".to_owned(),
            _ => format!(
                "; {first} of {} are in the lake's rejects folder, the others are over the limit of --max-rejects",
                summary.rejected
            ),
        };
        writeln!(out, "rejected: {more}{kept}")?;
    }
    if verbosity == Verbosity::Verbose {
        for Skipped { name, why, .. } in &summary.skipped {
            writeln!(out, "skipped: {}: {}", escape_control(name), escape_control(why))?;
        }
        write_batches(summary, out)?;
    }
    for name in summary.already_ingested.iter().take(FIRST_SKIPPED) {
        writeln!(out, "skipped: {} is already ingested", escape_control(name))?;
    }
    let more = summary.already_ingested.len().saturating_sub(FIRST_SKIPPED) as u64;
    if more > 0 {
        writeln!(out, "skipped: {} already ingested", counted(more, "more input is", "more inputs are"))?;
    }
    write_notes(&summary.notes, out)?;
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
        let added = counted(summary.batches, "new batch", "new batches");
        writeln!(
            out,
            "warning: --force added {added}: no ingested batch has the same id or content to replace"
        )?;
        writeln!(out, "hint: to replace a file that has changed, pass the --batch-id of its first load")?;
    }
    for notice in summary.notices.iter() {
        // File names may hold control characters.
        writeln!(out, "{}", escape_control(&notice.to_string()))?;
    }
    if has_remedy(summary) {
        writeln!(out, "hint: to load an input again with other options, pass --force too")?;
    }
    if let Some(categorized) = summary.categorized.filter(|_| summary.accepted > 0) {
        let events = counted(summary.accepted, "event", "events");
        writeln!(out, "catalog: {categorized} of {events} categorized from the item catalog")?;
    }
    for ingest::Outliers { input, count, events, first } in &summary.outliers {
        let are = if *count == 1 { "is" } else { "are" };
        let input = escape_control(input);
        writeln!(
            out,
            "warning: {input}: {count} of {events} events {are} more than a year from the others, the first on \
             {first}; if that is wrong, check the column of ts and --ts-format"
        )?;
    }
    write_unexplained(summary, out)?;
    let ingest::Summary { lines, accepted, duplicate, rejected, batches, replaced, .. } = summary;
    let read = summary.events();
    let as_events = LineCounts { read, filtered: 0, rejected: *rejected };
    if *lines != as_events {
        let LineCounts { read, filtered, rejected } = *lines;
        writeln!(
            out,
            "lines: {read} read = {} used + {filtered} filtered + {rejected} rejected",
            lines.used()
        )?;
        write!(out, "ingest: {} events", summary.events())?;
    } else {
        write!(out, "ingest: {read} read")?;
    }
    write!(out, " = {accepted} accepted + {duplicate} duplicate + {rejected} rejected")?;
    write!(out, ", {}", counted(*batches, "new batch", "new batches"))?;
    if *replaced > 0 {
        write!(out, ", {} replaced", counted(*replaced, "batch", "batches"))?;
    }
    if !summary.failures.is_empty() {
        let inputs = counted(summary.inputs, "input", "inputs");
        write!(out, ", {} of {inputs} failed", summary.failures.len())?;
    }
    write_skipped(&summary.skipped, verbosity, out)?;
    match dry_run {
        DryRun::No => writeln!(out),
        DryRun::Yes => writeln!(out, "; dry run, nothing was written"),
    }
}

/// Writes how many inputs a dry run explained, where it did not explain them all, and names the others.
fn write_unexplained(summary: &ingest::Summary, out: &mut dyn Write) -> io::Result<()> {
    if summary.unexplained.is_empty() {
        return Ok(());
    }
    let explained = summary.explanations.len() as u64;
    let all = counted(explained + summary.unexplained.len() as u64, "input", "inputs");
    let names: Vec<String> =
        summary.unexplained.iter().take(FIRST_SKIPPED).map(|name| escape_control(name)).collect();
    let more = if summary.unexplained.len() > FIRST_SKIPPED { ", …" } else { "" };
    writeln!(out, "explained: {explained} of {all}, not {}{more}", names.join(", "))
}

/// Writes the ids of batches.
fn write_batches(summary: &ingest::Summary, out: &mut dyn Write) -> io::Result<()> {
    for NamedBatch { input, id, outcome } in &summary.named_batches {
        let outcome = match outcome {
            BatchOutcome::New => "new",
            BatchOutcome::Replaced => "replaced",
            BatchOutcome::AlreadyIngested => "already ingested",
        };
        writeln!(out, "batch: {}: {id}, {outcome}", escape_control(input))?;
    }
    match summary.more_batches {
        0 => Ok(()),
        more => writeln!(out, "batch: {}", counted(more, "more batch", "more batches")),
    }
}

/// Returns whether a message names an option, but the batch is committed: without --force it would be skipped.
fn has_remedy(summary: &ingest::Summary) -> bool {
    let names_option = |reject: &Reject| reject.reason.contains("pass --");
    summary.batches > 0 && (summary.notices.has_warning() || summary.first_rejects.iter().any(names_option))
}

/// Writes what the content of files has to do with what is already ingested.
fn write_notes(notes: &[NotedFile], out: &mut dyn Write) -> io::Result<()> {
    let lines = |count: u64| counted(count, "line", "lines");
    let (mut identical, mut identical_lines) = (Vec::new(), 0);
    let (mut is_rewritten, mut has_same_beginning) = (false, false);
    for NotedFile { name, note } in notes {
        let name = escape_control(name);
        match note {
            FileNote::OtherContent { batch, lines: known } => {
                writeln!(
                    out,
                    "warning: {name} has other content than batch `{batch}`, which has {}; it was not loaded",
                    lines(*known)
                )?;
                writeln!(
                    out,
                    "hint: pass --force to replace the batch, or another --batch-id to add the file to it"
                )?;
            }
            &FileNote::Grown { known, new } => {
                writeln!(out, "note: {name} has grown: {} already ingested, {new} new", lines(known))?;
            }
            &FileNote::Rewritten { stay, loaded } => {
                is_rewritten = true;
                writeln!(
                    out,
                    "warning: {name} has changed since it was ingested: {} in the lake, and {} loaded now",
                    counted(stay, "line of its earlier version stays", "lines of its earlier version stay"),
                    counted(loaded, "line was", "lines were")
                )?;
            }
            &FileNote::SameBeginning { lines: known } => {
                has_same_beginning = true;
                writeln!(
                    out,
                    "warning: {name} begins with {} that are already ingested from another file; they were loaded again",
                    lines(known)
                )?;
            }
            &FileNote::Identical { lines } => {
                identical.push(name);
                identical_lines += lines;
            }
        }
    }
    if is_rewritten {
        writeln!(
            out,
            "hint: to replace a file that is rewritten each time, pass the same --batch-id with --force each time"
        )?;
    }
    if has_same_beginning {
        writeln!(
            out,
            "hint: if it is the same file under another name, pass --force to count its lines once"
        )?;
    }
    if identical.is_empty() {
        return Ok(());
    }
    let inputs = counted(identical.len() as u64, "input has", "inputs have");
    let more = if identical.len() > FIRST_SKIPPED { ", …" } else { "" };
    let names = identical[..identical.len().min(FIRST_SKIPPED)].join(", ");
    let lines = counted(identical_lines, "line was", "lines were");
    writeln!(out, "warning: {inputs} the content of another file, so {lines} not loaded: {names}{more}")?;
    writeln!(
        out,
        "hint: if these are other sales, load each file with a --batch-id of its own, or add a column that differs"
    )
}

/// Writes how many files and folders were passed over; those of a spool folder that are too recent are
/// counted with it.
fn write_skipped(skipped: &[Skipped], verbosity: Verbosity, out: &mut dyn Write) -> io::Result<()> {
    let count = |kind: SkippedKind| skipped.iter().filter(|skipped| skipped.kind == kind).count() as u64;
    let (files, folders) = (count(SkippedKind::File), count(SkippedKind::Folder));
    if files + folders == 0 {
        return Ok(());
    }
    let counts = [counted(files, "file", "files"), counted(folders, "directory", "directories")];
    let counts = counts.into_iter().zip([files, folders]).filter(|(_, count)| *count > 0);
    write!(out, ", {} skipped", counts.map(|(text, _)| text).collect::<Vec<_>>().join(" and "))?;
    if verbosity == Verbosity::Verbose { Ok(()) } else { write!(out, " (-v lists them)") }
}

fn write_spool(spool: &SpoolSummary, dry_run: DryRun, out: &mut dyn Write) -> io::Result<()> {
    for name in &spool.changed {
        let name = escape_control(name);
        writeln!(out, "skipped: {name} changed while it was read; the next run ingests it")?;
    }
    for why in &spool.unmoved {
        writeln!(out, "not moved: {}; its events are ingested", escape_control(why))?;
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
    let (file, reason) = (escape_control(&reject.file), escape_control(&reject.reason));
    match reject.line {
        Some(line) => writeln!(out, "rejected: {file}:{line}: {reason}"),
        None => writeln!(out, "failed: {file}: {reason}"),
    }
}

/// Writes the answer of a step that has one; stdout is for data.
///
/// # Errors
/// Fails where the output does.
pub fn answer(done: &Done, terminal: TerminalOptions, out: &mut dyn Write) -> io::Result<()> {
    match done {
        Done::Ingested { summary, .. } => {
            summary.explanations.iter().enumerate().try_for_each(|(number, explained)| {
                if number > 0 {
                    writeln!(out)?;
                }
                explanation(explained).write(Format::Table, terminal, &mut &mut *out)
            })
        }
        Done::RollupPlanned(planned) => lake_summary::write_rollup_plan(planned, out),
        Done::RollupPartsPlanned(Some((plan, file))) => writeln!(out, "{}\t{}", file.display(), plan.parts()),
        // A merge tells by its output whether there is another round.
        Done::RankingPlanned { plan, file, is_in_lake: true, .. } => {
            writeln!(out, "{}\t{}", file.display(), plan.parts())
        }
        Done::RankingPlanned { rolled_up: None, file, .. } => {
            writeln!(out, "{}", escape_control(&file.display().to_string()))
        }
        Done::Repaired(outcome) => repair_summary::write_plan(outcome, out),
        Done::Compacted { compacted: Compacted { plan, .. }, .. }
        | Done::Pruned { pruned: Pruned { plan, .. }, .. } => {
            // Paths and categories may hold control characters.
            plan.iter().try_for_each(|line| writeln!(out, "{}", escape_control(line)))
        }
        _ => Ok(()),
    }
}
