//! `topsell rollup`: brings the hourly aggregates up to date with the events.

use clap::Args as ClapArgs;

use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use crate::step_runner;
use topsell_core::pipeline::Step;
use topsell_core::rollup::Scope;
use topsell_core::storage::LockTimeout;

/// Bring the sums up to date with the events
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell rollup            sum anew the hours that changed since last time
  topsell rollup --all      sum everything anew, from the ground
")]
pub struct Rollup {
    /// Sum everything anew, not only what changed
    #[arg(long)]
    pub all: bool,
    /// Wait while another run is at work on the lake, instead of giving up
    #[arg(long)]
    pub wait: bool,
}

/// Runs the rollup.
///
/// # Errors
/// Fails as the step does.
pub fn run(settings: &Settings, typed: &Rollup) -> Result<Exit, Failure> {
    let scope = if typed.all { Scope::All } else { Scope::Changed };
    let lock_timeout = LockTimeout::from_wait(typed.wait);
    step_runner::run(settings, &Step::Rollup { scope }, lock_timeout, None)
}
