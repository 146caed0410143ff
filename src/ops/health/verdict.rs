//! The facts as one line: whether someone must look, and why.

use crate::health::facts::Facts;
use crate::run_history::{Outcome, Ran, RunRecord, State};
use topsell_core::model::{Timestamp, escape_control, format_duration};

/// Commands that only look: that one of them failed is the business of who typed it.
const LOOKING: [&str; 6] = ["show", "count", "stats", "report", "schedule", "health"];

/// What may be, at most; whatever may be where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How long ago the ranking was made.
    pub max_age_seconds: Option<u64>,
    /// How long ago the newest hour of events ended.
    pub max_lag_seconds: Option<u64>,
    /// How many commands and jobs may have failed when they ran last.
    pub max_failed: u64,
}

/// How a lake fares, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    Well,
    /// The ranking, or what it is made of, is too old.
    Stale,
    /// What is to run failed, or the lake could not be looked at.
    Failed,
    Damaged,
}

/// What to say of a lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub health: Health,
    /// What is wrong, the worst first.
    pub wrong: Vec<String>,
    /// How old things are, and what failed, in any case.
    pub told: Vec<String>,
}

impl Health {
    /// Returns the word that the line begins with.
    pub fn word(self) -> &'static str {
        match self {
            Health::Well => "OK",
            Health::Stale => "STALE",
            Health::Failed => "FAILED",
            Health::Damaged => "DAMAGED",
        }
    }
}

impl Verdict {
    /// Returns all of it, in one line.
    pub fn line(&self) -> String {
        let parts: Vec<String> =
            self.wrong.iter().chain(&self.told).map(|part| escape_control(part)).collect();
        format!("{}: {}", self.health.word(), parts.join("; "))
    }
}

/// Holds the facts against what may be.
pub fn verdict(facts: &Facts, limits: &Limits) -> Verdict {
    let mut wrong: Vec<(Health, String)> =
        facts.damage.iter().map(|what| (Health::Damaged, what.clone())).collect();
    if facts.lake.is_none() {
        wrong.extend(facts.unknown.iter().map(|what| (Health::Failed, what.clone())));
    }
    let failed: Vec<String> = failures(facts).map(|(ran, last)| failure_text(ran, last)).collect();
    if failed.len() as u64 > limits.max_failed {
        wrong.extend(failed.iter().map(|text| (Health::Failed, text.clone())));
    }
    let (age, lag) = (age_seconds(facts), lag_seconds(facts));
    let too_old = |limit: Option<u64>, age: Option<u64>| {
        limit.filter(|limit| age.is_none_or(|age| age > *limit)).map(format_duration)
    };
    if let Some(most) = too_old(limits.max_age_seconds, age) {
        wrong.push((Health::Stale, format!("the ranking may be {most} old at most")));
    }
    if let Some(most) = too_old(limits.max_lag_seconds, lag) {
        wrong.push((Health::Stale, format!("the newest hour of sales may be over for {most} at most")));
    }
    wrong.sort_by_key(|(health, _)| std::cmp::Reverse(*health));
    let mut told = vec![age_text(facts, age), lag_text(facts, lag)];
    let more = match failed.len() as u64 {
        0 => Some("last failure: none".to_owned()),
        some if some <= limits.max_failed => Some(format!("last failure: {}", failed.join(", "))),
        _ => None,
    };
    told.extend(more);
    if facts.lake.is_some() {
        // Each would be a line of its own; who asks for JSON is told.
        let unread = facts.unknown.len();
        told.extend((unread > 0).then(|| format!("{unread} of what there is cannot be read")));
    }
    let health = wrong.first().map_or(Health::Well, |(health, _)| *health);
    Verdict { health, wrong: wrong.into_iter().map(|(_, what)| what).collect(), told }
}

/// Returns how long ago the ranking was made.
pub(super) fn age_seconds(facts: &Facts) -> Option<u64> {
    facts.ranking.as_ref().map(|ranking| facts.now.seconds_since(ranking.since()))
}

