//! Assesses the status of a lake against thresholds, for monitoring.

use crate::health::status::Status;
use crate::run_history::{Outcome, RunKey, RunRecord, RunState};
use topsell_core::model::{Timestamp, escape_control, format_duration};

/// Read-only commands, whose failures do not count.
const READ_ONLY: [&str; 7] = ["show", "count", "top", "stats", "report", "schedule", "health"];

/// The limits of a healthy lake; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// The maximum age of the ranking.
    pub max_age_seconds: Option<u64>,
    /// The maximum time since the newest hour of events ended.
    pub max_lag_seconds: Option<u64>,
    /// The space that must be left on the lake's disk.
    pub min_free_bytes: Option<u64>,
    /// How many commands and jobs may have failed in their last runs.
    pub max_failed: u64,
}

/// The health of a lake, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    Ok,
    /// The ranking or the newest events are too old.
    Stale,
    /// The last run of a command or job failed, or the lake cannot be read.
    Failed,
    /// A file of the lake is damaged.
    Corrupt,
}

/// The result of a health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    pub health: Health,
    /// What is wrong, the worst first.
    pub problems: Vec<String>,
    /// Ages and failures, reported in any case.
    pub details: Vec<String>,
}

impl Health {
    /// Returns the word at the start of the line.
    pub fn name(self) -> &'static str {
        match self {
            Health::Ok => "OK",
            Health::Stale => "STALE",
            Health::Failed => "FAILED",
            Health::Corrupt => "CORRUPT",
        }
    }
}

impl Assessment {
    /// Returns everything in one line.
    pub fn line(&self) -> String {
        let parts: Vec<String> =
            self.problems.iter().chain(&self.details).map(|part| escape_control(part)).collect();
        format!("{}: {}", self.health.name(), parts.join("; "))
    }
}

/// Assesses a status.
pub fn assess(status: &Status, thresholds: &Thresholds) -> Assessment {
    let mut problems: Vec<(Health, String)> =
        status.corruption.iter().map(|what| (Health::Corrupt, what.clone())).collect();
    if status.lake.is_none() {
        problems.extend(status.errors.iter().map(|what| (Health::Failed, what.clone())));
    }
    let failed: Vec<String> = failures(status).map(|(key, last)| failure_text(key, last)).collect();
    if failed.len() as u64 > thresholds.max_failed {
        problems.extend(failed.iter().map(|text| (Health::Failed, text.clone())));
    }
    if let Some(min) =
        thresholds.min_free_bytes.filter(|min| status.free_bytes.is_none_or(|free| free < *min))
    {
        let free = status.free_bytes.map_or("unknown".to_owned(), size_text);
        problems.push((
            Health::Failed,
            format!("free space on the lake's disk: {free}, less than {}", size_text(min)),
        ));
    }
    let (age, lag) = (age_seconds(status), lag_seconds(status));
    let too_old = |limit: Option<u64>, age: Option<u64>| {
        limit.filter(|limit| age.is_none_or(|age| age > *limit)).map(format_duration)
    };
    if let Some(max) = too_old(thresholds.max_age_seconds, age) {
        problems.push((Health::Stale, format!("ranking older than {max}")));
    }
    if let Some(max) = too_old(thresholds.max_lag_seconds, lag) {
        problems.push((Health::Stale, format!("newest sales hour ended more than {max} ago")));
    }
    problems.sort_by_key(|(health, _)| std::cmp::Reverse(*health));
    let mut details = vec![age_text(status, age), lag_text(status, lag)];
    let more = match failed.len() as u64 {
        0 => Some("last failure: none".to_owned()),
        some if some <= thresholds.max_failed => Some(format!("last failure: {}", failed.join(", "))),
        _ => None,
    };
    details.extend(more);
    details.extend(match status.future_runs {
        0 => None,
        1 => Some("1 run is recorded in the future and ignored".to_owned()),
        runs => Some(format!("{runs} runs are recorded in the future and ignored")),
    });
    if status.lake.is_some() {
        // The JSON output has them in full.
        let unread = status.errors.len();
        details.extend((unread > 0).then(|| format!("{unread} of the lake's records could not be read")));
    }
    let health = problems.first().map_or(Health::Ok, |(health, _)| *health);
    Assessment { health, problems: problems.into_iter().map(|(_, what)| what).collect(), details }
}

/// Returns a size in whole megabytes.
fn size_text(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}

/// Returns the age of the ranking.
pub(super) fn age_seconds(status: &Status) -> Option<u64> {
    status.ranking.as_ref().map(|ranking| status.now.seconds_since(ranking.since()))
}

