//! Statistics over many runs: counts, failures, durations.

use std::collections::BTreeMap;

use crate::run_history::record::{Outcome, RunRecord};
use crate::run_history::run_state::RunState;
use crate::run_history::tree::{micros, name_of};

/// What runs are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// The job, or the command if it is not a run of a job.
    Job,
    /// Each stage or step of a job or command.
    Stage,
    Machine,
}

/// Statistics of one group; durations in seconds, of runs that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct StatsRow {
    pub name: String,
    /// Runs that started.
    pub count: u64,
    /// Those that failed.
    pub failures: u64,
    /// Due runs that were never started.
    pub dropped: u64,
    pub mean: Option<f64>,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    pub longest: Option<f64>,
    /// The relative change of the mean duration from the first half of the time to the second: 0.1 is 10 %
    /// longer; `None` if either half has no runs.
    pub trend: Option<f64>,
}

/// Collects the runs of one group.
#[derive(Default)]
struct StatsBuilder {
    count: u64,
    failures: u64,
    dropped: u64,
    /// Start time and duration in seconds of each run.
    durations: Vec<(i64, f64)>,
}

/// Returns the statistics of each group, ordered by name.
pub fn stats(records: &[RunRecord], by: GroupBy) -> Vec<StatsRow> {
    let mut groups: BTreeMap<String, StatsBuilder> = BTreeMap::new();
    for record in records {
        match by {
            GroupBy::Job => groups.entry(name_of(record).to_owned()).or_default().add(record),
            GroupBy::Machine => groups.entry(record.machine.clone()).or_default().add(record),
            GroupBy::Stage => add_stages(record, &mut groups),
        }
    }
    groups.into_iter().map(|(name, group)| group.row(name)).collect()
}

/// Adds each stage of a run once, however often it was entered.
fn add_stages(record: &RunRecord, groups: &mut BTreeMap<String, StatsBuilder>) {
    let mut stages: BTreeMap<&str, (i64, Option<f64>, bool)> = BTreeMap::new();
    for span in &record.spans {
        let began = micros(&span.started).unwrap_or(0);
        let took = span.ended.as_deref().and_then(micros).map(|ended| seconds(ended - began));
        let (_, total, failed) = stages.entry(&span.name).or_insert((began, Some(0.0), false));
        *total = total.zip(took).map(|(total, took)| total + took);
        *failed |= span.outcome.is_failure();
    }
    for (stage, (began, took, failed)) in stages {
        let group = groups.entry(format!("{}/{stage}", name_of(record))).or_default();
        group.count += 1;
        group.failures += u64::from(failed);
        group.durations.extend(took.map(|took| (began, took)));
    }
}

impl StatsBuilder {
    fn add(&mut self, record: &RunRecord) {
        if matches!(record.outcome, Outcome::Skipped | Outcome::Missed) {
            self.dropped += 1;
            return;
        }
        let state = record.state();
        self.count += 1;
        self.failures += u64::from(state.is_failure());
        // The duration of a run without a recorded end is unknown.
        if let (RunState::Ended(_), Some(took)) = (state, record.seconds) {
            self.durations.push((micros(&record.started).unwrap_or(0), took));
        }
    }

    fn row(self, name: String) -> StatsRow {
        let trend = trend(&self.durations);
        let mut durations: Vec<f64> = self.durations.into_iter().map(|(_, took)| took).collect();
        durations.sort_by(f64::total_cmp);
        StatsRow {
            name,
            count: self.count,
            failures: self.failures,
            dropped: self.dropped,
            mean: mean(&durations),
            p50: quantile(&durations, 50),
            p95: quantile(&durations, 95),
            p99: quantile(&durations, 99),
            longest: durations.last().copied(),
            trend,
        }
    }
}

/// Returns the smallest duration that is not exceeded by this percentage of runs.
fn quantile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.max(1) - 1).copied()
}

#[expect(clippy::cast_precision_loss, reason = "the number of runs is far below 2^52")]
fn mean(durations: &[f64]) -> Option<f64> {
    (!durations.is_empty()).then(|| durations.iter().sum::<f64>() / durations.len() as f64)
}

fn trend(durations: &[(i64, f64)]) -> Option<f64> {
    let moments = durations.iter().map(|(began, _)| *began);
    let (first, last) = (moments.clone().min()?, moments.max()?);
    let middle = first + (last - first) / 2;
    let half = |is_later: bool| {
        let half = durations.iter().filter(|(began, _)| (*began > middle) == is_later);
        mean(&half.map(|(_, took)| *took).collect::<Vec<_>>())
    };
    let (before, after) = (half(false)?, half(true)?);
    (before > 0.0).then(|| after / before - 1.0)
}

#[expect(clippy::cast_precision_loss, reason = "durations of runs are far below 2^52 microseconds")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use topsell_core::model::Timestamp;

    fn run(began: i64, took: f64, outcome: Outcome) -> RunRecord {
        RunRecord {
            command: "rank".to_owned(),
            machine: "m".to_owned(),
            started: Timestamp::from_micros(began * 1_000_000).expect("it is a moment").to_string(),
            seconds: Some(took),
            outcome,
            ..RunRecord::default()
        }
    }

    #[test]
    fn a_hundred_runs_make_one_row() {
        let records: Vec<RunRecord> =
            (1..=100).map(|at| run(i64::from(at), f64::from(at), Outcome::Done)).collect();
        let lines = stats(&records, GroupBy::Job);
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!((line.name.as_str(), line.count, line.failures), ("rank", 100, 0));
        assert_eq!([line.mean, line.p50, line.p95], [Some(50.5), Some(50.0), Some(95.0)]);
        assert_eq!([line.p99, line.longest], [Some(99.0), Some(100.0)]);
        // The later fifty took 75.5 s in the mean, the earlier 25.5 s.
        assert!((line.trend.expect("there are both halves") - (75.5 / 25.5 - 1.0)).abs() < 1e-9);
    }

    #[test]
    fn runs_never_started_are_no_failures_and_runs_never_ended_have_no_duration() {
        let records = [
            run(1, 2.0, Outcome::Done),
            run(2, 4.0, Outcome::TimedOut),
            run(3, 0.0, Outcome::Missed),
            run(4, 0.0, Outcome::Skipped),
            run(5, 9.0, Outcome::Started),
        ];
        let line = &stats(&records, GroupBy::Machine)[0];
        assert_eq!((line.count, line.failures, line.dropped), (3, 1, 2));
        assert_eq!((line.mean, line.longest), (Some(3.0), Some(4.0)));
        assert_eq!(stats(&[], GroupBy::Job), []);
        let one = &stats(&records[..1], GroupBy::Job)[0];
        assert_eq!([one.p50, one.p99, one.trend], [Some(2.0), Some(2.0), None]);
    }
}
