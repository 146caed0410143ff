//! `topsell rollup`: brings the hourly aggregates up to date with the events.

use clap::{ArgGroup, Args as ClapArgs};

use crate::failure::{Exit, Failure};
use crate::lake_scope::lake_scope;
use crate::moments::TIME_HELP;
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
#[command(group = ArgGroup::new("recomputed").args(["all", "since", "share"]).multiple(true), after_help = TIME_HELP, before_help = "\
Examples:
  topsell rollup               aggregate the hours that changed since the last rollup
  topsell rollup --all         recompute all aggregates from raw events and report differences
  topsell rollup --since 7d    the same for the last 7 days only
  topsell rollup --since 7d --share 1/30
                               also for a thirtieth of the older days, other ones each day
  topsell rollup --dry-run     print which hours would be aggregated again, and why
")]
pub struct Rollup {
    /// Recompute all hours from raw events, not only those that changed
    #[arg(long)]
    pub all: bool,
    /// Only days of TIME or later, and what changed since the last rollup; all of their hours are recomputed
    /// from raw events
    #[arg(long, value_name = "TIME", conflicts_with = "all")]
    pub since: Option<String>,
    /// One of N shares of the days, another one each day, besides what is --since a time: in N days, all of
    /// them are recomputed from raw events
    #[arg(long, value_name = "1/N", conflicts_with = "all")]
    pub share: Option<String>,
    /// Proceed even if aggregates differ from their events although these did not change, and replace them;
    /// without it, that is an error
    #[arg(long, requires = "recomputed")]
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
    let (part, note) = lake_scope(typed.since.as_deref(), typed.share.as_deref(), settings.now)?;
    settings.note_moments(note);
    let scope = if typed.all || !part.is_all() { Scope::Recomputed(part) } else { Scope::Changed };
    let replaces = if typed.yes { Replaces::Differing } else { Replaces::DamagedOnly };
    let lock_timeout = LockTimeout::from_wait(typed.wait);
    step_runner::run(
        settings,
        &Step::Rollup { scope, replaces, dry_run: DryRun::from(typed.dry_run) },
        lock_timeout,
        None,
    )
}
