//! `topsell cluster local`: a ranking or a rollup by several processes of this host, as a cluster does it.

use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;
use std::{env, process};

use clap::{Args as ClapArgs, Subcommand};

use crate::catalog_args::{Catalog, catalog_file};
use crate::commands::publish_options::PublishOptions;
use crate::commands::ranking_options::{Checked, RankingOptions};
use crate::commands::rollup_scope::{RollupScope, recomputed};
use crate::failure::{Exit, Failure};
use crate::moments::TIME_HELP;
use crate::program::PROGRAM;
use crate::settings::Settings;
use crate::{metrics, run_recorder, step_runner, summary};
use run_recorder::RecordMode;
use topsell_cluster::{PartsError, Workers};
use topsell_core::distributed::{MergeFiles, PlanOptions};
use topsell_core::model::Timestamp;
use topsell_core::pipeline::{self, Caller, Done, Step};
use topsell_core::progress::{Listener, Progress};
use topsell_core::rollup::Split;
use topsell_core::storage::LockTimeout;
use topsell_ops::process::machine_name;
use topsell_ops::run_history::{TRACEPARENT, TraceContext, traceparent};

/// As often as Spark does by default.
const MAX_TRIES: u32 = 4;
/// Parts for each worker, so that none of them waits long for the last one.
const PARTS_PER_WORKER: u64 = 4;

/// Rank or aggregate with several processes
///
/// What `topsell-spark` does on a cluster, with processes of this host: one plans, each of the others computes one
/// part at a time, and results are shared in the lake.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell cluster local --workers 4 rank --window 150h
  topsell --lake s3://shop/lake cluster local --workers 7 rank --all-items
  topsell cluster local --workers 4 rollup --all
")]
pub struct Cluster {
    #[command(subcommand)]
    on: On,
}

#[derive(Subcommand, Debug)]
enum On {
    Local(Local),
}

/// Use processes of this host
///
/// A process that dies loses its part, which is given out again, up to three times. If this command itself dies,
/// start it again: with the same --as-of it goes on with the results that the lake has.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell cluster local --workers 4 rank --window 150h --as-of 2017-01-15
")]
struct Local {
    /// Number of processes
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    workers: u16,
    #[command(subcommand)]
    work: Work,
}

#[derive(Subcommand, Debug)]
enum Work {
    Rank(LocalRank),
    Rollup(LocalRollup),
}

/// Rank the items of every category and publish the ranking
///
/// The published bytes are those of `topsell rank` with the same options.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell cluster local --workers 4 rank --window 150h --all-items
")]
struct LocalRank {
    #[command(flatten)]
    ranking: RankingOptions,
    /// Also publish the item totals: units, last 7 days and rank of every item in each of its
    /// categories, not only of the top items
    #[arg(long)]
    all_items: bool,
    /// About how many parts each round has [default: four for each process]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    parts: Option<u64>,
    #[command(flatten)]
    catalog: Catalog,
    #[command(flatten)]
    publish: PublishOptions,
    /// Wait while another run holds the lock, instead of exiting with 6
    #[arg(long)]
    wait: bool,
}

/// Aggregate new events by item and hour
///
/// All aggregates become visible in one commit, as by `topsell rollup` with the same options.
#[derive(ClapArgs, Debug)]
#[command(group = recomputed(), after_help = TIME_HELP, before_help = "\
Examples:
  topsell cluster local --workers 4 rollup --all
")]
struct LocalRollup {
    #[command(flatten)]
    scope: RollupScope,
    /// About how many parts there are [default: parts of about four million events]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    parts: Option<u64>,
    /// Wait while another run holds the lock, instead of exiting with 6
    #[arg(long)]
    wait: bool,
}

impl Cluster {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, now: Timestamp) -> Result<(), Failure> {
        let On::Local(Local { work, .. }) = &self.on;
        match work {
            Work::Rank(typed) => {
                typed.ranking.check(now)?;
                catalog_file(&typed.catalog).map(drop)
            }
            Work::Rollup(typed) => typed.scope.read(now).map(drop),
        }
    }
}

/// Runs a cluster of processes.
///
/// # Errors
/// Fails as the work does, or where a part fails again and again.
pub fn run(settings: &Settings, typed: &Cluster) -> Result<Exit, Failure> {
    let On::Local(Local { workers, work }) = &typed.on;
    settings.use_threads()?;
    let trace = run_recorder::trace_around();
    let mode = RecordMode::FromStart;
    let done = run_recorder::record_in(settings, "cluster local", mode, trace.clone(), |record| {
        let wait = match work {
            Work::Rank(typed) => typed.wait,
            Work::Rollup(typed) => typed.wait,
        };
        let driver = Driver { settings, workers: usize::from(*workers), wait, trace: &trace, record };
        match work {
            Work::Rank(typed) => driver.rank(typed),
            Work::Rollup(typed) => driver.rollup(typed),
        }
    });
    metrics::write(settings);
    done
}

