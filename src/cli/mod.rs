//! Where a person comes in: what was typed, what is meant, what is said back.
//!
//! Invariant: the only room that prints, reads the environment or asks the time.

mod args;
mod count;
mod datagen;
mod door;
mod failure;
mod intake;
mod listeners;
mod progress;
mod report;
mod settings;
mod show;
mod size;

use std::env;
use std::io;
use std::panic;
use std::process::{self, ExitCode};
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches};

use crate::columns::is_guarded;
use crate::pipeline::{self, Caller, Done, Step};
use crate::show::ShowError;
use crate::store::Patience;
use crate::trace::{Listener, Run};

use args::Args;
use door::Opening;
use failure::{Exit, Failure};
use listeners::Record;
use settings::{Settings, Task};

/// Does what was typed and returns the exit code.
pub fn main() -> ExitCode {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !is_guarded() {
            print(panic);
        }
    }));
    let typed = Args::command().color(args::color_of(env::args_os())).try_get_matches();
    let args = match typed.and_then(|typed| Args::from_arg_matches(&typed)) {
        Ok(args) => args,
        Err(error) => {
            // Help goes to stdout and is no failure; a reader that leaves early is none either.
            let exit = if error.use_stderr() { Exit::Misused } else { Exit::Done };
            let _ = error.print();
            return exit.into();
        }
    };
    let settings = match Settings::of(args) {
        Ok(settings) => settings,
        Err(failure) => return failure.tell(),
    };
    match run(&settings) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.tell(),
    }
}

fn run(settings: &Settings) -> Result<Exit, Failure> {
    settings.use_threads()?;
    match &settings.task {
        Task::Step { step, patience, stdin } => run_step(settings, step, *patience, *stdin),
        Task::Show(showing) => show::run(settings, showing),
        Task::Count(question) => count::run(settings, question),
        Task::Datagen(typed) => datagen::run(settings, typed),
    }
}

fn run_step(
    settings: &Settings,
    step: &Step,
    patience: Patience,
    stdin: Option<Opening>,
) -> Result<Exit, Failure> {
    let store = settings.store()?;
    let feed = stdin.map(|opening| door::open(opening, settings.clock)).transpose()?;
    let record = Arc::new(Record::of(step, settings.now));
    let name =
        format!("{} (process {}, host {}, since {})", record.command(), process::id(), host(), settings.now);
    let caller = Caller { name, patience, now: settings.now, feed };
    let progress: Option<Arc<dyn Listener>> = settings.shows_progress().then(progress::bars);
    let mut heard_by: Vec<Arc<dyn Listener>> = vec![record.clone()];
    heard_by.extend(progress);
    let run = Run::heard_by(heard_by);
    let done = pipeline::run(step, &store, &caller, &run).map_err(Failure::from);
    let exit = match &done {
        Ok(done) => settings.lenient(report::exit_of(done)),
        Err(failure) => failure.exit,
    };
    let outcome = done.as_ref().map_or_else(ToString::to_string, |_| "done".to_owned());
    if let Err(error) = record.keep(&store, exit, &outcome) {
        settings.note(&format!("warning: this run could not be recorded: {error}"));
    }
    let done: Done = done?;
    settings.say(|out| report::write(&done, settings.verbosity, out))?;
    report::answer(&done, &mut io::stdout().lock())
        .map_err(ShowError::from)
        .or_else(failure::unless_reader_left)?;
    Ok(exit)
}

/// Returns the machine's name.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
