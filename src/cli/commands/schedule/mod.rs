//! `topsell schedule`: lists jobs and their due times, checks them, and runs the scheduler.

mod args;
mod host;
pub mod jobs;
mod list;

use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use jobs::CheckWords;

pub use args::Schedule;

/// Lists, checks or runs the jobs.
///
/// # Errors
/// Fails if jobs cannot be read or the scheduler cannot run.
pub fn run(settings: &Settings, typed: &Schedule, check_words: CheckWords<'_>) -> Result<Exit, Failure> {
    settings.use_threads()?;
    let sources = typed.sources()?;
    match (typed.list, typed.check) {
        (true, _) => list::run(settings, typed, &jobs::found(settings, &sources, check_words)),
        (_, true) => jobs::check(settings, &sources, check_words),
        _ => host::run(settings, typed, sources, check_words),
    }
}
