//! `topsell run`: one job, started by a person, cron, systemd or the scheduler.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, thread};

use clap::Args as ClapArgs;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::clock::Clock;
use crate::commands::schedule::jobs::{CheckWords, found};
use crate::failure::{Exit, Failure};
use crate::metrics;
use crate::settings::{Settings, Verbosity};
use topsell_core::model::{Timestamp, escape_control, hide_secrets};
use topsell_ops::job_spec::{Job, JobError, Sources, read_job};
use topsell_ops::process::Identity;
use topsell_ops::run_history::{Outcome, RunRecord, TRACEPARENT, TraceContext};
use topsell_ops::scheduler::{
    self, Program, RunError, RunEvents, RunResult, Runner, StartMessage, StopHandle, run_job,
};

/// The extension of job files; other files are crontabs.
const JOB_FILE: &str = "toml";
/// The default time zone; a run started by hand does not use it.
const UTC: &str = "UTC";

/// Run a job now, regardless of its schedule
///
/// The steps run in order until one fails. The exit code is that of the failed step, or 1 if a signal or
/// the job's timeout ended it. Only one run of a job is active at a time; if another is, the job's
/// `overlap` setting decides. `topsell runs` shows what happened.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell run jobs/nightly.toml                    run the job of a job file
  topsell run /etc/topsell/crontab --job backup    run one job of a crontab
")]
pub struct Run {
    /// Job file (*.toml) or crontab
    #[arg(required_unless_present = "prespawned", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Name of the job, if the file has several
    #[arg(long, value_name = "NAME", requires = "file")]
    pub job: Option<String>,
    /// Wait for a start message on standard input (used by the scheduler)
    #[arg(long, hide = true, conflicts_with = "file")]
    pub prespawned: bool,
}

/// Runs a job, and returns the exit code of the step that failed.
///
/// # Errors
/// Fails if there is no such job, another run of it is active, or the run cannot be recorded.
pub fn run(settings: &Settings, typed: &Run, check_words: CheckWords<'_>) -> Result<Exit, Failure> {
    let store = settings.store()?;
    let events = RunEvents::default();
    // Everything that does not depend on the job is done before the start message arrives.
    let identity = Identity::own();
    let trace = TraceContext::of(env::var(TRACEPARENT).ok().as_deref());
    let program = program(settings, store.location().into())?;
    let asked = env::args_os().skip(1).map(|word| hide_secrets(&word.to_string_lossy())).collect();
    let (start, last) = (monotonic_now(), Cell::new(settings.now));
    let wall = || wall(settings.clock, &last);
    let elapsed = || start.elapsed();
    let runner = Runner {
        store: &store,
        clock: scheduler::Clock::of(&wall, &elapsed),
        events: &events,
        identity,
        version: env!("CARGO_PKG_VERSION"),
        asked,
        trace,
        program,
        stdout: &|| Box::new(io::stdout()),
        stderr: &|| Box::new(io::stderr()),
        log: &|line| note(settings, typed, &escape_control(line)),
    };
    // Until there is a job, a signal ends the process at once.
    let Some(message) = start_message(settings, typed, check_words)? else { return Ok(Exit::Success) };
    forward_signals(events.stop_handle())?;
    let ending = run_job(&runner, &message).map_err(|error| failure_of(&error, &message.job))?;
    metrics::write(settings);
    report(settings, typed, &message.job, ending)
}

/// Returns what to run; `None` if standard input ends without a message.
fn start_message(
    settings: &Settings,
    typed: &Run,
    check_words: CheckWords<'_>,
) -> Result<Option<StartMessage>, Failure> {
    let Some(file) = &typed.file else {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        read.map_err(|e| Failure::runtime(format!("cannot read the start message: {e}")))?;
        // A line without its end is of someone who died while writing it.
        let Some(line) = line.strip_suffix('\n') else { return Ok(None) };
        return StartMessage::parse(line).map(Some).map_err(|e| Failure::usage(e.to_string()));
    };
    let job = job_of(settings, file, typed.job.as_deref(), check_words)?;
    Ok(Some(StartMessage { job, at: None, attempt: 1 }))
}

