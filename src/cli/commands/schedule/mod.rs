//! `topsell schedule`: which jobs there are, when they are due, and a host that starts them.

mod args;
mod host;
pub mod jobs;
mod list;

use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use jobs::CheckWords;

pub use args::Schedule;

/// Does what was asked of the schedule.
///
/// # Errors
/// Fails where jobs cannot be read, and where nobody can start them.
pub fn run(settings: &Settings, typed: &Schedule, check_words: CheckWords<'_>) -> Result<Exit, Failure> {
    settings.use_threads()?;
    let sources = typed.sources()?;
    match (typed.list, typed.check) {
        (true, _) => list::run(settings, typed, &jobs::found(settings, &sources, check_words)),
        (_, true) => jobs::check(settings, &sources, check_words),
        _ => host::run(settings, typed, sources, check_words),
    }
}