/// Who plans, gives out parts, and merges.
struct Driver<'a> {
    settings: &'a Settings,
    workers: usize,
    wait: bool,
    trace: &'a TraceContext,
    record: Option<Arc<dyn Listener>>,
}

impl Driver<'_> {
    fn rank(&self, typed: &LocalRank) -> Result<Exit, Failure> {
        let Checked { rules, event_types, freshness, note } = typed.ranking.check(self.settings.now)?;
        self.settings.note_moments(note);
        let catalog = catalog_file(&typed.catalog)?;
        let publication = typed.publish.publication_of(typed.all_items)?;
        let options = PlanOptions {
            program: PROGRAM.to_owned(),
            split: Split::Items,
            parts: Some(typed.parts.unwrap_or(self.workers as u64 * PARTS_PER_WORKER)),
            all_items: typed.all_items,
        };
        let mut done =
            self.step(&Step::PlanRanking { rules, event_types, options, freshness, output: None })?;
        while let Done::RankingPlanned { plan, file, .. } = &done {
            let (program, results) = (PROGRAM.to_owned(), Vec::new());
            let files = MergeFiles { program, plan: file.clone(), results, next: None };
            let publication = publication.clone();
            let merge = Step::MergeRanking { files, catalog: catalog.clone(), publication };
            done = self.compute(["rank", "partial"], &file.clone(), plan.parts(), &merge)?;
        }
        Ok(summary::exit_of(&done))
    }

    fn rollup(&self, typed: &LocalRollup) -> Result<Exit, Failure> {
        let (scope, replaces, note) = typed.scope.read(self.settings.now)?;
        self.settings.note_moments(note);
        let plan = Step::PlanRollup { scope, replaces, program: PROGRAM.to_owned(), parts: typed.parts };
        for tried in 1.. {
            let Done::RollupPartsPlanned(Some((plan, file))) = self.step(&plan)? else { break };
            let commit = Step::CommitRollup { plan: file.clone(), program: PROGRAM.to_owned() };
            match self.compute(["rollup", "partial"], &file, plan.parts(), &commit) {
                Err(failure) if failure.exit == Exit::Busy && tried < MAX_TRIES => {
                    self.settings.note(&format!("warning: {failure}; it is planned again"));
                }
                done => return done.map(|done| summary::exit_of(&done)),
            }
        }
        Ok(Exit::Success)
    }

    /// Computes all parts of a plan, and brings the results together.
    fn compute(&self, words: [&str; 2], plan: &Path, parts: usize, then: &Step) -> Result<Done, Failure> {
        self.run_parts(words, plan, parts)?;
        match self.step(then) {
            // A result is damaged, or was removed: what is whole is not computed again.
            Err(failure) if failure.exit == Exit::DataCorruption => {
                self.settings.note(&format!("warning: {failure}; it is computed again"));
                self.run_parts(words, plan, parts)?;
                self.step(then)
            }
            done => done,
        }
    }

    fn step(&self, step: &Step) -> Result<Done, Failure> {
        let name = format!("cluster local (process {}, host {})", process::id(), machine_name());
        let lock_timeout = LockTimeout::from_wait(self.wait);
        let caller = Caller { name, lock_timeout, now: self.settings.now, stdin: None };
        let done = pipeline::run(step, &self.settings.store()?, &caller, &self.progress())?;
        self.settings.say(|out| summary::write(&done, self.settings.verbosity, out))?;
        Ok(done)
    }

    fn progress(&self) -> Progress {
        step_runner::observed(self.settings, self.record.clone())
    }

    /// Computes all parts of a plan, each in a process of its own.
    fn run_parts(&self, words: [&str; 2], plan: &Path, parts: usize) -> Result<(), Failure> {
        let program =
            env::current_exe().map_err(|e| Failure::runtime(format!("cannot find this program: {e}")))?;
        let threads = self.settings.threads_of_each(self.workers).to_string();
        let command = |part: usize| {
            let mut command = Process::new(&program);
            command.arg("--lake").arg(&self.settings.lake).args(["--quiet", "--threads", &threads]);
            command.args(words).arg(plan).args(["--part", &part.to_string()]);
            command.env(TRACEPARENT, traceparent(&self.trace.trace_id, &self.trace.span_id));
            command
        };
        let tell = |what: &str| self.settings.note(&format!("warning: {what}"));
        let workers = Workers { count: self.workers, max_tries: MAX_TRIES };
        workers
            .run(parts, &command, &tell)
            .map(drop)
            .map_err(|error: PartsError| Failure::runtime(error.to_string()))
    }
}
