//! `topsell lake`: maintenance of the lake.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use crate::commands::lake_stop::stop_on_signals;
use crate::commands::{lake_copy, lake_repair, lake_upgrade};
use crate::failure::{Exit, Failure};
use crate::lake_scope::{lake_scope, only_share};
use crate::lake_summary;
use crate::moments::TIME_HELP;
use crate::output::{OutputArgs, Target};
use crate::settings::{Settings, Verbosity};
use crate::step_runner;
use crate::summary;
use crate::terminal;
use crate::unfinished_uploads;
use topsell_core::lake::{self, DryRun, LakeError};
use topsell_core::maintenance::{Retention, StopRequest};
use topsell_core::model::{Timestamp, parse_hours, parse_seconds};
use topsell_core::pipeline::{self, Caller, Done, Step, StepError};
use topsell_core::progress::{Progress, Stage};
use topsell_core::rankings::RankingRetention;
use topsell_core::rollup::RollupError;
use topsell_core::storage::{LockTimeout, Store};
use topsell_ops::run_history::{RetentionReport, RunRetention, RunStore};
use topsell_output::answers::lake_stats;

const SECONDS_PER_DAY: i64 = 86_400;

/// Maintain the lake: compact, prune, verify, repair, show statistics
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell lake compact                              merge small files
  topsell lake prune --retention 365d --dry-run     list the data older than a year
  topsell lake verify                               check all data for corruption
  topsell lake repair --dry-run                     list what would be done about it
  topsell lake stats                                count files, rows, hours and categories
  topsell lake upgrade                              upgrade the lake to the format of this version
  topsell lake copy data/lake s3://shop/backup      copy a lake to a bucket
")]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Lake {
    #[command(subcommand)]
    pub command: LakeCommand,
}

