//! `topsell health`: the state of a lake in one line and an exit code.

use std::io::{self, Write};

use clap::{Args as ClapArgs, ValueEnum};
use serde_json::json;

use crate::failure::{Exit, Failure, unless_reader_left};
use crate::settings::Settings;
use topsell_core::model::parse_seconds;
use topsell_ops::health;
use topsell_ops::health::{Facts, Limits, Look, Verdict};
use topsell_output::show::ShowError;

/// Tell in one line, and by the exit code, whether someone must look
///
/// Answers from the lake's logs and records alone, in milliseconds, while anything else runs.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell health                                   whether the last run of anything failed
  topsell health --max-age 2h --max-lag 3h         and whether ranking and sales are new enough
  topsell health --format json | jq .health
")]
#[command(after_help = "\
The line begins with a word that goes with the exit code, the worst of what is found:
  OK       0  all is well
  STALE    7  the ranking, or the newest hour of sales, is older than it may be
  FAILED   1  the last run of a command or a job failed or never ended, or there is no lake
  DAMAGED  3  the published ranking, or a table's log, is not what it was

Commands that only look are not judged; a run that found another at work counts as none.
")]
pub struct Health {
    /// How long ago the published ranking may have been made
    #[arg(long, value_name = "TIME")]
    max_age: Option<String>,
    /// How long ago the newest hour of sales may have ended
    #[arg(long, value_name = "TIME")]
    max_lag: Option<String>,
    /// How many commands and jobs may have failed when they ran last
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_failed: u64,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "text")]
    format: HealthForm,
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HealthForm {
    Text,
    Json,
}

/// What to hold the facts against, and how to answer.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    limits: Limits,
    form: HealthForm,
}

impl Health {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self) -> Result<Question, Failure> {
        let seconds = |option: &str, text: &Option<String>| {
            let parsed = text.as_deref().map(parse_seconds).transpose();
            parsed.map_err(|e| Failure::usage(format!("{option}: {e}")))
        };
        let limits = Limits {
            max_age_seconds: seconds("--max-age", &self.max_age)?,
            max_lag_seconds: seconds("--max-lag", &self.max_lag)?,
            max_failed: self.max_failed,
        };
        Ok(Question { limits, form: self.format })
    }
}

/// Answers.
///
/// # Errors
/// Fails where the folder cannot be named or the output does.
pub fn run(settings: &Settings, typed: &Health) -> Result<Exit, Failure> {
    let question = typed.check()?;
    let facts = health::facts(&settings.store()?, Look::Ages, settings.now);
    let verdict = health::verdict(&facts, &question.limits);
    let mut out = io::stdout().lock();
    let written = match question.form {
        HealthForm::Text => writeln!(out, "{}", verdict.line()),
        HealthForm::Json => writeln!(out, "{:#}", answer(&facts, &verdict)),
    };
    written.map_err(ShowError::from).or_else(unless_reader_left)?;
    Ok(match verdict.health {
        health::Health::Well => Exit::Success,
        health::Health::Stale => Exit::Stale,
        health::Health::Failed => Exit::RuntimeError,
        health::Health::Damaged => Exit::DataCorruption,
    })
}

fn answer(facts: &Facts, verdict: &Verdict) -> serde_json::Value {
    let newest = facts.lake.as_ref().and_then(|lake| lake.newest_hour);
    let runs = facts.runs.iter().map(|(ran, of)| {
        let last = of.last.as_ref();
        json!({
            "command": ran.command,
            "job": ran.job,
            "last": last.map(|last| &last.id),
            "state": last.map(|last| last.state().word()),
            "exit_code": last.and_then(|last| last.exit_code),
            "ended": last.and_then(|last| last.ended.as_ref()),
            "last_done": of.last_done.as_ref().and_then(|last| last.ended.as_ref()),
        })
    });
    json!({
        "schema": 1,
        "health": verdict.health.word(),
        "wrong": verdict.wrong,
        "line": verdict.line(),
        "ranking": facts.ranking.as_ref().map(|ranking| json!({
            "as_of": ranking.as_of.to_string(),
            "age_seconds": facts.now.seconds_since(ranking.since()),
        })),
        "newest_hour": newest.map(|hour| hour.start().to_string()),
        "lag_seconds": newest.map(|hour| facts.now.seconds_since(hour.plus(1).start())),
        "runs": runs.collect::<Vec<_>>(),
        "unknown": facts.unknown,
    })
}
