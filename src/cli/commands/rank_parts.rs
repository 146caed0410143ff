//! `topsell rank plan`, `partial` and `merge`: a ranking in several processes, on as many hosts.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use crate::catalog_args::{Catalog, catalog_file};
use crate::commands::publish_options::PublishOptions;
use crate::commands::ranking_options::{Checked, RankingOptions};
use crate::failure::{Exit, Failure};
use crate::program::PROGRAM;
use crate::settings::Settings;
use crate::{run_recorder, step_runner};
use run_recorder::RecordMode;
use topsell_core::distributed::{self, MergeFiles, PlanOptions, WrittenPart};
use topsell_core::model::Timestamp;
use topsell_core::pipeline::{Step, StepError};
use topsell_core::rollup::Split;
use topsell_core::storage::LockTimeout;
use topsell_output::text::size;

#[derive(Subcommand, Debug)]
pub enum RankPart {
    Plan(RankPlan),
    Partial(RankPartial),
    Merge(RankMerge),
}

/// Plan a ranking in several processes
///
/// Rolls up new events, and writes the parts of the ranking's first round as a JSON file. Each part is
/// computed with `topsell rank partial`, on any host that can read the lake; `topsell rank merge` merges the
/// results, and publishes the ranking or writes the plan of another round. Without `--output`, plans and
/// results are in the lake, in a folder of `scratch`, where all hosts have them; the name of the plan and the
/// number of its parts are printed.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell rank plan --window 150h                        plan the first round, in the lake
  topsell rank plan --window 150h --all-items --parts 40
                                                         in about 40 parts, with item totals
  topsell rank plan --window 150h -o plan.json           into a file of this host
")]
pub struct RankPlan {
    #[command(flatten)]
    ranking: RankingOptions,
    /// Also compute the item totals, as `rank --all-items` does
    #[arg(long, conflicts_with = "output")]
    all_items: bool,
    /// About how many parts each round has, none of them of much more rows than the others [default: as many as
    /// one host computes best]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    parts: Option<u64>,
    /// File to write the plan to, instead of the lake
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How large categories are split: by their items, or each file by itself
    #[arg(long, value_enum, default_value = "items", conflicts_with = "all_items")]
    split: SplitArg,
    /// Wait while another run holds the lock, instead of exiting with 6
    #[arg(long)]
    wait: bool,
}

/// How large categories are split.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SplitArg {
    Items,
    Files,
}

/// Compute a part of a planned ranking
///
/// Reads the files of aggregates that the plan names, and nothing else of the lake. The same part always has
/// the same result, so it can be computed twice, and by several hosts. What the lake has already is not
/// computed again.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell --lake s3://shop/lake rank partial scratch/rank-4f0c31a9d27be865/plan-0.json --part 0
  topsell rank partial plan.json --part 0 -o 0.part
  topsell --lake /mnt/lake rank partial plan.json --part 1 -o 1.part    on another host
")]
pub struct RankPartial {
    /// Plan, as written by `rank plan` or `rank merge`
    plan: PathBuf,
    /// Number of the part, from 0
    #[arg(long, value_name = "N")]
    part: usize,
    /// File to write the result to; the plan is a file, too, then
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Merge the results of all parts of a plan
///
/// Publishes the ranking, or writes the plan of another round if one is needed, for categories whose window
/// is extended or for items in several categories, and prints its name. What earlier rounds found is in a
/// file beside that plan, with `.state` at the end of its name. The results may be given in any order, and
/// several times; those in the lake are found by the name of the plan, and removed when the ranking is
/// published.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell rank merge scratch/rank-4f0c31a9d27be865/plan-0.json
  topsell rank merge plan.json *.part -o next.json
")]
pub struct RankMerge {
    /// Plan of the results
    plan: PathBuf,
    /// Results of its parts, if they are files
    #[arg(value_name = "RESULT", requires = "output")]
    results: Vec<PathBuf>,
    /// File to write the plan of another round to; the plan and the results are files, too, then
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    catalog: Catalog,
    #[command(flatten)]
    publish: PublishOptions,
    /// Wait while another run holds the lock, instead of exiting with 6
    #[arg(long)]
    wait: bool,
}

impl RankPart {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, now: Timestamp) -> Result<(), Failure> {
        match self {
            RankPart::Plan(typed) => typed.ranking.check(now).map(drop),
            RankPart::Partial(_) => Ok(()),
            RankPart::Merge(typed) => {
                typed.publish.publication()?;
                catalog_file(&typed.catalog).map(drop)
            }
        }
    }
}

/// Runs one of the three.
///
/// # Errors
/// Fails where a file is not what it should be, or as the ranking does.
pub fn run(settings: &Settings, typed: &RankPart) -> Result<Exit, Failure> {
    match typed {
        RankPart::Plan(typed) => plan(settings, typed),
        RankPart::Partial(typed) => {
            settings.use_threads()?;
            run_recorder::record(settings, "rank partial", RecordMode::AtEnd, |_| partial(settings, typed))
        }
        RankPart::Merge(typed) => merge(settings, typed),
    }
}

fn plan(settings: &Settings, typed: &RankPlan) -> Result<Exit, Failure> {
    let Checked { rules, event_types, freshness, note } = typed.ranking.check(settings.now)?;
    settings.note_moments(note);
    let split = match typed.split {
        SplitArg::Items => Split::Items,
        SplitArg::Files => Split::Files,
    };
    let options =
        PlanOptions { program: PROGRAM.to_owned(), split, parts: typed.parts, all_items: typed.all_items };
    let output = typed.output.clone();
    let step = Step::PlanRanking { rules, event_types, options, freshness, output };
    step_runner::run(settings, &step, LockTimeout::from_wait(typed.wait), None)
}

fn partial(settings: &Settings, typed: &RankPartial) -> Result<Exit, Failure> {
    let RankPartial { plan: path, part, output } = typed;
    let (store, output) = (settings.store()?, output.as_deref());
    let plan = distributed::read_plan(&store, path, output, PROGRAM).map_err(StepError::from)?;
    let progress = step_runner::observed(settings, None);
    let written = distributed::write_partial(&store, &plan, path, *part, output, &progress);
    drop(progress);
    let written = written.map_err(StepError::from)?;
    settings.say(|out| {
        let parts = plan.parts();
        let place = output.map_or_else(|| "the lake".to_owned(), |file| file.display().to_string());
        match written {
            WrittenPart::Computed { size_bytes } => {
                writeln!(out, "partial: part {part} of {parts}, {} in {place}", size(size_bytes))
            }
            WrittenPart::Found => writeln!(out, "partial: part {part} of {parts}, found in {place}"),
        }
    })?;
    Ok(Exit::Success)
}

fn merge(settings: &Settings, typed: &RankMerge) -> Result<Exit, Failure> {
    let RankMerge { plan, results, output, .. } = typed;
    let files = MergeFiles {
        program: PROGRAM.to_owned(),
        plan: plan.clone(),
        results: results.clone(),
        next: output.clone(),
    };
    let publication = typed.publish.publication()?;
    let step = Step::MergeRanking { files, catalog: catalog_file(&typed.catalog)?, publication };
    step_runner::run(settings, &step, LockTimeout::from_wait(typed.wait), None)
}
