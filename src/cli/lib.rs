//! Where a person comes in: what was typed, what is meant, what is said back.
//!
//! Invariant: the only room that prints, reads the environment or asks the time.

mod args;
mod clock;
mod color;
mod complete;
mod config;
mod count;
mod datagen;
mod diary;
mod door;
mod failure;
mod health;
mod intake;
mod listeners;
mod man;
mod page;
mod progress;
mod report;
mod run;
mod runs;
mod schedule;
mod settings;
mod show;
mod size;

use std::io::{self, BufWriter, Write};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::{env, panic};

use clap::{ColorChoice, CommandFactory, FromArgMatches};

use topsell_core::ingest::StdinStream;
use topsell_core::lake::{DryRun, Lake, LakeError};
use topsell_core::parquet_format::is_guarded;
use topsell_core::pipeline::{self, Caller, Done, Step, StepError};
use topsell_core::progress::{Listener, Progress, Stage};
use topsell_core::storage::{LockTimeout, Store};
use topsell_ops::process::machine_name;
use topsell_ops::run_history::{Book, KeepRuns, KeptRuns};
use topsell_output::show::ShowError;

use args::Args;
use color::is_bright;
use config::Config;
use door::Opening;
use failure::{Exit, Failure};
use settings::{Settings, Task};

/// Does what was typed and returns the exit code.
pub fn main() -> ExitCode {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !is_guarded() {
            print(panic);
        }
    }));
    let (args, config) = match understood() {
        Ok(understood) => understood,
        Err(exit) => return exit,
    };
    let color = args.common.color;
    let settings = match Settings::of(args, config) {
        Ok(settings) => settings,
        Err(failure) => return failure.tell(color),
    };
    let done = run(&settings);
    // A job's run leaves them itself: it may have found that there is nothing to do.
    if matches!(settings.task, Task::Step { .. } | Task::Prune { .. } | Task::Report(_)) {
        health::keep_metrics(&settings);
    }
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => failure.tell(color),
    }
}

/// Returns what was typed, filled up with what is set; what makes no sense is told, and the exit code
/// is all that is left.
fn understood() -> Result<(Args, Config), ExitCode> {
    let around = Config::around();
    let color = color::typed(env::args_os());
    let color = color.or_else(|| around.as_ref().ok()?.color()).unwrap_or_default();
    let refuse = |error: clap::Error| tell_misuse(&error, color);
    let mut typed = Args::command().try_get_matches().map_err(refuse)?;
    let mut config = Config::default();
    if args::goes_by_settings(&typed) {
        config = around.and_then(|around| around.of_run(&typed)).map_err(|failure| failure.tell(color))?;
        if let Some(command) = config.defaults(Args::command(), &typed) {
            typed = command.try_get_matches().map_err(refuse)?;
        }
    }
    Ok((Args::from_arg_matches(&typed).map_err(refuse)?, config))
}

/// Says what is wrong with the command line, or how it is used where that was asked.
fn tell_misuse(error: &clap::Error, color: ColorChoice) -> ExitCode {
    let said = error.render();
    let write = |out: &mut dyn Write, is_bright: bool| match is_bright {
        true => write!(out, "{}", said.ansi()),
        false => write!(out, "{said}"),
    };
    // Help goes to stdout and is no failure; a reader that leaves early is none either.
    if error.use_stderr() {
        let mut stderr = io::stderr().lock();
        let is_bright = is_bright(color, &stderr);
        let _ = write(&mut stderr, is_bright);
        return Exit::Misused.into();
    }
    let mut stdout = io::stdout().lock();
    let is_bright = is_bright(color, &stdout);
    let _ = write(&mut stdout, is_bright).and_then(|()| stdout.flush());
    Exit::Done.into()
}