/// Returns the time since the newest hour of events ended.
pub(super) fn lag_seconds(status: &Status) -> Option<u64> {
    let newest = status.lake.as_ref().and_then(|lake| lake.newest_hour);
    newest.map(|hour| status.now.seconds_since(hour.plus(1).start()))
}

fn age_text(status: &Status, age: Option<u64>) -> String {
    match status.ranking.as_ref().zip(age) {
        Some((ranking, age)) => format!("ranking as of {}, {} old", ranking.as_of, format_duration(age)),
        None => "no ranking".to_owned(),
    }
}

fn lag_text(status: &Status, lag: Option<u64>) -> String {
    let newest = status.lake.as_ref().and_then(|lake| lake.newest_hour);
    match newest.zip(lag) {
        Some((hour, _)) if hour.plus(1).start() > status.now => {
            format!("newest sales hour {}, in progress", hour.start())
        }
        Some((hour, lag)) => {
            format!("newest sales hour {}, ended {} ago", hour.start(), format_duration(lag))
        }
        None => "no sales".to_owned(),
    }
}

/// Returns the commands and jobs whose last runs failed, and those runs.
fn failures(status: &Status) -> impl Iterator<Item = (&RunKey, &RunRecord)> {
    let last = status.runs.iter().filter_map(|(key, of)| Some((key, of.last.as_ref()?)));
    last.filter(|(key, _)| key.job.is_some() || !READ_ONLY.contains(&key.command.as_str()))
        .filter(|(_, last)| last.state() != RunState::Ended(Outcome::Done))
}

