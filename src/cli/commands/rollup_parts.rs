//! `topsell rollup plan`, `partial` and `commit`: a rollup in several processes, on as many hosts.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use crate::commands::rollup_scope::{RollupScope, recomputed};
use crate::failure::{Exit, Failure};
use crate::moments::TIME_HELP;
use crate::program::PROGRAM;
use crate::settings::Settings;
use crate::{run_recorder, step_runner};
use run_recorder::RecordMode;
use topsell_core::distributed::{self, WrittenPart};
use topsell_core::lake::Lake;
use topsell_core::pipeline::{Step, StepError};
use topsell_core::storage::LockTimeout;
use topsell_output::text::size;

#[derive(Subcommand, Debug)]
pub enum RollupPart {
    Plan(RollupPlan),
    Partial(RollupPartial),
    Commit(RollupCommit),
}

/// Plan a rollup in several processes
///
/// Writes into the lake which days are aggregated again, in parts, and prints the name of the plan and the number
/// of its parts; nothing if the aggregates are up to date. Each part is aggregated with `topsell rollup partial`,
/// on any host that can write to the lake; `topsell rollup commit` makes all of them visible at once.
#[derive(ClapArgs, Debug)]
#[command(group = recomputed(), after_help = TIME_HELP, before_help = "\
Examples:
  topsell rollup plan                  what has changed since the last rollup
  topsell rollup plan --all --parts 40 all events, in about 40 parts
")]
pub struct RollupPlan {
    #[command(flatten)]
    scope: RollupScope,
    /// About how many parts there are [default: parts of about four million events]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    parts: Option<u64>,
    /// Wait while another run holds the lock, instead of exiting with 6
    #[arg(long)]
    wait: bool,
}

/// Aggregate a part of a planned rollup
///
/// Writes files of aggregates, which are not visible before `topsell rollup commit`. The same part always writes
/// the same files, so it can be computed twice, and by several hosts. What the lake has already is not computed
/// again.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell --lake s3://shop/lake rollup partial scratch/rollup-9b1c7702be6d54f1/plan.json --part 0
")]
pub struct RollupPartial {
    /// Plan, as printed by `rollup plan`
    plan: PathBuf,
    /// Number of the part, from 0
    #[arg(long, value_name = "N")]
    part: usize,
}

/// Commit all parts of a planned rollup
///
/// All aggregates become visible in one commit. If another rollup or a compaction has changed the table since the
/// plan was made, nothing is committed; plan again then.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell rollup commit scratch/rollup-9b1c7702be6d54f1/plan.json
")]
pub struct RollupCommit {
    /// Plan, as printed by `rollup plan`
    plan: PathBuf,
    /// Wait while another run holds the lock, instead of exiting with 6
    #[arg(long)]
    wait: bool,
}

/// Runs one of the three.
///
/// # Errors
/// Fails where a file is not what it should be, or as the rollup does.
pub fn run(settings: &Settings, typed: &RollupPart) -> Result<Exit, Failure> {
    match typed {
        RollupPart::Plan(typed) => {
            let (scope, replaces, note) = typed.scope.read(settings.now)?;
            settings.note_moments(note);
            let step = Step::PlanRollup { scope, replaces, program: PROGRAM.to_owned(), parts: typed.parts };
            step_runner::run(settings, &step, LockTimeout::from_wait(typed.wait), None)
        }
        RollupPart::Partial(typed) => {
            settings.use_threads()?;
            run_recorder::record(settings, "rollup partial", RecordMode::AtEnd, |_| partial(settings, typed))
        }
        RollupPart::Commit(typed) => {
            let step = Step::CommitRollup { plan: typed.plan.clone(), program: PROGRAM.to_owned() };
            step_runner::run(settings, &step, LockTimeout::from_wait(typed.wait), None)
        }
    }
}

fn partial(settings: &Settings, typed: &RollupPartial) -> Result<Exit, Failure> {
    let RollupPartial { plan: path, part } = typed;
    let store = settings.store()?;
    let plan = distributed::read_rollup_plan(&store, path, PROGRAM).map_err(StepError::from)?;
    let lake = Lake::open(store)?;
    let progress = step_runner::observed(settings, None);
    let written = distributed::write_rollup_part(&lake, &plan, path, *part, &progress);
    drop(progress);
    let written = written.map_err(StepError::from)?;
    settings.say(|out| {
        let parts = plan.parts();
        match written {
            WrittenPart::Computed { size_bytes } => {
                writeln!(out, "partial: part {part} of {parts}, {} in the lake", size(size_bytes))
            }
            WrittenPart::Found => writeln!(out, "partial: part {part} of {parts}, found in the lake"),
        }
    })?;
    Ok(Exit::Success)
}
