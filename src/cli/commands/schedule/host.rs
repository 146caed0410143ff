//! Connects the scheduler with signals, the log on stderr, and the clock.

use std::cell::Cell;
use std::io::{self, Write};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::clock::Clock;
use crate::commands::schedule::args::Schedule;
use crate::commands::schedule::jobs::CheckWords;
use crate::failure::{Exit, Failure};
use crate::settings::{Settings, Verbosity};
use topsell_core::model::{escape_control, hide_secrets, parse_seconds};
use topsell_core::storage::Store;
use topsell_ops::job_spec::Sources;
use topsell_ops::process::{Identity, peak_memory_bytes};
use topsell_ops::run_history::{
    Outcome, RUN_SCHEMA, RunRecord, RunStore, TRACEPARENT, TraceContext, new_run_id,
};
use topsell_ops::scheduler::{
    self, EventChannel, EventSender, JobRegistry, LogLevel, SchedulerConfig, SchedulerSummary, WorkerCommand,
};

/// Runs the scheduler until it is stopped.
///
/// # Errors
/// Fails if jobs cannot be read, there are none, or the lake is not writable.
pub fn run(
    settings: &Settings,
    typed: &Schedule,
    sources: Sources,
    check_words: CheckWords<'_>,
) -> Result<Exit, Failure> {
    if let Clock::Fixed(now) = settings.clock {
        let text = format!("--now {now}: the scheduler needs a running clock; omit --now");
        return Err(Failure::usage(text));
    }
    let shutdown_timeout = parse_seconds(&typed.shutdown_timeout);
    let shutdown_timeout =
        shutdown_timeout.map_err(|e| Failure::usage(format!("--shutdown-timeout: {e}")))?;
    let registry = match JobRegistry::open(sources, check_words) {
        Ok(registry) => registry,
        Err(errors) => {
            errors.iter().for_each(|error| log_line(&format!("error: {error}")));
            return Ok(Exit::UsageError);
        }
    };
    registry.errors().for_each(|error| log_line(&format!("warning: {error}")));
    if registry.jobs().is_empty() {
        return Err(Failure::not_found("no jobs found".to_owned()));
    }
    let store = settings.store()?;
    let channel = EventChannel::default();
    forward_signals(channel.sender())?;
    let (start, last) = (monotonic_now(), Cell::new(settings.now));
    let wall = || {
        last.set(settings.clock.now().unwrap_or(last.get()));
        last.get()
    };
    let elapsed = || start.elapsed();
    let record = begin_record(settings, &store)?;
    let config = SchedulerConfig {
        store: &store,
        clock: scheduler::Clock::of(&wall, &elapsed),
        check: check_words,
        worker_command: worker_command(settings, &store)?,
        shutdown_timeout: Duration::from_secs(shutdown_timeout),
        name: format!(
            "schedule (process {}, host {}, since {})",
            process::id(),
            record.machine,
            settings.now
        ),
        log: &|level, text| {
            if level == LogLevel::Warning || settings.verbosity != Verbosity::Quiet {
                log_line(&format!("{} {text}", wall()));
            }
        },
    };
    let result = scheduler::run_scheduler(&config, registry, &channel);
    let ended = wall().to_string();
    let seconds = elapsed().as_secs_f64();
    end_record(&store, RunRecord { ended: Some(ended), seconds: Some(seconds), ..record }, &result)?;
    result.map_err(|error| Failure::runtime(escape_control(&error.to_string())))?;
    Ok(Exit::Success)
}

/// Returns the command of worker processes: this program, waiting for a start message.
fn worker_command(settings: &Settings, store: &Store) -> Result<WorkerCommand, Failure> {
    let program = env::current_exe();
    let program =
        program.map_err(|e| Failure::runtime(format!("cannot find the path of this program: {e}")))?;
    let mut arguments = vec!["--lake".into(), store.location().into(), "run".into(), "--prespawned".into()];
    match settings.verbosity {
        Verbosity::Quiet => arguments.push("--quiet".into()),
        Verbosity::Normal => {}
        Verbosity::Verbose => arguments.push("--verbose".into()),
    }
    Ok(WorkerCommand { program: program.into(), arguments })
}

fn begin_record(settings: &Settings, store: &Store) -> Result<RunRecord, Failure> {
    let trace = TraceContext::of(env::var(TRACEPARENT).ok().as_deref());
    let mut record = RunRecord {
        schema: RUN_SCHEMA,
        id: new_run_id(settings.now, "schedule"),
        command: "schedule".to_owned(),
        asked: env::args_os().skip(1).map(|word| hide_secrets(&word.to_string_lossy())).collect(),
        started: settings.now.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        trace_id: trace.trace_id,
        span_id: trace.span_id,
        parent_span_id: trace.parent_span_id,
        ..RunRecord::default()
    };
    record.set_process(Identity::own());
    let saved = RunStore::open(store).save(&record);
    saved.map_err(|error| Failure::runtime(escape_control(&error.to_string())))?;
    Ok(record)
}

fn end_record(
    store: &Store,
    mut record: RunRecord,
    result: &Result<SchedulerSummary, scheduler::RunError>,
) -> Result<(), Failure> {
    match result {
        Ok(SchedulerSummary { started, dropped, stopped }) => {
            record.outcome = Outcome::Done;
            record.exit_code = Some(Exit::Success.code());
            let counts = [("started", started), ("dropped", dropped), ("stopped", stopped)];
            record.counts = counts.map(|(name, count)| (name.to_owned(), *count)).into();
        }
        Err(error) => {
            record.outcome = Outcome::Failed;
            record.exit_code = Some(Exit::RuntimeError.code());
            record.message = Some(error.to_string());
        }
    }
    record.peak_memory_bytes = peak_memory_bytes();
    let kept = RunStore::open(store).finish(&record);
    kept.map_err(|error| Failure::runtime(escape_control(&error.to_string())))
}

/// Forwards signals to the scheduler from now on.
fn forward_signals(sender: EventSender) -> Result<(), Failure> {
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGCHLD]);
    let mut signals = signals.map_err(|e| Failure::runtime(format!("cannot handle signals: {e}")))?;
    thread::spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGCHLD => sender.child_exited(),
                SIGHUP => sender.reload(),
                _ => sender.stop(),
            }
        }
    });
    Ok(())
}

fn log_line(line: &str) {
    // Errors are ignored: there is no other place to log to. One write call, since runs write there too.
    let _ = io::stderr().write_all(format!("{}\n", escape_control(line)).as_bytes());
}

#[expect(clippy::disallowed_methods, reason = "the command line is where the clock is read")]
fn monotonic_now() -> Instant {
    Instant::now()
}
