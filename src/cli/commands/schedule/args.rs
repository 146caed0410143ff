//! The options of `topsell schedule`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::failure::Failure;
use crate::output::OutputArgs;
use topsell_core::model::Zone;
use topsell_ops::job_spec::Sources;

/// Run jobs on their schedules
///
/// Jobs are read from a directory of job files, from crontabs, or both. Each due run is started once, even
/// if several schedulers share the lake. Runs until SIGTERM or SIGINT; SIGHUP reloads the jobs.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell schedule --jobs jobs/ --check                 validate all jobs
  topsell schedule --jobs jobs/ --list --limit 3        list the next 3 runs of each job
  topsell schedule --jobs jobs/                         run the jobs until stopped
  topsell schedule --crontab /etc/topsell/crontab --tz Europe/Berlin
")]
#[command(after_help = "\
A schedule is a cron expression of five fields, `minute hour day-of-month month day-of-week`, or six
with seconds first. Fields are numbers, names (MON, JAN), *, ranges (1-5), steps (*/10, 8-18/2) and lists
(0,30). Or it is one of @hourly @daily @midnight @weekly @monthly @yearly @annually. If both days are
restricted, either matches. When daylight saving time skips a scheduled time, the run starts right
after; when a time occurs twice, the run starts the first time; jobs of every hour run in both.
")]
#[command(
    mut_arg("output", |arg| arg.requires("list")),
    mut_arg("format", |arg| arg.requires("list")),
    mut_arg("json", |arg| arg.requires("list")),
    mut_arg("csv_safe", |arg| arg.requires("list")),
    mut_arg("excel", |arg| arg.requires("list")),
)]
pub struct Schedule {
    /// Directory of job files [default: jobs, without --crontab]
    #[arg(long, value_name = "DIR")]
    pub jobs: Option<PathBuf>,
    /// Crontab, in the format of a user's crontab; can be repeated
    #[arg(long, value_name = "FILE")]
    pub crontab: Vec<PathBuf>,
    /// Also read the .crontab in each user's home directory, and run its commands as that user;
    /// requires root
    #[arg(long)]
    pub all_users: bool,
    /// The list of accounts
    #[arg(long, value_name = "FILE", requires = "all_users", default_value = "/etc/passwd", hide = true)]
    pub accounts: PathBuf,
    /// Time zone for schedules that have none
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
    /// List the upcoming runs and exit
    #[arg(long, conflicts_with = "check")]
    pub list: bool,
    /// Maximum number of runs of each job to list
    #[arg(short = 'n', long, value_name = "N", requires = "list", default_value_t = 5)]
    pub limit: u32,
    /// List all runs before TIME
    #[arg(long, value_name = "TIME", requires = "list", conflicts_with = "limit", hide = true)]
    pub until: Option<String>,
    /// Validate all jobs and exit
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub output: OutputArgs,
    /// On SIGTERM, how long running jobs may take to finish before they are terminated
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub shutdown_timeout: String,
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
