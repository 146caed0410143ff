//! Jobs as they were found written down: read, checked against what can be typed, and told of.

use std::io::{self, Write};

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::args::Args;
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use topsell_ops::job_spec::{Found, Sources};

/// The command that is no step: it does not end.
const ENDLESS: &str = "schedule";

/// Reads all jobs, and says on stderr what is wrong with those that cannot be run.
pub fn found(settings: &Settings, sources: &Sources) -> Found {
    let found = sources.read(&check_words);
    for note in &found.notes {
        settings.note(&format!("warning: {note}"));
    }
    for fault in &found.faults {
        // Nobody is left to hear of it where stderr is gone.
        let _ = writeln!(io::stderr(), "error: {fault}");
    }
    found
}

/// Reads all jobs and says whether all is well.
///
/// # Errors
/// Fails where there are no jobs.
pub fn check(settings: &Settings, sources: &Sources) -> Result<Exit, Failure> {
    let found = found(settings, sources);
    let count = match found.jobs.len() {
        1 => "1 job".to_owned(),
        many => format!("{many} jobs"),
    };
    match (found.jobs.len(), found.faults.len()) {
        (0, 0) => Err(Failure::nothing_found("no jobs are written down there".to_owned())),
        (_, 0) => {
            settings.note(&format!("{count}, all well"));
            Ok(Exit::Done)
        }
        (_, faults) => {
            let more = if faults == 1 {
                "1 thing is wrong".to_owned()
            } else {
                format!("{faults} things are wrong")
            };
            settings.note(&format!("{count}; {more}"));
            Ok(Exit::Misused)
        }
    }
}

/// Says what is wrong with words that are to be typed after `topsell`, if anything is.
///
/// # Errors
/// Says it in one line.
pub fn check_words(words: &[String]) -> Result<(), String> {
    let command = Args::command().no_binary_name(true);
    let typed = command.try_get_matches_from(words).and_then(|typed| Args::from_arg_matches(&typed));
    let args = typed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            "it shows something and does nothing".to_owned()
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a word is missing".to_owned(),
        _ => said(&error.render().to_string()),
    })?;
    if words.iter().any(|word| word == ENDLESS) && matches!(args.command, crate::args::Command::Schedule(_)) {
        return Err("it does not end, so no step comes after it".to_owned());
    }
    match Settings::of(args, Config::default()) {
        // What stands in the way now may be gone by the time.
        Err(failure) if failure.exit == Exit::Misused => Err(failure.to_string()),
        _ => Ok(()),
    }
}

/// Returns what a refusal of the command line says, without how it is used.
fn said(refusal: &str) -> String {
    let lines = refusal.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let text = lines.join("; ");
    text.strip_prefix("error: ").unwrap_or(&text).to_owned()
}
