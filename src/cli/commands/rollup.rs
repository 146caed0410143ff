//! `topsell rollup`: brings the hourly aggregates up to date with the events.

use clap::Args as ClapArgs;

use crate::commands::rollup_parts::{self, RollupPart};
use crate::commands::rollup_scope::{RollupScope, recomputed};
use crate::failure::{Exit, Failure};
use crate::moments::TIME_HELP;
use crate::settings::Settings;
use crate::step_runner;
use topsell_core::lake::DryRun;
use topsell_core::pipeline::Step;
use topsell_core::storage::LockTimeout;

/// Aggregate new events by item and hour
///
/// Only hours whose events changed are aggregated again. `topsell rank` does this first, so running it
/// separately is rarely needed.
#[derive(ClapArgs, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(group = recomputed(), after_help = TIME_HELP, before_help = "\
Examples:
  topsell rollup               aggregate the hours that changed since the last rollup
  topsell rollup --all         recompute all aggregates from raw events and report differences
  topsell rollup --since 7d    the same for the last 7 days only
  topsell rollup --since 7d --share 1/30
                               also for a thirtieth of the older days, other ones each day
  topsell rollup --dry-run     print which hours would be aggregated again, and why
  topsell rollup plan          aggregate in several processes
")]
pub struct Rollup {
    #[command(subcommand)]
    part: Option<RollupPart>,
    #[command(flatten)]
    scope: RollupScope,
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
    if let Some(part) = &typed.part {
        return rollup_parts::run(settings, part);
    }
    let (scope, replaces, note) = typed.scope.read(settings.now)?;
    settings.note_moments(note);
    let step = Step::Rollup { scope, replaces, dry_run: DryRun::from(typed.dry_run) };
    step_runner::run(settings, &step, LockTimeout::from_wait(typed.wait), None)
}