fn failure_text(key: &RunKey, last: &RunRecord) -> String {
    let name = key.job.as_ref().map_or(key.command.clone(), |job| format!("job {job}"));
    let how = match (last.state(), last.exit_code, last.signal) {
        (RunState::Ended(Outcome::Failed), Some(code), _) => format!("failed with exit code {code}"),
        (RunState::Ended(Outcome::Killed), _, Some(signal)) => format!("terminated by signal {signal}"),
        (state, ..) => state.name().to_owned(),
    };
    let started = Timestamp::parse(&last.started).map_or_else(|_| last.started.clone(), |at| at.to_string());
    let message = last.message.as_ref().map(|message| format!(" ({message})")).unwrap_or_default();
    format!("{name}, started {started}, {how}{message}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::health::status::{LakeStatus, RankingStatus};
    use crate::run_history::LastRuns;
    use topsell_core::model::Hour;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("it is a moment")
    }

    /// A ranking published at 11:02, of sales until 12:00; looked at 35 minutes later.
    fn well() -> Status {
        let ranking =
            RankingStatus { as_of: at("2017-01-15T12:00:00Z"), published: Some(at("2017-01-15T11:02:00Z")) };
        let newest_hour = Some(Hour::new(at("2017-01-15T11:00:00Z").hour().number()));
        Status {
            now: at("2017-01-15T11:37:00Z"),
            lake: Some(LakeStatus { newest_hour, ..LakeStatus::default() }),
            ranking: Some(ranking),
            runs: BTreeMap::new(),
            future_runs: 0,
            free_bytes: Some(7_300_000_000),
            errors: Vec::new(),
            corruption: Vec::new(),
        }
    }

    fn ran(status: &mut Status, command: &str, job: Option<&str>, last: RunRecord) {
        let ran = RunKey { command: command.to_owned(), job: job.map(str::to_owned) };
        status.runs.insert(ran, LastRuns { last: Some(last), last_done: None });
    }

    fn failed(outcome: Outcome, exit_code: Option<u8>, signal: Option<i32>) -> RunRecord {
        let started = "2017-01-15T03:30:00Z".to_owned();
        RunRecord { outcome, exit_code, signal, started, ..RunRecord::default() }
    }

    fn check(status: &Status, thresholds: Thresholds, expected: &Expect) {
        expected.assert_eq(&assess(status, &thresholds).line());
    }

    #[test]
    fn the_worst_comes_first_and_ages_are_always_included() {
        let mut status = well();
        check(
            &status,
            Thresholds::default(),
            &expect![
                "OK: ranking as of 2017-01-15T12:00:00Z, 35 min old; newest sales hour 2017-01-15T11:00:00Z, in progress; last failure: none"
            ],
        );
        let thresholds = Thresholds {
            max_age_seconds: Some(2_099),
            max_lag_seconds: Some(0),
            max_failed: 0,
            ..Thresholds::default()
        };
        check(
            &status,
            thresholds,
            &expect![
                "STALE: ranking older than 34 min 59 s; ranking as of 2017-01-15T12:00:00Z, 35 min old; newest sales hour 2017-01-15T11:00:00Z, in progress; last failure: none"
            ],
        );
        check(
            &status,
            Thresholds { max_age_seconds: Some(2_100), ..thresholds },
            &expect![
                "OK: ranking as of 2017-01-15T12:00:00Z, 35 min old; newest sales hour 2017-01-15T11:00:00Z, in progress; last failure: none"
            ],
        );
        ran(&mut status, "show", None, failed(Outcome::Failed, Some(5), None));
        check(
            &status,
            Thresholds::default(),
            &expect![
                "OK: ranking as of 2017-01-15T12:00:00Z, 35 min old; newest sales hour 2017-01-15T11:00:00Z, in progress; last failure: none"
            ],
        );
        let out_of_disk = RunRecord {
            message: Some("no space\nleft".to_owned()),
            ..failed(Outcome::Failed, Some(1), None)
        };
        ran(&mut status, "ingest", None, out_of_disk);
        ran(&mut status, "run", Some("nightly"), failed(Outcome::TimedOut, Some(1), Some(15)));
        check(
            &status,
            thresholds,
            &expect![[
                r#"FAILED: ingest, started 2017-01-15T03:30:00Z, failed with exit code 1 (no space\nleft); job nightly, started 2017-01-15T03:30:00Z, timed out; ranking older than 34 min 59 s; ranking as of 2017-01-15T12:00:00Z, 35 min old; newest sales hour 2017-01-15T11:00:00Z, in progress"#
            ]],
        );
        check(
            &status,
            Thresholds { max_failed: 2, ..Thresholds::default() },
            &expect![[
                r#"OK: ranking as of 2017-01-15T12:00:00Z, 35 min old; newest sales hour 2017-01-15T11:00:00Z, in progress; last failure: ingest, started 2017-01-15T03:30:00Z, failed with exit code 1 (no space\nleft), job nightly, started 2017-01-15T03:30:00Z, timed out"#
            ]],
        );
        status.corruption.push("rankings/x.parquet is damaged".to_owned());
        check(
            &status,
            thresholds,
            &expect![[
                r#"CORRUPT: rankings/x.parquet is damaged; ingest, started 2017-01-15T03:30:00Z, failed with exit code 1 (no space\nleft); job nightly, started 2017-01-15T03:30:00Z, timed out; ranking older than 34 min 59 s; ranking as of 2017-01-15T12:00:00Z, 35 min old; newest sales hour 2017-01-15T11:00:00Z, in progress"#
            ]],
        );
        assert_eq!(assess(&status, &thresholds).health, Health::Corrupt);
    }

    #[test]
    fn little_space_is_a_problem_before_there_is_none_and_runs_of_the_future_are_counted() {
        let mut status = well();
        status.future_runs = 2;
        let limit = |bytes| Thresholds { min_free_bytes: Some(bytes), ..Thresholds::default() };
        check(
            &status,
            limit(7_300_000_000),
            &expect![
                "OK: ranking as of 2017-01-15T12:00:00Z, 35 min old; newest sales hour 2017-01-15T11:00:00Z, in progress; last failure: none; 2 runs are recorded in the future and ignored"
            ],
        );
        status.future_runs = 0;
        check(
            &status,
            limit(8_000_000_000),
            &expect![
                "FAILED: free space on the lake's disk: 7300 MB, less than 8000 MB; ranking as of 2017-01-15T12:00:00Z, 35 min old; newest sales hour 2017-01-15T11:00:00Z, in progress; last failure: none"
            ],
        );
        status.free_bytes = None;
        assert_eq!(assess(&status, &limit(1)).health, Health::Failed, "what is unknown may be none");
    }

    #[test]
    fn what_is_missing_is_too_old_if_there_is_a_limit() {
        let mut status = well();
        status.ranking = None;
        status.lake = Some(LakeStatus::default());
        check(&status, Thresholds::default(), &expect!["OK: no ranking; no sales; last failure: none"]);
        let thresholds = Thresholds {
            max_age_seconds: Some(9),
            max_lag_seconds: Some(9),
            max_failed: 0,
            ..Thresholds::default()
        };
        check(
            &status,
            thresholds,
            &expect![
                "STALE: ranking older than 9 s; newest sales hour ended more than 9 s ago; no ranking; no sales; last failure: none"
            ],
        );
        status.lake = None;
        status.errors.push("there is no lake in data/lake".to_owned());
        check(
            &status,
            Thresholds::default(),
            &expect!["FAILED: there is no lake in data/lake; no ranking; no sales; last failure: none"],
        );
    }
}
