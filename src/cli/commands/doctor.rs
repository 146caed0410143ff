//! `topsell doctor`: tries whether the store of a lake does what a lake needs.

use clap::Args as ClapArgs;

use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use crate::unfinished_uploads;
use topsell_core::lake::LakeError;

/// Check what the store of a lake in a bucket must promise
///
/// Writes objects into the folder `doctor` below the prefix, and removes them. Run it before any data goes into a
/// bucket: a store that does not create an object atomically would lose batches. Exits with 1 if something is
/// missing. Names uploads of large files that were begun more than a day ago and never completed.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell doctor --lake s3://shop/lake     check the store of a bucket
")]
pub struct Doctor {}

/// Checks the store, and prints a line for each thing that it must do.
///
/// # Errors
/// Fails where the bucket cannot be reached.
pub fn run(settings: &Settings, _typed: &Doctor) -> Result<Exit, Failure> {
    let store = settings.store_of_any_format()?;
    let now_ms = settings.clock.now()?.micros() / 1_000;
    let Some(checks) = store.check_promises(now_ms).map_err(LakeError::from)? else {
        let what = "is a folder, and `doctor` checks buckets; pass --lake s3://BUCKET/PREFIX";
        return Err(Failure::usage(format!("{} {what}", store.location())));
    };
    settings.answer(|out| {
        checks.iter().try_for_each(|check| match &check.problem {
            None => writeln!(out, "ok: {}", check.what),
            Some(problem) => writeln!(out, "missing: {}: {problem}", check.what),
        })
    })?;
    unfinished_uploads::note(settings, &store);
    match checks.iter().filter(|check| check.problem.is_some()).count() {
        0 => Ok(Exit::Success),
        _ => Err(Failure::runtime(format!("{} does not do what a lake needs", store.location()))),
    }
}
