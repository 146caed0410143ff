//! `topsell health`: the state of a lake in one line and an exit code.

use clap::Args as ClapArgs;

use crate::commands::publish_options::ranking_name;
use crate::failure::{Exit, Failure};
use crate::output::{DocumentArgs, Target};
use crate::settings::Settings;
use crate::size::parse_bytes;
use topsell_core::model::parse_seconds;
use topsell_core::rankings::RankingName;
use topsell_ops::health;
use topsell_ops::health::{Detail, Thresholds};
use topsell_output::answers;
use topsell_output::formats::Format;

/// Check the lake's status, for monitoring
///
/// Prints one line and sets the exit code. Reads only logs and run records, in milliseconds, and takes no
/// lock.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell health                                   check whether the last runs failed
  topsell health --max-age 2h --max-lag 3h         also check that rankings and events are recent
  topsell health --min-free 20GB                   also check that the disk does not fill up
  topsell health --format json | jq .health
")]
#[command(after_help = "\
The line begins with the status, which also sets the exit code; the worst status wins:
  OK       0  no problems found
  STALE    7  the ranking or the newest hour of events is too old
  FAILED   1  the last run of a command or job failed, there is no lake, or its disk is nearly full
  CORRUPT  3  the published ranking or a table's log is corrupt

Only runs that change the lake are considered; a run that exited because another held the lock is
ignored.
")]
pub struct Health {
    /// Name under which the ranking was published [default: default]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Maximum age of the published ranking [default: no limit]
    #[arg(long, value_name = "DURATION")]
    max_age: Option<String>,
    /// Maximum age of the newest hour of events [default: no limit]
    #[arg(long, value_name = "DURATION")]
    max_lag: Option<String>,
    /// Minimum of free space on the disk of the lake [default: no limit]
    #[arg(long, value_name = "SIZE")]
    min_free: Option<String>,
    /// Maximum number of commands and jobs whose last run failed
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_failed: u64,
    #[command(flatten)]
    output: DocumentArgs,
}

/// Thresholds, and where to write the answer.
#[derive(Clone, Debug)]
pub struct Question {
    name: RankingName,
    thresholds: Thresholds,
    target: Target,
}

impl Health {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, settings: &Settings) -> Result<Question, Failure> {
        let seconds = |option: &str, text: &Option<String>| {
            let parsed = text.as_deref().map(parse_seconds).transpose();
            parsed.map_err(|e| Failure::usage(format!("{option}: {e}")))
        };
        let min_free = self.min_free.as_deref().map(|text| {
            let wrong = || Failure::usage(format!("--min-free `{text}` is not a size, such as 20GB"));
            parse_bytes(text).ok_or_else(wrong)
        });
        let thresholds = Thresholds {
            max_age_seconds: seconds("--max-age", &self.max_age)?,
            max_lag_seconds: seconds("--max-lag", &self.max_lag)?,
            min_free_bytes: min_free.transpose()?,
            max_failed: self.max_failed,
        };
        // A probe reads the line, on a terminal or not.
        let name = ranking_name(self.name.as_deref())?;
        Ok(Question { name, thresholds, target: self.output.target(Some(Format::Table), settings.color)? })
    }
}

/// Runs the health check.
///
/// # Errors
/// Fails if the lake's path is invalid or the output fails.
pub fn run(settings: &Settings, typed: &Health) -> Result<Exit, Failure> {
    let question = typed.check(settings)?;
    let status = health::status(&settings.store()?, &question.name, Detail::Ages, settings.now);
    let assessment = health::assess(&status, &question.thresholds);
    question.target.write(answers::health(&status, &assessment))?;
    Ok(match assessment.health {
        health::Health::Ok => Exit::Success,
        health::Health::Stale => Exit::Stale,
        health::Health::Failed => Exit::RuntimeError,
        health::Health::Corrupt => Exit::DataCorruption,
    })
}
