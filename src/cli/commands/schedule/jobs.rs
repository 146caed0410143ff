//! Jobs as they were found written down: read, checked against what can be typed, and told of.

use std::io::{self, Write};

use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use topsell_ops::job_spec::{Found, Sources};

/// Says what is wrong with the words of a step, if anything is.
pub type CheckWords<'a> = &'a dyn Fn(&[String]) -> Result<(), String>;

/// Reads all jobs, and says on stderr what is wrong with those that cannot be run.
pub fn found(settings: &Settings, sources: &Sources, check_words: CheckWords<'_>) -> Found {
    let found = sources.read(check_words);
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
pub fn check(settings: &Settings, sources: &Sources, check_words: CheckWords<'_>) -> Result<Exit, Failure> {
    let found = found(settings, sources, check_words);
    let count = match found.jobs.len() {
        1 => "1 job".to_owned(),
        many => format!("{many} jobs"),
    };
    match (found.jobs.len(), found.faults.len()) {
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
