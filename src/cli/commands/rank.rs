//! `topsell rank`: ranks every category and publishes the ranking.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use crate::catalog_args::{Catalog, catalog_file};
use crate::commands::publish_options::PublishOptions;
use crate::commands::rank_parts::{self, RankPart};
use crate::commands::ranking_options::{Checked, RankingOptions};
use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use crate::step_runner;
use topsell_core::model::Timestamp;
use topsell_core::pipeline::{RankOutput, Step};
use topsell_core::storage::LockTimeout;

/// Rank the items of every category and publish the ranking
///
/// Ranks the whole shop and every category at every level by the score of a time window. New events are
/// rolled up first. The published ranking replaces the current one atomically; `topsell show` reads it.
///
/// A name, `default` unless --name is given, shows its first ranking, and from then on newer ones that were
/// made with the same options. A ranking of an earlier time, or with other options, is kept and replaces
/// nothing, unless --promote is given.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell rank                                        rank the last 150 hours
  topsell rank --window 7d --no-decay --measure amount
                                                      rank by revenue of the last 7 days
  topsell rank --as-of 2017-01-15                     rank as of a day in the past
  topsell rank --name daily --window 24h              publish another ranking beside the default one
  topsell rank --dry-run                              say what would be published
  topsell rank -o ranking.parquet                     write the ranking to a file, publish nothing
  topsell rank --all-items --max-lag 24h --wait       for the nightly job
  topsell rank plan -o plan.json                      rank in several processes
")]
#[command(after_help = "\
The score of an item is the sum of the measure over the window, weighted by age: 1 in the newest
hour, 1/2 after each half-life. --no-decay weights every hour equally.

TIME is a date (2017-01-10, the start of that day in --tz), RFC 3339 (2017-01-07T13:05:00Z),
an epoch number, `now`, `today`, `yesterday`, or a duration before now (7d).
DURATION is a number and a unit: s, min, h, d, w, y; the window is whole hours.
")]
#[command(args_conflicts_with_subcommands = true)]
pub struct Rank {
    #[command(subcommand)]
    part: Option<RankPart>,
    #[command(flatten)]
    ranking: RankingOptions,
    /// Also publish the item totals: units, last 7 days and rank of every item in each of its
    /// categories, not only of the top items
    #[arg(long)]
    all_items: bool,
    #[command(flatten)]
    catalog: Catalog,
    #[command(flatten)]
    publish: PublishOptions,
    /// Print what would be published, by what is rolled up, and change nothing
    #[arg(long, conflicts_with_all = ["output", "all_items"])]
    dry_run: bool,
    /// Write the ranking to this Parquet file instead of publishing it
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["all_items", "promote", "name"])]
    output: Option<PathBuf>,
    /// Wait while another run holds the lock, instead of exiting with 6
    #[arg(long)]
    wait: bool,
}

impl Rank {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, now: Timestamp) -> Result<(), Failure> {
        match &self.part {
            Some(part) => part.check(now),
            None => self.step(now).map(drop),
        }
    }

    fn step(&self, now: Timestamp) -> Result<(Step, Option<String>), Failure> {
        let Checked { rules, event_types, freshness, note } = self.ranking.check(now)?;
        let catalog = catalog_file(&self.catalog)?;
        let publication = self.publish.publication_of(self.all_items)?;
        let output = match (&self.output, self.dry_run) {
            (Some(file), _) => RankOutput::File(parquet_file(file)?),
            (None, true) => RankOutput::DryRun(publication),
            (None, false) => RankOutput::Publish(publication),
        };
        Ok((Step::Rank { rules, event_types, catalog, tail: self.all_items, freshness, output }, note))
    }
}

/// Checks that a file's name is that of Parquet.
fn parquet_file(file: &Path) -> Result<PathBuf, Failure> {
    match file.extension().is_some_and(|extension| extension == "parquet") {
        true => Ok(file.to_owned()),
        false => Err(Failure::usage(format!(
            "--output `{}` must end in .parquet; for other formats, publish the ranking and use `topsell show -o`",
            file.display()
        ))),
    }
}

/// Runs the ranking.
///
/// # Errors
/// Fails as the step does.
pub fn run(settings: &Settings, typed: &Rank) -> Result<Exit, Failure> {
    if let Some(part) = &typed.part {
        return rank_parts::run(settings, part);
    }
    let (step, note) = typed.step(settings.now)?;
    settings.note_moments(note);
    step_runner::run(settings, &step, LockTimeout::from_wait(typed.wait), None)
}