#[derive(Subcommand, Debug)]
pub enum LakeCommand {
    /// Merge small files into larger ones
    ///
    /// Compacts the events of past hours and the aggregates of past days. Rankings do not change, and
    /// readers are not interrupted: merged files stay on disk until `topsell lake prune` removes them.
    #[command(before_help = "\
Examples:
  topsell lake compact --dry-run     print what would be merged
  topsell lake compact --wait        for the nightly job
")]
    Compact {
        /// Print the plan and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Wait while another run holds the lock, instead of exiting with 6
        #[arg(long)]
        wait: bool,
    },
    /// Delete data older than the retention, and files that are no longer needed
    ///
    /// Three things are removed: events, aggregates and rejects past --retention, by whole UTC days; files that no
    /// table version within --keep-versions references, such as those that were compacted; and old
    /// rankings and run records. Without --retention and a `retention` in the lake's topsell.toml, no
    /// events are deleted.
    #[command(before_help = "\
Examples:
  topsell lake prune --retention 365d --dry-run     list what would be deleted
  topsell lake prune --retention 365d               delete data older than a year
  topsell lake prune --wait                         use the retention set in the lake's topsell.toml
")]
    Prune {
        /// Delete events and aggregates of days that ended longer ago than this [default: keep all]
        #[arg(long, value_name = "DURATION")]
        retention: Option<String>,
        /// Keep the files of table versions this recent, for readers that still use them
        #[arg(long, value_name = "DURATION", default_value = "7d")]
        keep_versions: String,
        /// Keep all published rankings of this period
        #[arg(long, value_name = "DURATION", default_value = "35d")]
        keep_rankings: String,
        /// Of older rankings, keep the last of each week for this period; `show` counts an item's
        /// weeks in the ranking by them
        #[arg(long, value_name = "DURATION", default_value = "53w")]
        keep_weekly: String,
        /// Keep run records of this period; those of past days are archived in one file a day
        #[arg(long, value_name = "DURATION", default_value = "90d")]
        keep_runs: String,
        /// Proceed even if the clock is more than a week ahead of the newest event and the newest commit, or more
        /// than half of the events would be deleted; without it, both are refused
        #[arg(long)]
        yes: bool,
        /// Print the plan and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Wait while another run holds the lock, instead of exiting with 6
        #[arg(long)]
        wait: bool,
    },
    /// Check all data for corruption; exit with 3 if any is found
    ///
    /// Reads every file that the lake references, and recomputes the aggregates from raw events to compare
    /// them, day by day, the oldest first. Logs, pointers and the records of ingested files are always checked.
    #[command(before_help = "\
Examples:
  topsell lake verify || echo 'repair the lake'
  topsell lake verify --since 7d       check the events, aggregates and rankings of the last 7 days
  topsell lake verify --share 1/30     check a thirtieth of the files, other ones each day
", after_help = TIME_HELP)]
    Verify {
        /// Only events, aggregates and rankings of TIME or later; a verification that was interrupted
        /// names the TIME to continue from
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// One of N shares of the files and days, another one each day, besides what is --since a time: in N days, all of
        /// them
        #[arg(long, value_name = "1/N")]
        share: Option<String>,
        /// Only the K-th of N shares of the files and days, for N processes that each check one
        #[arg(long, value_name = "K/N", conflicts_with_all = ["since", "share"])]
        only_share: Option<String>,
    },
    /// Repair what `verify` finds: rebuild what can be, and quarantine what cannot
    ///
    /// Aggregates and pointers are recomputed, and a damaged log of a table is repaired if the newest version can
    /// be read. Damaged files of events and rankings are moved to the folder quarantine of the lake, and
    /// named: load the lost events again with `topsell ingest --force`. Asks before anything is changed. Exits with 3
    /// if something was lost or cannot be repaired.
    #[command(before_help = "\
Examples:
  topsell lake repair --dry-run     print what would be done
  topsell lake repair --yes         repair without asking
")]
    Repair {
        /// Proceed without asking
        #[arg(long)]
        yes: bool,
        /// Print the plan and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Wait while another run holds the lock, instead of exiting with 6
        #[arg(long)]
        wait: bool,
    },
    /// Upgrade the lake to the format of this version of topsell
    ///
    /// Every other command refuses a lake of an older format. An upgrade that was interrupted is completed
    /// by the next one.
    #[command(before_help = "\
Examples:
  topsell lake upgrade --dry-run     print the plan
  topsell lake upgrade --wait        upgrade when no other run holds the lock
")]
    Upgrade {
        /// Print the plan and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Wait while another run holds the lock, instead of exiting with 6
        #[arg(long)]
        wait: bool,
    },
    /// Copy a lake to another folder or bucket; the lake may be written to meanwhile
    ///
    /// For backup, restore and moving. FROM and TO are folders or s3://BUCKET/PREFIX. Each file is read back after it is
    /// written; the copy is a lake when its last file is there. A copy that was interrupted continues, and an older copy
    /// of the same lake is brought up to date. Nobody may write to TO meanwhile. The log of a server is not copied.
    #[command(before_help = "\
Examples:
  topsell lake copy data/lake s3://shop/backup       back up a lake
  topsell lake copy s3://shop/backup restored        restore it
")]
    Copy {
        /// The lake to copy
        #[arg(value_name = "FROM")]
        from: PathBuf,
        /// Where to copy it: a new or empty folder or prefix, or an older copy of the lake
        #[arg(value_name = "TO")]
        to: PathBuf,
    },
    /// Show statistics: files, rows, hours and categories
    #[command(before_help = "\
Examples:
  topsell lake stats | jq '.events.rows'
")]
    Stats {
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// What is done to the lake.
pub enum Checked {
    Maintenance(Maintenance),
    Upgrade { dry_run: DryRun, lock_timeout: LockTimeout },
    Copy,
}

/// A checked step of maintenance.
pub struct Maintenance {
    step: Step,
    lock_timeout: LockTimeout,
    /// With `prune`: what to keep of the run history.
    runs: Option<(RunRetention, DryRun)>,
    /// What to note about the options.
    note: Option<String>,
}

impl Lake {
    /// Checks the options, and returns the step they describe.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, now: Timestamp, verbosity: Verbosity) -> Result<Checked, Failure> {
        let of = |step, wait| {
            let lock_timeout = LockTimeout::from_wait(wait);
            Maintenance { step, lock_timeout, runs: None, note: None }
        };
        let maintenance = match &self.command {
            LakeCommand::Compact { dry_run, wait } => {
                of(Step::Compact { dry_run: DryRun::from(*dry_run) }, *wait)
            }
            LakeCommand::Prune {
                retention,
                keep_versions,
                keep_rankings,
                keep_weekly,
                keep_runs,
                yes,
                dry_run,
                wait,
            } => {
                let since = |option: &str, text: &str| {
                    let seconds =
                        parse_seconds(text).map_err(|e| Failure::usage(format!("{option}: {e}")))?;
                    Ok::<Timestamp, Failure>(now.plus_seconds(-seconds.cast_signed()))
                };
                let hours = |text: &String| {
                    parse_hours(text).map_err(|e| Failure::usage(format!("--retention: {e}")))
                };
                let rules = Retention {
                    hours: retention.as_ref().map(hours).transpose()?,
                    versions_since: since("--keep-versions", keep_versions)?,
                    rankings: RankingRetention {
                        all_since: since("--keep-rankings", keep_rankings)?,
                        weekly_since: since("--keep-weekly", keep_weekly)?,
                    },
                    is_confirmed: *yes,
                };
                let keep_runs = RunRetention {
                    // Records of yesterday and today are read most, and their runs may be active.
                    archive_before: now.plus_seconds(-SECONDS_PER_DAY),
                    delete_before: since("--keep-runs", keep_runs)?,
                };
                let dry_run = DryRun::from(*dry_run);
                Maintenance {
                    runs: Some((keep_runs, dry_run)),
                    ..of(Step::Prune { retention: rules, dry_run }, *wait)
                }
            }
            LakeCommand::Verify { since, share, only_share: nth } => {
                let (mut scope, note) = lake_scope(since.as_deref(), share.as_deref(), now)?;
                scope.share = only_share(nth.as_deref())?.or(scope.share);
                let step = Step::Verify { scope, stop: StopRequest::default() };
                Maintenance { note, ..of(step, false) }
            }
            LakeCommand::Repair { yes, dry_run, wait } => {
                let confirm = lake_repair::confirm(*yes, verbosity);
                of(Step::Repair { dry_run: DryRun::from(*dry_run), confirm }, *wait)
            }
            LakeCommand::Stats { .. } => of(Step::Stats, false),
            LakeCommand::Copy { .. } => return Ok(Checked::Copy),
            LakeCommand::Upgrade { dry_run, wait } => {
                let lock_timeout = LockTimeout::from_wait(*wait);
                return Ok(Checked::Upgrade { dry_run: DryRun::from(*dry_run), lock_timeout });
            }
        };
        Ok(Checked::Maintenance(maintenance))
    }
}

/// Runs the maintenance.
///
/// # Errors
/// Fails as the step does.
pub fn run(settings: &Settings, typed: &Lake) -> Result<Exit, Failure> {
    if let LakeCommand::Copy { from, to } = &typed.command {
        return lake_copy::run(settings, from, to);
    }
    let Maintenance { step, lock_timeout, runs, note } =
        match typed.check(settings.now, settings.verbosity)? {
            Checked::Maintenance(maintenance) => maintenance,
            Checked::Upgrade { dry_run, lock_timeout } => {
                return lake_upgrade::run(settings, dry_run, lock_timeout);
            }
            Checked::Copy => return Ok(Exit::Success),
        };
    if let LakeCommand::Stats { output } = &typed.command {
        let target = output.target(None, settings.color)?;
        return stats(settings, &step, &target);
    }
    settings.note_moments(note);
    if let LakeCommand::Repair { yes, dry_run, .. } = &typed.command
        && !lake_repair::repair_format(settings, *yes, *dry_run)?
    {
        return Ok(Exit::Success);
    }
    if let Step::Verify { stop, .. } = &step {
        stop_on_signals(stop)?;
    }
    match runs {
        Some((keep_runs, dry_run)) => prune(settings, &step, lock_timeout, &keep_runs, dry_run),
        None => step_runner::run(settings, &step, lock_timeout, None),
    }
}

/// Writes the size of the lake.
fn stats(settings: &Settings, step: &Step, target: &Target) -> Result<Exit, Failure> {
    step_runner::recorded(settings, step, |record| {
        let caller = step_runner::caller(settings, step, LockTimeout::from_wait(false), None);
        let progress = step_runner::observed(settings, record);
        let done = pipeline::run(step, &settings.store()?, &caller, &progress)?;
        drop(progress);
        if let Done::Counted(stats) = &done {
            target.write(lake_stats(stats))?;
        }
        Ok(summary::exit_of(&done))
    })
}

/// Prunes the lake, then the history of its runs.
fn prune(
    settings: &Settings,
    step: &Step,
    lock_timeout: LockTimeout,
    keep_runs: &RunRetention,
    dry_run: DryRun,
) -> Result<Exit, Failure> {
    step_runner::recorded(settings, step, |record| {
        let caller = step_runner::caller(settings, step, lock_timeout, None);
        let progress = step_runner::observed(settings, record);
        let store = settings.store()?;
        let done = pipeline::run(step, &store, &caller, &progress);
        // A full disk may be why the lake could not be pruned, and old records take room on it.
        let is_refused = matches!(&done, Err(StepError::Rollup(RollupError::Lake(e))) if e.is_refusal());
        let kept = done.is_ok() || matches!(done, Err(StepError::Rollup(_))) && !is_refused;
        let kept = kept.then(|| prune_history(&store, &caller, keep_runs, dry_run, &progress)).transpose();
        drop(progress);
        let (done, kept) = (done?, kept?.unwrap_or_default());
        settings.say(|out| {
            summary::write(&done, settings.verbosity, out)?;
            lake_summary::write_kept_runs(&kept, dry_run, out)
        })?;
        unfinished_uploads::note(settings, &store);
        settings.answer(|out| {
            summary::answer(&done, terminal::options(None, settings.color), out)?;
            if dry_run == DryRun::Yes { lake_summary::write_kept_runs_plan(&kept, out) } else { Ok(()) }
        })?;
        Ok(summary::exit_of(&done))
    })
}

/// Archives old run records into files by day and removes those past their retention, under the lock.
fn prune_history(
    store: &Store,
    caller: &Caller,
    keep: &RunRetention,
    dry_run: DryRun,
    progress: &Progress,
) -> Result<RetentionReport, StepError> {
    let _lock = lake::Lake::open(store.clone())?.lock_maintenance(&caller.name, caller.lock_timeout)?;
    let run_store = RunStore::open(store);
    progress.begin(Stage::ArchiveRuns, None);
    let kept = match dry_run {
        DryRun::Yes => run_store.plan_retention(keep),
        DryRun::No => run_store.apply_retention(keep),
    };
    progress.end(Stage::ArchiveRuns);
    Ok(kept.map_err(LakeError::from)?)
}