fn run(settings: &Settings) -> Result<Exit, Failure> {
    settings.use_threads()?;
    diary::kept(settings, |heard_by| match &settings.task {
        Task::Step { step, lock_timeout, stdin } => run_step(settings, step, *lock_timeout, *stdin, heard_by),
        Task::Prune { step, lock_timeout, keep_runs, dry_run } => {
            run_prune(settings, step, *lock_timeout, keep_runs, *dry_run, heard_by)
        }
        Task::Show(showing) => show::run(settings, showing),
        Task::Count(question) => count::run(settings, question),
        Task::Report(asked) => page::run(settings, asked),
        Task::Run(typed) => run::run(settings, typed),
        Task::Schedule(typed) => schedule::run(settings, typed),
        Task::Health(question) => health::run(settings, question),
        Task::Runs(asked) => runs::run(settings, asked),
        Task::Datagen(typed) => datagen::run(settings, typed),
        Task::Completions(typed) => complete::write(typed.shell, &mut io::stdout().lock()),
        Task::CompleteCategories(typed) => complete::answer(typed, settings.lake.clone()),
        Task::Man(typed) => man::run(settings, typed),
        Task::Config { config, form } => {
            let (mut out, mut notes) = (BufWriter::new(io::stdout().lock()), io::stderr().lock());
            let written = config::write(config, *form, &mut out, &mut notes).and_then(|()| out.flush());
            written.map_err(ShowError::from).or_else(failure::unless_reader_left)?;
            Ok(Exit::Done)
        }
    })
}

fn run_step(
    settings: &Settings,
    step: &Step,
    lock_timeout: LockTimeout,
    stdin: Option<Opening>,
    record: Option<Arc<dyn Listener>>,
) -> Result<Exit, Failure> {
    let stdin = stdin.map(|opening| door::open(opening, settings.clock)).transpose()?;
    let caller = caller(settings, step, lock_timeout, stdin);
    let progress = followed(settings, record);
    let done: Done = pipeline::run(step, &settings.store()?, &caller, &progress)?;
    // Bars draw until nobody follows the run any more.
    drop(progress);
    settings.say(|out| report::write(&done, settings.verbosity, out))?;
    settings.answer(|out| report::answer(&done, out))?;
    Ok(settings.allowing_rejects(report::exit_of(&done)))
}

fn run_prune(
    settings: &Settings,
    step: &Step,
    lock_timeout: LockTimeout,
    keep_runs: &KeepRuns,
    dry_run: DryRun,
    record: Option<Arc<dyn Listener>>,
) -> Result<Exit, Failure> {
    let caller = caller(settings, step, lock_timeout, None);
    let progress = followed(settings, record);
    let store = settings.store()?;
    let done = pipeline::run(step, &store, &caller, &progress);
    // A disk that was full may be why the lake could not be pruned, and old records take room on it.
    let kept = done.is_ok() || matches!(done, Err(StepError::Rollup(_)));
    let kept = kept.then(|| keep_records(&store, &caller, keep_runs, dry_run, &progress)).transpose();
    drop(progress);
    let (done, kept) = (done?, kept?.unwrap_or_default());
    settings.say(|out| {
        report::write(&done, settings.verbosity, out)?;
        report::write_kept_runs(&kept, dry_run, out)
    })?;
    settings.answer(|out| {
        report::answer(&done, out)?;
        if dry_run == DryRun::Yes { report::plan_of_records(&kept, out) } else { Ok(()) }
    })?;
    Ok(report::exit_of(&done))
}

/// Puts old records of runs into files by day and removes those past their time, alone on the lake.
fn keep_records(
    store: &Store,
    caller: &Caller,
    keep: &KeepRuns,
    dry_run: DryRun,
    progress: &Progress,
) -> Result<KeptRuns, StepError> {
    let _lock = Lake::open(store.clone())?.lock_maintenance(&caller.name, caller.lock_timeout)?;
    let book = Book::open(store);
    progress.begin(Stage::ArchiveRuns, None);
    let kept = match dry_run {
        DryRun::Yes => book.plan_keeping(keep),
        DryRun::No => book.keep(keep),
    };
    progress.end(Stage::ArchiveRuns);
    Ok(kept.map_err(LakeError::from)?)
}

/// Returns who asks for a step, and when.
fn caller(settings: &Settings, step: &Step, lock_timeout: LockTimeout, stdin: Option<StdinStream>) -> Caller {
    let command = diary::name_of(step);
    let name =
        format!("{command} (process {}, host {}, since {})", process::id(), machine_name(), settings.now);
    Caller { name, lock_timeout, now: settings.now, stdin }
}

/// Returns a run that is recorded, and drawn where somebody looks.
fn followed(settings: &Settings, record: Option<Arc<dyn Listener>>) -> Progress {
    let progress: Option<Arc<dyn Listener>> = settings.shows_progress().then(progress::bars);
    Progress::with_listeners([record, progress].into_iter().flatten().collect())
}
