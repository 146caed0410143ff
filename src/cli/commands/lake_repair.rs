//! `topsell lake repair`: the plan is shown, and confirmed or refused.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::failure::Failure;
use crate::settings::{Settings, Verbosity};
use topsell_core::lake::{self, LakeError};
use topsell_core::maintenance::{Confirm, RepairPlan};
use topsell_core::model::{escape_control, escape_lines};

/// Repairs the file of the lake's format, if that is what keeps the lake from being opened; returns whether the
/// repair goes on.
///
/// # Errors
/// Fails where the table of events does not tell the format.
pub fn repair_format(settings: &Settings, yes: bool, dry_run: bool) -> Result<bool, Failure> {
    let store = settings.store_of_any_format()?;
    let Err(error @ LakeError::BadFormatFile { .. }) = lake::check_format(&store) else { return Ok(true) };
    settings.note(&format!("problem: {}", escape_control(&error.to_string())));
    let action = "rewrite format.json: the table `events` has the columns of the current format";
    if dry_run {
        settings.answer(|out| writeln!(out, "{action}"))?;
        settings.note("note: nothing else can be checked until format.json is rewritten");
        return Ok(false);
    }
    settings.note(action);
    let mut stderr = io::stderr();
    let is_wanted = yes || is_terminal() && is_confirmed(&mut stderr);
    if !is_wanted {
        return Err(Failure::runtime("nothing was changed; pass --yes to carry out the plan".to_owned()));
    }
    lake::restore_format(&store)?;
    Ok(true)
}

fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Returns what asks on a terminal whether to carry out a plan, or with `yes` only shows it.
pub fn confirm(yes: bool, verbosity: Verbosity) -> Confirm {
    Box::new(move |plan| {
        let mut stderr = io::stderr().lock();
        if verbosity != Verbosity::Quiet || !yes {
            // Without stderr there is nowhere to show it.
            let _ = write_plan(plan, &mut stderr);
        }
        yes || is_terminal() && is_confirmed(&mut stderr)
    })
}

fn is_confirmed(stderr: &mut dyn Write) -> bool {
    let asked = write!(stderr, "Proceed with this repair? [y/N] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    let read = asked.and_then(|()| io::stdin().lock().read_line(&mut answer));
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// Writes what is wrong and what would be done about it.
///
/// # Errors
/// Fails where the output does.
pub fn write_plan(plan: &RepairPlan, out: &mut dyn Write) -> io::Result<()> {
    for (action, reason) in &plan.actions {
        writeln!(out, "problem: {}", escape_control(reason))?;
        writeln!(out, "{}", escape_lines(&action.to_string()))?;
    }
    plan.impossible.iter().try_for_each(|what| writeln!(out, "cannot repair: {}", escape_control(what)))
}
