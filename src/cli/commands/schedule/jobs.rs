//! Reads and checks jobs, and reports errors.

use std::io::{self, Write};

use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use topsell_core::model::escape_lines;
use topsell_ops::job_spec::{JobSet, Sources};

/// Checks the arguments of a step; returns an error message.
pub type CheckWords<'a> = &'a dyn Fn(&[String]) -> Result<(), String>;

/// Reads all jobs and prints errors and warnings on stderr.
pub fn found(settings: &Settings, sources: &Sources, check_words: CheckWords<'_>) -> JobSet {
    let found = sources.read(check_words);
    for warning in &found.warnings {
        settings.note(&format!("warning: {warning}"));
    }
    for error in &found.errors {
        // Errors are ignored: there is no other place to report to.
        let _ = writeln!(io::stderr(), "error: {}", escape_lines(&error.to_string()));
    }
    found
}

/// Reads all jobs and reports whether they are valid.
///
/// # Errors
/// Fails if there are no jobs.
pub fn check(settings: &Settings, sources: &Sources, check_words: CheckWords<'_>) -> Result<Exit, Failure> {
    let found = found(settings, sources, check_words);
    let count = match found.jobs.len() {
        1 => "1 job".to_owned(),
        many => format!("{many} jobs"),
    };
    match (found.jobs.len(), found.errors.len()) {
        (0, 0) => Err(Failure::not_found("no jobs found".to_owned())),
        (_, 0) => {
            settings.note(&format!("{count}, no errors found"));
            Ok(Exit::Success)
        }
        (_, faults) => {
            let errors = if faults == 1 { "1 error".to_owned() } else { format!("{faults} errors") };
            settings.note(&format!("{count}; {errors}"));
            Ok(Exit::UsageError)
        }
    }
}
