//! Runs one step of the pipeline: records it, draws its progress, prints its summary, writes the metrics.

use std::process;
use std::sync::Arc;

use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use crate::stdin::{self, Opening};
use crate::{metrics, progress_bars, repair_summary, run_recorder, summary, terminal};
use run_recorder::RecordMode;
use topsell_core::ingest::StdinStream;
use topsell_core::lake::DryRun;
use topsell_core::maintenance::RepairOutcome;
use topsell_core::pipeline::{self, Caller, Done, Step};
use topsell_core::progress::{Listener, Progress};
use topsell_core::storage::LockTimeout;
use topsell_ops::process::machine_name;

/// Runs a step.
///
/// # Errors
/// Fails as the step does.
pub fn run(
    settings: &Settings,
    step: &Step,
    lock_timeout: LockTimeout,
    stdin: Option<Opening>,
) -> Result<Exit, Failure> {
    run_with_exit(settings, step, lock_timeout, stdin, summary::exit_of)
}

/// Runs a step that ends with the exit code of a function.
///
/// # Errors
/// Fails as the step does.
pub fn run_with_exit(
    settings: &Settings,
    step: &Step,
    lock_timeout: LockTimeout,
    stdin: Option<Opening>,
    exit_of: impl FnOnce(&Done) -> Exit,
) -> Result<Exit, Failure> {
    recorded(settings, step, |record| {
        let stdin = stdin.map(|opening| stdin::open(opening, settings.clock)).transpose()?;
        let caller = caller(settings, step, lock_timeout, stdin);
        let progress = observed(settings, record);
        let done: Done = pipeline::run(step, &settings.store()?, &caller, &progress)?;
        // Bars are drawn as long as anything listens to the run.
        drop(progress);
        settings.say(|out| summary::write(&done, settings.verbosity, out))?;
        settings.answer(|out| summary::answer(&done, terminal::options(None, settings.color), out))?;
        match done {
            Done::Repaired(RepairOutcome::Stopped(repaired, error)) => {
                Err(repair_summary::failure_of(&repaired, error))
            }
            done => Ok(exit_of(&done)),
        }
    })
}

/// Does a step's work with the configured threads, leaves its run record, then the metrics.
///
/// # Errors
/// Fails as the work does.
pub fn recorded(
    settings: &Settings,
    step: &Step,
    work: impl FnOnce(Option<Arc<dyn Listener>>) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    settings.use_threads()?;
    let done = run_recorder::record(settings, name_of(step), mode_of(step), work);
    metrics::write(settings);
    done
}

/// Returns the name of a step in run records and lock files.
fn name_of(step: &Step) -> &'static str {
    match step {
        Step::Ingest { .. } | Step::Acknowledge { .. } => "ingest",
        Step::Rollup { .. } => "rollup",
        Step::PlanRollup { .. } => "rollup plan",
        Step::CommitRollup { .. } => "rollup commit",
        Step::Rank { .. } => "rank",
        Step::PlanRanking { .. } => "rank plan",
        Step::MergeRanking { .. } => "rank merge",
        Step::Compact { .. } => "compact",
        Step::Prune { .. } => "prune",
        Step::Verify { .. } => "verify",
        Step::Repair { .. } => "repair",
        Step::Stats => "stats",
    }
}

fn mode_of(step: &Step) -> RecordMode {
    let by = |dry_run: DryRun| match dry_run {
        DryRun::No => RecordMode::FromStart,
        DryRun::Yes => RecordMode::AtEnd,
    };
    match step {
        Step::Ingest { options, .. } => by(options.dry_run),
        Step::Rollup { dry_run, .. }
        | Step::Compact { dry_run }
        | Step::Prune { dry_run, .. }
        | Step::Repair { dry_run, .. } => by(*dry_run),
        Step::Stats => RecordMode::AtEnd,
        _ => RecordMode::FromStart,
    }
}

/// Returns who runs a step, and when.
pub fn caller(
    settings: &Settings,
    step: &Step,
    lock_timeout: LockTimeout,
    stdin: Option<StdinStream>,
) -> Caller {
    let command = name_of(step);
    let name =
        format!("{command} (process {}, host {}, since {})", process::id(), machine_name(), settings.now);
    Caller { name, lock_timeout, now: settings.now, stdin }
}

/// Returns a run that is recorded, and drawn where stderr is a terminal.
pub fn observed(settings: &Settings, record: Option<Arc<dyn Listener>>) -> Progress {
    let bars: Option<Arc<dyn Listener>> = settings.shows_progress().then(progress_bars::bars);
    Progress::with_listeners([record, bars].into_iter().flatten().collect())
}
