//! `topsell schedule`: which jobs there are, when they are due, and a host that starts them.

mod host;
pub mod jobs;
mod list;

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::failure::{Exit, Failure};
use crate::output::OutputArgs;
use crate::settings::Settings;
use jobs::CheckWords;
use topsell_core::model::Zone;
use topsell_ops::job_spec::Sources;

/// Start jobs when they are due, until told to stop
///
/// Jobs are files of a folder, lines of crontabs, or both. What is due is worked out from their schedules
/// and the clock alone; each due run is started once, however many schedulers share the lake.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell schedule --jobs jobs/ --check                 whether all of them can be read
  topsell schedule --jobs jobs/ --list --limit 3        what will run when
  topsell schedule --jobs jobs/                         run them, until told to stop
  topsell schedule --crontab /etc/topsell/crontab --tz Europe/Berlin
")]
#[command(after_help = "\
A schedule has five fields, `minute hour day-of-month month day-of-week`, or six with seconds first:
numbers, names such as MON and JAN, *, ranges 1-5, steps */10 and 8-18/2, lists 0,30; or is a word:
@hourly @daily @midnight @weekly @monthly @yearly @annually. Where both days are restricted, either
will do. A time that clocks pass over runs once right after; one that comes twice runs the first time;
with every hour named, runs go on through both.
")]
#[command(
    mut_arg("output", |arg| arg.requires("list")),
    mut_arg("format", |arg| arg.requires("list")),
    mut_arg("json", |arg| arg.requires("list")),
)]
pub struct Schedule {
    /// Folder of job files; ./jobs where no crontab is named either
    #[arg(long, value_name = "DIR")]
    pub jobs: Option<PathBuf>,
    /// Crontab to take jobs from, in a user's format; may be given several times
    #[arg(long, value_name = "FILE")]
    pub crontab: Vec<PathBuf>,
    /// Take the .crontab in each account's home folder too, and run its commands as its owner; for
    /// root alone
    #[arg(long)]
    pub all_users: bool,
    /// The list of accounts
    #[arg(long, value_name = "FILE", requires = "all_users", default_value = "/etc/passwd", hide = true)]
    pub accounts: PathBuf,
    /// Time zone of schedules that name none
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
    /// Say what will run when, and run nothing
    #[arg(long, conflicts_with = "check")]
    pub list: bool,
    /// With --list: how many runs of each job to list
    #[arg(short = 'n', long, value_name = "N", requires = "list", default_value_t = 5)]
    pub limit: u32,
    /// With --list: all runs before this, however many
    #[arg(long, value_name = "TIME", requires = "list", conflicts_with = "limit", hide = true)]
    pub until: Option<String>,
    /// Read all jobs, say where one is wrong, and run nothing
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub output: OutputArgs,
    /// On SIGTERM, how long running jobs may take to finish before they are terminated
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub shutdown_timeout: String,
}

/// Does what was asked of the schedule.
///
/// # Errors
/// Fails where jobs cannot be read, and where nobody can start them.
pub fn run(settings: &Settings, typed: &Schedule, check_words: CheckWords<'_>) -> Result<Exit, Failure> {
    settings.use_threads()?;
    let sources = typed.sources()?;
    match (typed.list, typed.check) {
        (true, _) => list::run(settings, typed, &jobs::found(settings, &sources, check_words)),
        (_, true) => jobs::check(settings, &sources, check_words),
        _ => host::run(settings, typed, sources, check_words),
    }
}

impl Schedule {
    /// Returns where jobs are looked for.
    ///
    /// # Errors
    /// Refuses a zone that is none.
    pub fn sources(&self) -> Result<Sources, Failure> {
        let zone = Zone::named(&self.tz).map_err(|e| Failure::usage(format!("--tz: {e}")))?;
        let is_unsaid = self.crontab.is_empty() && !self.all_users;
        let folder = self.jobs.clone().or_else(|| is_unsaid.then(|| PathBuf::from(USUAL_FOLDER)));
        Ok(Sources {
            folder,
            crontabs: self.crontab.clone(),
            accounts: self.all_users.then(|| self.accounts.clone()),
            time_zone: zone.name().to_owned(),
        })
    }
}

const USUAL_FOLDER: &str = "jobs";
