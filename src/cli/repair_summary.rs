//! The summary of a repair, and the plan of its dry run.

use std::io::{self, Write};

use crate::failure::{Exit, Failure};
use topsell_core::lake::LostEvents;
use topsell_core::maintenance::{RepairOutcome, RepairPlan, Repaired, Verified};
use topsell_core::model::{escape_control, escape_lines};
use topsell_core::pipeline::StepError;
use topsell_output::text::counted;

type Outcome = RepairOutcome<StepError>;

/// Returns the exit code of a repair.
pub fn exit_of(outcome: &Outcome) -> Exit {
    match outcome {
        RepairOutcome::Planned(..) => Exit::Success,
        RepairOutcome::Refused | RepairOutcome::Stopped(..) => Exit::RuntimeError,
        RepairOutcome::Done(repaired, verified) if repaired.has_losses() || !verified.problems.is_empty() => {
            Exit::DataCorruption
        }
        RepairOutcome::Done(..) => Exit::Success,
    }
}

/// Returns why a repair stopped; that something was lost before counts for more than what kept it from going on.
pub fn failure_of(repaired: &Repaired, error: StepError) -> Failure {
    let mut failure = Failure::from(error);
    if repaired.has_losses() {
        failure.exit = Exit::DataCorruption;
    }
    failure
}

/// Writes what came of a repair.
///
/// # Errors
/// Fails where the output does.
pub fn write(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    match outcome {
        RepairOutcome::Planned(verified, plan) => write_planned(verified, plan, out),
        RepairOutcome::Refused => write_refused(out),
        RepairOutcome::Done(repaired, verified) => {
            write_repaired(repaired, out)?;
            match verified.problems.len() as u64 {
                0 => writeln!(out, "; no problems left"),
                left => writeln!(out, "; {} left", counted(left, "problem", "problems")),
            }
        }
        RepairOutcome::Stopped(repaired, _) => {
            write_repaired(repaired, out)?;
            writeln!(out, "; stopped by an error, run `topsell lake repair` again")
        }
    }
}

/// Writes the summary of a dry run.
///
/// # Errors
/// Fails where the output does.
fn write_planned(verified: &Verified, plan: &RepairPlan, out: &mut dyn Write) -> io::Result<()> {
    for problem in &verified.problems {
        writeln!(out, "problem: {}", escape_control(&problem.text))?;
    }
    for what in &plan.impossible {
        writeln!(out, "cannot repair: {}", escape_control(what))?;
    }
    for table in &verified.unopened {
        writeln!(out, "note: the files of `{table}` can be checked only when its log is repaired")?;
    }
    match plan.actions.len() as u64 {
        0 => writeln!(out, "repair: nothing to repair"),
        repairs => writeln!(out, "repair: {} planned", counted(repairs, "repair", "repairs")),
    }
}

/// Writes what a repair would do, a line for each file; nothing where it was no dry run.
///
/// # Errors
/// Fails where the output does.
pub fn write_plan(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let RepairOutcome::Planned(_, plan) = outcome else { return Ok(()) };
    plan.actions.iter().try_for_each(|(action, _)| writeln!(out, "{}", escape_lines(&action.to_string())))
}

/// Writes that a plan was not confirmed.
///
/// # Errors
/// Fails where the output does.
fn write_refused(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "repair: nothing was changed; pass --yes to carry out the plan")
}

/// Writes what was repaired and lost, the last line without its end.
///
/// # Errors
/// Fails where the output does.
fn write_repaired(repaired: &Repaired, out: &mut dyn Write) -> io::Result<()> {
    for lost in &repaired.lost {
        writeln!(out, "lost: {}: {}", escape_control(&lost.file), escape_control(&lost.to_string()))?;
    }
    for what in &repaired.lost_others {
        writeln!(out, "note: {}", escape_control(what))?;
    }
    for what in &repaired.impossible {
        writeln!(out, "cannot repair: {}", escape_control(what))?;
    }
    if !repaired.lost.is_empty() {
        writeln!(
            out,
            "hint: to load lost events again, ingest the logs of those hours with --force, which replaces what is left of each \
             batch"
        )?;
    }
    let Repaired { set_aside, missing, restored, rewritten, hours, lost, .. } = repaired;
    let counts = [
        (*restored, counted(*restored, "file restored", "files restored")),
        (*rewritten, counted(*rewritten, "file rewritten", "files rewritten")),
        (*hours, format!("{} recomputed", counted(*hours, "hour", "hours"))),
        (*set_aside, counted(*set_aside, "file quarantined", "files quarantined")),
        (*missing, format!("{} removed from the table", counted(*missing, "missing file", "missing files"))),
    ];
    let done: Vec<String> =
        counts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
    let done = if done.is_empty() { "nothing to repair".to_owned() } else { done.join(", ") };
    write!(out, "repair: {done}")?;
    let rows: u64 = lost.iter().map(|lost: &LostEvents| lost.rows).sum();
    match rows {
        0 => Ok(()),
        rows => write!(out, "; {} of events LOST", counted(rows, "row", "rows")),
    }
}