/// Returns a job of a file by name, or the only job.
fn job_of(
    settings: &Settings,
    file: &Path,
    name: Option<&str>,
    check_words: CheckWords<'_>,
) -> Result<Job, Failure> {
    let is_job_file = file.extension().is_some_and(|extension| extension == JOB_FILE);
    let mut jobs: Vec<Job> = if is_job_file {
        let failure = |errors: Vec<JobError>| {
            let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
            let said = said.join("\nerror: ");
            let is_unread = errors.iter().any(|error| matches!(error, JobError::Unreadable { .. }));
            if is_unread { Failure::runtime(said) } else { Failure::usage(said) }
        };
        vec![read_job(file, UTC, check_words).map_err(failure)?]
    } else {
        let crontabs = vec![file.to_path_buf()];
        let sources = Sources { crontabs, time_zone: UTC.to_owned(), ..Sources::default() };
        let found = found(settings, &sources, check_words);
        if !found.errors.is_empty() {
            return Err(Failure::usage(format!("{}: some of its jobs are invalid", file.display())));
        }
        found.jobs.into_values().collect()
    };
    let shown = file.display();
    let all: Vec<String> = jobs.iter().map(|job| format!("`{}`", job.name)).collect();
    jobs.retain(|job| name.is_none_or(|name| name == job.name));
    match (jobs.pop(), jobs.is_empty()) {
        (Some(job), true) => Ok(job),
        (Some(_), false) => {
            let hint = format!("pass one with --job: {}", all.join(", "));
            Err(Failure::usage(format!("{shown}: the file has several jobs")).with_hint(hint))
        }
        (None, _) if all.is_empty() => Err(Failure::usage(format!("{shown}: the file has no jobs"))),
        (None, _) => {
            let hint = format!("its jobs are {}", all.join(", "));
            Err(Failure::usage(format!("{shown}: the file has no such job")).with_hint(hint))
        }
    }
}

/// Logs a line. In a worker process only with --verbose, since the scheduler logs the results of its runs.
fn note(settings: &Settings, typed: &Run, text: &str) {
    if !typed.prespawned || settings.verbosity == Verbosity::Verbose {
        settings.note(text);
    }
}

/// Reports the result and returns the exit code.
fn report(settings: &Settings, typed: &Run, job: &Job, ending: RunResult) -> Result<Exit, Failure> {
    let record = match ending {
        RunResult::OwnedByOther { run } => {
            if settings.verbosity == Verbosity::Verbose {
                settings.note(&format!("run {run} belongs to another process; nothing done"));
            }
            return Ok(Exit::Success);
        }
        RunResult::NotStarted(record) if record.outcome == Outcome::Killed => record,
        RunResult::NotStarted(record) => {
            let why = record.message.unwrap_or_default();
            return Err(Failure::busy(escape_control(&why)));
        }
        RunResult::Finished(record) => record,
    };
    let RunRecord { id, seconds, outcome, message, exit_code, .. } = *record;
    if outcome == Outcome::Done {
        let took = seconds.unwrap_or_default();
        note(settings, typed, &format!("job {}: done in {took:.1} s (run {id})", job.name));
        return Ok(Exit::Success);
    }
    let at = format!("{}:{}", job.file.display(), job.line);
    let why = message.unwrap_or_default();
    // Reported here, since a step's exit code may be one without a failure of ours.
    let said = format!("error: the job {} ({at}): {why} (run {id})", job.name);
    // Without stderr there is nowhere to report it.
    let _ = writeln!(io::stderr(), "{}", escape_control(&said));
    Ok(exit_code.map_or(Exit::RuntimeError, Exit::OfJobStep))
}

fn failure_of(error: &RunError, job: &Job) -> Failure {
    let said = escape_control(&format!("cannot run the job {}: {error}", job.name));
    if matches!(error, RunError::BadName(_)) { Failure::usage(said) } else { Failure::runtime(said) }
}

/// Returns this program, for steps that run it.
fn program(settings: &Settings, lake: PathBuf) -> Result<Program, Failure> {
    let path = env::current_exe();
    let path = path.map_err(|e| Failure::runtime(format!("cannot find the path of this program: {e}")))?;
    let verbosity = match settings.verbosity {
        Verbosity::Quiet => Some("--quiet"),
        Verbosity::Normal => None,
        Verbosity::Verbose => Some("--verbose"),
    };
    let environment = match settings.clock {
        Clock::Machine => BTreeMap::new(),
        Clock::Fixed(now) => [("TOPSELL_NOW".to_owned(), now.to_string())].into(),
    };
    Ok(Program { path, verbosity, lake, environment })
}

/// Forwards signals as requests to stop the run.
fn forward_signals(handle: StopHandle) -> Result<(), Failure> {
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP]);
    let mut signals = signals.map_err(|e| Failure::runtime(format!("cannot handle signals: {e}")))?;
    thread::spawn(move || signals.forever().for_each(|signal| handle.stop(signal)));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the command line is where the clock is read")]
fn monotonic_now() -> Instant {
    Instant::now()
}

/// Returns the current time, or the last one if the clock is invalid.
fn wall(clock: Clock, last: &Cell<Timestamp>) -> Timestamp {
    last.set(clock.now().unwrap_or(last.get()));
    last.get()
}