/// Returns how long the newest hour of events has been over.
pub(super) fn lag_seconds(facts: &Facts) -> Option<u64> {
    let newest = facts.lake.as_ref().and_then(|lake| lake.newest_hour);
    newest.map(|hour| facts.now.seconds_since(hour.plus(1).start()))
}

fn age_text(facts: &Facts, age: Option<u64>) -> String {
    match facts.ranking.as_ref().zip(age) {
        Some((ranking, age)) => format!("ranking of {}, {} old", ranking.as_of, format_duration(age)),
        None => "no ranking".to_owned(),
    }
}

fn lag_text(facts: &Facts, lag: Option<u64>) -> String {
    let newest = facts.lake.as_ref().and_then(|lake| lake.newest_hour);
    match newest.zip(lag) {
        Some((hour, _)) if hour.plus(1).start() > facts.now => {
            format!("newest hour of sales {}, still filling", hour.start())
        }
        Some((hour, lag)) => {
            format!("newest hour of sales {}, over for {}", hour.start(), format_duration(lag))
        }
        None => "no sales".to_owned(),
    }
}

/// Returns the commands and jobs that failed when they ran last, and those runs.
fn failures(facts: &Facts) -> impl Iterator<Item = (&Ran, &RunRecord)> {
    let last = facts.runs.iter().filter_map(|(ran, of)| Some((ran, of.last.as_ref()?)));
    last.filter(|(ran, _)| ran.job.is_some() || !LOOKING.contains(&ran.command.as_str()))
        .filter(|(_, last)| last.state() != State::Ended(Outcome::Done))
}

