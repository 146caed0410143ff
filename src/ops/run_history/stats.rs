//! How often, how well and how fast: many runs in one line each.

use std::collections::BTreeMap;

use crate::run_history::liveness::State;
use crate::run_history::record::{Outcome, RunRecord};
use crate::run_history::tree::{micros, name_of};

/// What runs are put together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The job, or the command of a run that is none's.
    Job,
    /// Each stage or step of a job or command.
    Stage,
    Machine,
}

/// Runs of one kind, in numbers; lengths in seconds, of those that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub name: String,
    /// Runs that began.
    pub count: u64,
    /// Those of them that did not do what they were to do.
    pub failures: u64,
    /// Runs that were due and never begun.
    pub dropped: u64,
    pub mean: Option<f64>,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    pub longest: Option<f64>,
    /// How much longer those of the later half of the time took than those of the earlier, 0.1 for a tenth;
    /// none where either had none.
    pub trend: Option<f64>,
}

/// What a line is made of.
#[derive(Default)]
struct Heap {
    count: u64,
    failures: u64,
    dropped: u64,
    /// When each began, and its length in seconds.
    lengths: Vec<(i64, f64)>,
}

/// Returns a line for each kind of run, by name.
pub fn stats(records: &[RunRecord], by: By) -> Vec<Line> {
    let mut heaps: BTreeMap<String, Heap> = BTreeMap::new();
    for record in records {
        match by {
            By::Job => heaps.entry(name_of(record).to_owned()).or_default().take(record),
            By::Machine => heaps.entry(record.machine.clone()).or_default().take(record),
            By::Stage => take_stages(record, &mut heaps),
        }
    }
    heaps.into_iter().map(|(name, heap)| heap.line(name)).collect()
}

/// Takes each stage of a run once, however often the run came back to it.
fn take_stages(record: &RunRecord, heaps: &mut BTreeMap<String, Heap>) {
    let mut stages: BTreeMap<&str, (i64, Option<f64>, bool)> = BTreeMap::new();
    for span in &record.spans {
        let began = micros(&span.started).unwrap_or(0);
        let took = span.ended.as_deref().and_then(micros).map(|ended| seconds(ended - began));
        let (_, total, failed) = stages.entry(&span.name).or_insert((began, Some(0.0), false));
        *total = total.zip(took).map(|(total, took)| total + took);
        *failed |= span.outcome.is_failure();
    }
    for (stage, (began, took, failed)) in stages {
        let heap = heaps.entry(format!("{}/{stage}", name_of(record))).or_default();
        heap.count += 1;
        heap.failures += u64::from(failed);
        heap.lengths.extend(took.map(|took| (began, took)));
    }
}

impl Heap {
    fn take(&mut self, record: &RunRecord) {
        if matches!(record.outcome, Outcome::Skipped | Outcome::Missed) {
            self.dropped += 1;
            return;
        }
        let state = record.state();
        self.count += 1;
        self.failures += u64::from(state.is_failure());
        // How long one took of which nobody wrote the end is not known.
        if let (State::Ended(_), Some(took)) = (state, record.seconds) {
            self.lengths.push((micros(&record.started).unwrap_or(0), took));
        }
    }

    fn line(self, name: String) -> Line {
        let trend = trend(&self.lengths);
        let mut lengths: Vec<f64> = self.lengths.into_iter().map(|(_, took)| took).collect();
        lengths.sort_by(f64::total_cmp);
        Line {
            name,
            count: self.count,
            failures: self.failures,
            dropped: self.dropped,
            mean: mean(&lengths),
            p50: quantile(&lengths, 50),
            p95: quantile(&lengths, 95),
            p99: quantile(&lengths, 99),
            longest: lengths.last().copied(),
            trend,
        }
    }
}

/// Returns the least length that so many of a hundred do not exceed.
fn quantile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.max(1) - 1).copied()
}

#[expect(clippy::cast_precision_loss, reason = "nobody has so many runs that it matters")]
fn mean(lengths: &[f64]) -> Option<f64> {
    (!lengths.is_empty()).then(|| lengths.iter().sum::<f64>() / lengths.len() as f64)
}

fn trend(lengths: &[(i64, f64)]) -> Option<f64> {
    let moments = lengths.iter().map(|(began, _)| *began);
    let (first, last) = (moments.clone().min()?, moments.max()?);
    let middle = first + (last - first) / 2;
    let half = |is_later: bool| {
        let half = lengths.iter().filter(|(began, _)| (*began > middle) == is_later);
        mean(&half.map(|(_, took)| *took).collect::<Vec<_>>())
    };
    let (before, after) = (half(false)?, half(true)?);
    (before > 0.0).then(|| after / before - 1.0)
}

#[expect(clippy::cast_precision_loss, reason = "lengths of runs are far from where it matters")]
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
    fn a_hundred_runs_are_told_in_a_line() {
        let records: Vec<RunRecord> =
            (1..=100).map(|at| run(i64::from(at), f64::from(at), Outcome::Done)).collect();
        let lines = stats(&records, By::Job);
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!((line.name.as_str(), line.count, line.failures), ("rank", 100, 0));
        assert_eq!([line.mean, line.p50, line.p95], [Some(50.5), Some(50.0), Some(95.0)]);
        assert_eq!([line.p99, line.longest], [Some(99.0), Some(100.0)]);
        // The later fifty took 75.5 s in the mean, the earlier 25.5 s.
        assert!((line.trend.expect("there are both halves") - (75.5 / 25.5 - 1.0)).abs() < 1e-9);
    }

    #[test]
    fn what_was_never_begun_is_no_failure_and_what_never_ended_has_no_length() {
        let records = [
            run(1, 2.0, Outcome::Done),
            run(2, 4.0, Outcome::TimedOut),
            run(3, 0.0, Outcome::Missed),
            run(4, 0.0, Outcome::Skipped),
            run(5, 9.0, Outcome::Started),
        ];
        let line = &stats(&records, By::Machine)[0];
        assert_eq!((line.count, line.failures, line.dropped), (3, 1, 2));
        assert_eq!((line.mean, line.longest), (Some(3.0), Some(4.0)));
        assert_eq!(stats(&[], By::Job), []);
        let one = &stats(&records[..1], By::Job)[0];
        assert_eq!([one.p50, one.p99, one.trend], [Some(2.0), Some(2.0), None]);
    }
}
