//! The scheduler's door: what it hears, what it says, whom it asks for the time.

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
use topsell_core::model::{escape_control, parse_seconds};
use topsell_core::storage::Store;
use topsell_ops::job_spec::Sources;
use topsell_ops::process::{Identity, peak_memory_bytes};
use topsell_ops::run_history::{Book, Outcome, RUN_SCHEMA, RunRecord, TRACEPARENT, TraceContext, fresh_id};
use topsell_ops::scheduler::{self, Host, Messenger, Post, Served, Shelf, Starter, Tone};

/// Starts jobs when they are due, until told to stop.
///
/// # Errors
/// Fails where jobs cannot be read, there are none, or the lake cannot be written.
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
    let shelf = match Shelf::open(sources, check_words) {
        Ok(shelf) => shelf,
        Err(faults) => {
            faults.iter().for_each(|fault| say(&format!("error: {fault}")));
            return Ok(Exit::UsageError);
        }
    };
    if shelf.jobs().is_empty() {
        return Err(Failure::not_found("no jobs found".to_owned()));
    }
    let store = settings.store()?;
    let post = Post::default();
    hear(post.messenger())?;
    let (began, last) = (began(), Cell::new(settings.now));
    let wall = || {
        last.set(settings.clock.now().unwrap_or(last.get()));
        last.get()
    };
    let lapsed = || began.elapsed();
    let record = begin_record(settings, &store)?;
    let host = Host {
        store: &store,
        clock: scheduler::Clock::of(&wall, &lapsed),
        check: check_words,
        starter: starter(settings, &store)?,
        shutdown_timeout: Duration::from_secs(shutdown_timeout),
        name: format!(
            "schedule (process {}, host {}, since {})",
            process::id(),
            record.machine,
            settings.now
        ),
        say: &|tone, text| {
            if tone == Tone::Trouble || settings.verbosity != Verbosity::Quiet {
                say(&format!("{} {text}", wall()));
            }
        },
    };
    let served = scheduler::serve(&host, shelf, &post);
    let ended = wall().to_string();
    let seconds = lapsed().as_secs_f64();
    end_record(&store, RunRecord { ended: Some(ended), seconds: Some(seconds), ..record }, &served)?;
    served.map_err(|error| Failure::runtime(escape_control(&error.to_string())))?;
    Ok(Exit::Success)
}

/// Returns how a process of this very program is started that waits at the gate.
fn starter(settings: &Settings, store: &Store) -> Result<Starter, Failure> {
    let program = env::current_exe();
    let program =
        program.map_err(|e| Failure::runtime(format!("cannot find the path of this program: {e}")))?;
    let mut arguments = vec!["--lake".into(), store.location().into(), "run".into(), "--gate".into()];
    match settings.verbosity {
        Verbosity::Quiet => arguments.push("--quiet".into()),
        Verbosity::Normal => {}
        Verbosity::Verbose => arguments.push("--verbose".into()),
    }
    Ok(Starter { program: program.into(), arguments })
}

fn begin_record(settings: &Settings, store: &Store) -> Result<RunRecord, Failure> {
    let trace = TraceContext::of(env::var(TRACEPARENT).ok().as_deref());
    let mut record = RunRecord {
        schema: RUN_SCHEMA,
        id: fresh_id(settings.now, "schedule"),
        command: "schedule".to_owned(),
        asked: env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect(),
        started: settings.now.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        trace_id: trace.trace_id,
        span_id: trace.span_id,
        parent_span_id: trace.parent_span_id,
        ..RunRecord::default()
    };
    record.is_run_by(Identity::own());
    let noted = Book::open(store).note(&record);
    noted.map_err(|error| Failure::runtime(escape_control(&error.to_string())))?;
    Ok(record)
}

fn end_record(
    store: &Store,
    mut record: RunRecord,
    served: &Result<Served, scheduler::RunError>,
) -> Result<(), Failure> {
    match served {
        Ok(Served { started, dropped, stopped }) => {
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
    let kept = Book::open(store).finish(&record);
    kept.map_err(|error| Failure::runtime(escape_control(&error.to_string())))
}

/// Hears signals from now on, and passes on what they mean.
fn hear(messenger: Messenger) -> Result<(), Failure> {
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGCHLD]);
    let mut signals = signals.map_err(|e| Failure::runtime(format!("cannot handle signals: {e}")))?;
    thread::spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGCHLD => messenger.child_ended(),
                SIGHUP => messenger.reload(),
                _ => messenger.stop(),
            }
        }
    });
    Ok(())
}

fn say(line: &str) {
    // Nobody is left to hear of it where stderr is gone. In one piece: runs write there too.
    let _ = io::stderr().write_all(format!("{}\n", escape_control(line)).as_bytes());
}

#[expect(clippy::disallowed_methods, reason = "this is the door: lengths are measured here alone")]
fn began() -> Instant {
    Instant::now()
}