fn failure_text(ran: &Ran, last: &RunRecord) -> String {
    let name = ran.job.as_ref().map_or(ran.command.clone(), |job| format!("job {job}"));
    let how = match (last.state(), last.exit_code, last.signal) {
        (State::Ended(Outcome::Failed), Some(code), _) => format!("ended with exit code {code}"),
        (State::Ended(Outcome::Killed), _, Some(signal)) => format!("was ended by signal {signal}"),
        (state, ..) => state.word().to_owned(),
    };
    let begun = Timestamp::parse(&last.started).map_or_else(|_| last.started.clone(), |at| at.to_string());
    let message = last.message.as_ref().map(|message| format!(" ({message})")).unwrap_or_default();
    format!("{name}, begun {begun}, {how}{message}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::health::facts::{LakeFacts, RankingFacts};
    use crate::run_history::LastRuns;
    use topsell_core::model::Hour;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("it is a moment")
    }

    /// A ranking published at 11:02, of sales until 12:00; looked at 35 minutes later.
    fn well() -> Facts {
        let ranking =
            RankingFacts { as_of: at("2017-01-15T12:00:00Z"), published: Some(at("2017-01-15T11:02:00Z")) };
        let newest_hour = Some(Hour::new(at("2017-01-15T11:00:00Z").hour().number()));
        Facts {
            now: at("2017-01-15T11:37:00Z"),
            lake: Some(LakeFacts { newest_hour, ..LakeFacts::default() }),
            ranking: Some(ranking),
            runs: BTreeMap::new(),
            unknown: Vec::new(),
            damage: Vec::new(),
        }
    }

    fn ran(facts: &mut Facts, command: &str, job: Option<&str>, last: RunRecord) {
        let ran = Ran { command: command.to_owned(), job: job.map(str::to_owned) };
        facts.runs.insert(ran, LastRuns { last: Some(last), last_done: None });
    }

    fn failed(outcome: Outcome, exit_code: Option<u8>, signal: Option<i32>) -> RunRecord {
        let started = "2017-01-15T03:30:00Z".to_owned();
        RunRecord { outcome, exit_code, signal, started, ..RunRecord::default() }
    }

    fn check(facts: &Facts, limits: Limits, expected: &Expect) {
        expected.assert_eq(&verdict(facts, &limits).line());
    }

    #[test]
    fn the_worst_comes_first_and_ages_are_told_in_any_case() {
        let mut facts = well();
        check(
            &facts,
            Limits::default(),
            &expect![
                "OK: ranking of 2017-01-15T12:00:00Z, 35 min old; newest hour of sales 2017-01-15T11:00:00Z, still filling; last failure: none"
            ],
        );
        let limits = Limits { max_age_seconds: Some(2_099), max_lag_seconds: Some(0), max_failed: 0 };
        check(
            &facts,
            limits,
            &expect![
                "STALE: the ranking may be 34 min 59 s old at most; ranking of 2017-01-15T12:00:00Z, 35 min old; newest hour of sales 2017-01-15T11:00:00Z, still filling; last failure: none"
            ],
        );
        check(
            &facts,
            Limits { max_age_seconds: Some(2_100), ..limits },
            &expect![
                "OK: ranking of 2017-01-15T12:00:00Z, 35 min old; newest hour of sales 2017-01-15T11:00:00Z, still filling; last failure: none"
            ],
        );
        ran(&mut facts, "show", None, failed(Outcome::Failed, Some(5), None));
        check(
            &facts,
            Limits::default(),
            &expect![
                "OK: ranking of 2017-01-15T12:00:00Z, 35 min old; newest hour of sales 2017-01-15T11:00:00Z, still filling; last failure: none"
            ],
        );
        let out_of_disk = RunRecord {
            message: Some("no space\nleft".to_owned()),
            ..failed(Outcome::Failed, Some(1), None)
        };
        ran(&mut facts, "ingest", None, out_of_disk);
        ran(&mut facts, "run", Some("nightly"), failed(Outcome::TimedOut, Some(1), Some(15)));
        check(
            &facts,
            limits,
            &expect![[
                r#"FAILED: ingest, begun 2017-01-15T03:30:00Z, ended with exit code 1 (no space\nleft); job nightly, begun 2017-01-15T03:30:00Z, timed out; the ranking may be 34 min 59 s old at most; ranking of 2017-01-15T12:00:00Z, 35 min old; newest hour of sales 2017-01-15T11:00:00Z, still filling"#
            ]],
        );
        check(
            &facts,
            Limits { max_failed: 2, ..Limits::default() },
            &expect![[
                r#"OK: ranking of 2017-01-15T12:00:00Z, 35 min old; newest hour of sales 2017-01-15T11:00:00Z, still filling; last failure: ingest, begun 2017-01-15T03:30:00Z, ended with exit code 1 (no space\nleft), job nightly, begun 2017-01-15T03:30:00Z, timed out"#
            ]],
        );
        facts.damage.push("rankings/x.parquet is damaged".to_owned());
        check(
            &facts,
            limits,
            &expect![[
                r#"DAMAGED: rankings/x.parquet is damaged; ingest, begun 2017-01-15T03:30:00Z, ended with exit code 1 (no space\nleft); job nightly, begun 2017-01-15T03:30:00Z, timed out; the ranking may be 34 min 59 s old at most; ranking of 2017-01-15T12:00:00Z, 35 min old; newest hour of sales 2017-01-15T11:00:00Z, still filling"#
            ]],
        );
        assert_eq!(verdict(&facts, &limits).health, Health::Damaged);
    }

    #[test]
    fn what_is_not_there_is_too_old_where_an_age_is_asked_for() {
        let mut facts = well();
        facts.ranking = None;
        facts.lake = Some(LakeFacts::default());
        check(&facts, Limits::default(), &expect!["OK: no ranking; no sales; last failure: none"]);
        let limits = Limits { max_age_seconds: Some(9), max_lag_seconds: Some(9), max_failed: 0 };
        check(
            &facts,
            limits,
            &expect![
                "STALE: the ranking may be 9 s old at most; the newest hour of sales may be over for 9 s at most; no ranking; no sales; last failure: none"
            ],
        );
        facts.lake = None;
        facts.unknown.push("there is no lake in data/lake".to_owned());
        check(
            &facts,
            Limits::default(),
            &expect!["FAILED: there is no lake in data/lake; no ranking; no sales; last failure: none"],
        );
    }
}
