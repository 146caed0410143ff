//! What is heard of a run while it works: what it counted, and when each stage began and ended.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::stage_names::{count_name, stage_name};
use topsell_core::model::Timestamp;
use topsell_core::progress::{Listener, Stage, Update};
use topsell_ops::run_history::{Outcome, RunBatch, RunRecord, Span, new_span_id};

/// Maximum number of spans in a record, so that a stage that repeats cannot fill the disk.
const MAX_SPANS: usize = 1_000;
/// Maximum number of batches in a record: a stream may have one for each message.
const MAX_BATCHES: usize = 1_000;

/// Writes down what it hears.
pub struct RunObserver {
    started: Timestamp,
    began: Instant,
    root: String,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    counts: BTreeMap<&'static str, u64>,
    stages: BTreeMap<&'static str, Duration>,
    /// The stages that have begun and not ended, the innermost last.
    running: Vec<Running>,
    /// The stages that have ended, each with its begin: texts of timestamps do not sort by time.
    spans: Vec<(Instant, Span)>,
    batches: Vec<RunBatch>,
    input_bytes: Option<u64>,
}

struct Running {
    stage: Stage,
    began: Instant,
    span_id: String,
}

impl Notes {
    fn spans_by_begin(&mut self) -> Vec<Span> {
        self.spans.sort_by_key(|(began, _)| *began);
        self.spans.iter().map(|(_, span)| span.clone()).collect()
    }
}

impl RunObserver {
    /// Begins to listen to a run that started at a moment, which is now, and whose own span is known.
    #[expect(clippy::disallowed_methods, reason = "this is the door: a run's length is measured here alone")]
    pub fn of(started: Timestamp, root: &str) -> RunObserver {
        RunObserver { started, began: Instant::now(), root: root.to_owned(), notes: Mutex::default() }
    }

    /// Returns how long the run has taken, and what time it is by that.
    pub fn so_far(&self) -> (Duration, Timestamp) {
        let took = self.began.elapsed();
        (took, self.after(took))
    }

    /// Writes the observed stages into the run record; a stage without an end ends with the run.
    pub fn tell(&self, record: &mut RunRecord) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(running) = notes.running.pop() {
            self.note_end(&mut notes, running, Outcome::Failed);
        }
        let count = |(name, count): (&&'static str, &u64)| ((*name).to_owned(), *count);
        record.counts = notes.counts.iter().map(count).collect();
        let stage = |(name, took): (&&'static str, &Duration)| ((*name).to_owned(), took.as_secs_f64());
        record.stage_seconds = notes.stages.iter().map(stage).collect();
        record.input_bytes = notes.input_bytes;
        record.spans = notes.spans_by_begin();
        record.batches = std::mem::take(&mut notes.batches);
    }

    fn after(&self, took: Duration) -> Timestamp {
        let micros = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
        let at = Timestamp::from_micros(self.started.micros().saturating_add(micros));
        at.unwrap_or(self.started)
    }

    fn note_end(&self, notes: &mut Notes, running: Running, outcome: Outcome) {
        let Running { stage, began, span_id } = running;
        let took = began.elapsed();
        *notes.stages.entry(stage_name(stage)).or_default() += took;
        if notes.spans.len() < MAX_SPANS {
            let before = began.duration_since(self.began);
            let parent = notes.running.last().map_or(&self.root, |last| &last.span_id);
            let span = Span {
                span_id,
                parent_span_id: Some(parent.clone()),
                name: stage_name(stage).to_owned(),
                started: self.after(before).to_string(),
                ended: Some(self.after(before + took).to_string()),
                outcome,
                attributes: BTreeMap::new(),
            };
            notes.spans.push((began, span));
        }
    }
}

impl Listener for RunObserver {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the door: a stage's length is measured here alone"
    )]
    fn on_update(&self, update: &Update) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        match *update {
            Update::BatchIngested { ref input, ref id, outcome } => {
                if notes.batches.len() < MAX_BATCHES {
                    let (input, id) = (input.clone(), id.clone());
                    notes.batches.push(RunBatch { input, id, outcome: outcome.name().to_owned() });
                }
            }
            // A stage may begin again to say how much there is to do.
            Update::StageStarted { stage, .. }
                if notes.running.iter().any(|running| running.stage == stage) => {}
            Update::StageStarted { stage, .. } => {
                let running = Running { stage, began: Instant::now(), span_id: new_span_id() };
                notes.running.push(running);
            }
            Update::StageFinished { stage } => {
                if let Some(at) = notes.running.iter().rposition(|running| running.stage == stage) {
                    let running = notes.running.remove(at);
                    self.note_end(&mut notes, running, Outcome::Done);
                }
            }
            Update::CountIncreased { count, by } => {
                *notes.counts.entry(count_name(count)).or_default() += by;
            }
            // Logs are read by the byte; other stages go by rows.
            Update::StageAdvanced { stage: Stage::Ingest, by } => *notes.input_bytes.get_or_insert(0) += by,
            Update::StageAdvanced { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans were sorted by the text of their begin, and `…01Z` sorts after `…01.000012Z`: a stage that
    /// began at a round moment was listed after the next one.
    #[test]
    fn stages_are_recorded_in_the_order_in_which_they_began() {
        let started = Timestamp::parse("2017-01-15T00:00:00Z").expect("it is a timestamp");
        let observer = RunObserver::of(started, "root");
        let mut notes = Notes::default();
        let begins = [(Stage::Publish, 1_000_012), (Stage::Rank, 1_000_000), (Stage::Rollup, 999_990)];
        for (stage, micros) in begins {
            let began = observer.began + Duration::from_micros(micros);
            let running = Running { stage, began, span_id: String::new() };
            observer.note_end(&mut notes, running, Outcome::Done);
        }
        let names: Vec<String> = notes.spans_by_begin().into_iter().map(|span| span.name).collect();
        assert_eq!(names, ["rollup", "rank", "publish"]);
    }
}
