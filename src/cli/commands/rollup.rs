//! `topsell rollup`: brings the hourly aggregates up to date with the events.

use clap::Args as ClapArgs;

use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use crate::step_runner;
use topsell_core::lake::DryRun;
use topsell_core::pipeline::Step;
use topsell_core::rollup::{Replaces, Scope};
use topsell_core::storage::LockTimeout;

/// Aggregate new events by item and hour
///
/// Only hours whose events changed are aggregated again. `topsell rank` does this first, so running it
/// separately is rarely needed.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell rollup            aggregate the hours that changed since the last rollup
  topsell rollup --all      recompute all aggregates from raw events and report differences
  topsell rollup --dry-run  print which hours would be aggregated again, and why
")]
pub struct Rollup {
    /// Recompute all hours from raw events, not only those that changed
    #[arg(long)]
    pub all: bool,
    /// Proceed even if aggregates differ from their events although these did not change, and replace them;
    /// without it, that is an error
    #[arg(long, requires = "all")]
    pub yes: bool,
    /// Print the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Wait while another run holds the lock, instead of exiting with 6
    #[arg(long)]
    pub wait: bool,
}

/// Runs the rollup.
///
/// # Errors
/// Fails as the step does.
pub fn run(settings: &Settings, typed: &Rollup) -> Result<Exit, Failure> {
    let scope = if typed.all { Scope::All } else { Scope::Changed };
    let replaces = if typed.yes { Replaces::Differing } else { Replaces::DamagedOnly };
    let lock_timeout = LockTimeout::from_wait(typed.wait);
    step_runner::run(
        settings,
        &Step::Rollup { scope, replaces, dry_run: DryRun::from(typed.dry_run) },
        lock_timeout,
        None,
    )
}
