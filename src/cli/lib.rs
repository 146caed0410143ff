//! The command line of `topsell`: parses, builds the settings, runs the command, reports its outcome.
//!
//! Invariant: the only crate that prints, reads the environment or asks the time.

mod answer_failures;
mod args;
mod catalog_args;
mod clock;
mod color;
mod commands;
mod completion;
mod config;
mod failure;
mod job_words;
mod lake_scope;
mod lake_summary;
mod metrics;
mod moments;
#[cfg(test)]
mod option_table;
mod output;
mod program;
mod progress_bars;
mod ranking_summary;
mod read_args;
mod record_args;
mod repair_summary;
mod run_observer;
mod run_recorder;
mod settings;
mod size;
mod stage_names;
mod stdin;
mod step_runner;
mod summary;
mod terminal;
mod unfinished_uploads;

use std::io::{self, Write};
use std::process::ExitCode;
use std::{env, panic};

use clap::{ColorChoice, FromArgMatches};

use topsell_core::model::{escape_lines, hide_secrets};
use topsell_core::parquet_format::is_guarded;

use args::{Args, Command};
use color::is_bright;
use config::Config;
use failure::{Exit, Failure, unless_reader_left};
use settings::Settings;

/// Runs the command that was typed and returns the exit code.
pub fn main() -> ExitCode {
    silence_guarded_panics();
    let (args, config) = match parse() {
        Ok(parsed) => parsed,
        Err(exit) => return exit,
    };
    let Args { command, global } = args;
    let color = global.color;
    let done = Settings::of(global).and_then(|settings| run(&settings, command, &config));
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(color),
    }
}

/// Keeps the panic message of a decoder that catches its own panics off stderr.
fn silence_guarded_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !is_guarded() {
            print(panic);
        }
    }));
}

/// Returns the parsed command line, completed with the configured defaults; a usage error is printed, and
/// only its exit code is left.
fn parse() -> Result<(Args, Config), ExitCode> {
    let around = Config::around();
    let color = color::typed(env::args_os());
    let color = color.or_else(|| around.as_ref().ok()?.color()).unwrap_or_default();
    let refuse = |error: clap::Error| print_clap_message(&error, color);
    let mut typed = args::command().try_get_matches().map_err(refuse)?;
    let mut config = Config::default();
    if args::reads_settings(&typed) {
        config = around.and_then(|around| around.of_run(&typed)).map_err(|failure| failure.report(color))?;
        if let Some(command) = config.defaults(args::command(), &typed) {
            typed = command.try_get_matches().map_err(refuse)?;
        }
    }
    Ok((Args::from_arg_matches(&typed).map_err(refuse)?, config))
}

/// Prints a usage error on stderr, or the help or version that was asked for on stdout.
fn print_clap_message(error: &clap::Error, color: ColorChoice) -> ExitCode {
    let message = error.render();
    // What was typed may be the name of a file that somebody else has chosen.
    let plain = hide_secrets(&escape_lines(&message.to_string()));
    let is_safe = plain == message.to_string();
    let write = |out: &mut dyn Write, is_bright: bool| match is_bright && is_safe {
        true => write!(out, "{}", message.ansi()),
        false => write!(out, "{plain}"),
    };
    if error.use_stderr() {
        let mut stderr = io::stderr().lock();
        let is_bright = is_bright(color, &stderr);
        let _ = write(&mut stderr, is_bright);
        return Exit::UsageError.into();
    }
    let mut stdout = io::stdout().lock();
    let is_bright = is_bright(color, &stdout);
    let written = write(&mut stdout, is_bright).and_then(|()| stdout.flush()).or_else(unless_reader_left);
    written.map_or_else(|failure| failure.report(color), |()| Exit::Success.into())
}

fn run(settings: &Settings, command: Command, config: &Config) -> Result<Exit, Failure> {
    match command {
        Command::Ingest(typed) => commands::ingest::run(settings, &typed),
        Command::Rollup(typed) => commands::rollup::run(settings, &typed),
        Command::Rank(typed) => commands::rank::run(settings, &typed),
        Command::Show(typed) => commands::show::run(settings, &typed),
        Command::Count(typed) => commands::count::run(settings, &typed),
        Command::Top(typed) => commands::top::run(settings, &typed),
        Command::Report(typed) => commands::report::run(settings, &typed),
        Command::Publish(typed) => commands::publish::run(settings, &typed),
        Command::Serve(typed) => commands::serve::run(settings, &typed),
        Command::List(typed) => commands::list::run(settings, &typed),
        Command::Run(typed) => commands::run::run(settings, &typed, &job_words::check),
        Command::Schedule(typed) => commands::schedule::run(settings, &typed, &job_words::check),
        Command::Cluster(typed) => commands::cluster::run(settings, &typed),
        Command::Health(typed) => commands::health::run(settings, &typed),
        Command::Lake(typed) => commands::lake::run(settings, &typed),
        Command::Runs(typed) => commands::runs::run(settings, &typed),
        Command::Config(typed) => commands::config::run(&typed, config, &args::command(), settings.color),
        Command::Completions(typed) => commands::completions::run(&typed, &args::command()),
        Command::Init(typed) => commands::init::run(settings, &typed),
        Command::Doctor(typed) => commands::doctor::run(settings, &typed),
        Command::Man(typed) => commands::man::run(settings, &typed, args::command()),
        Command::CompleteCategories(typed) => commands::complete_categories::run(settings, &typed),
        Command::Datagen(typed) => commands::datagen::run(settings, &typed),
    }
}
