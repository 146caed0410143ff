//! The run's own record: what it counted, and how long each stage took.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cli::failure::Exit;
use crate::lake::{Doing, Lake, LakeError, RUN_SCHEMA, RunRecord};
use crate::pipeline::Step;
use crate::store::Store;
use crate::time::Timestamp;
use crate::trace::{Count, Listener, Signal, Stage};

/// Writes down what it hears, to be kept in the lake when the run ends.
pub struct Record {
    command: &'static str,
    writes: bool,
    started: Timestamp,
    began: Instant,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    counts: BTreeMap<&'static str, u64>,
    stages: BTreeMap<&'static str, Duration>,
    running: BTreeMap<Stage, Instant>,
}

impl Record {
    /// Begins the record of a step.
    #[expect(clippy::disallowed_methods, reason = "this is the door: a run's length is measured here alone")]
    pub fn of(step: &Step, started: Timestamp) -> Record {
        let command = match step {
            Step::Ingest { .. } | Step::Acknowledge { .. } => "ingest",
            Step::Rollup { .. } => "rollup",
            Step::Rank { .. } => "rank",
            Step::Compact { .. } => "compact",
            Step::Prune { .. } => "prune",
            Step::Verify => "verify",
            Step::Stats => "stats",
        };
        let writes = match step {
            Step::Ingest { options, .. } => options.doing == Doing::Applying,
            Step::Compact { doing } | Step::Prune { doing, .. } => *doing == Doing::Applying,
            Step::Stats => false,
            _ => true,
        };
        Record { command, writes, started, began: Instant::now(), heard: Mutex::new(Heard::default()) }
    }

    /// Returns the command that runs.
    pub fn command(&self) -> &'static str {
        self.command
    }

    /// Keeps the record, where there is a lake to keep it in.
    ///
    /// # Errors
    /// Fails where the lake cannot be written to.
    pub fn keep(&self, store: &Store, exit: Exit, outcome: &str) -> Result<(), LakeError> {
        if !self.writes {
            // What only looks leaves no trace.
            return Ok(());
        }
        let lake = match Lake::open(store.clone()) {
            Ok(lake) => lake,
            // A run that found no lake leaves none behind; the failure itself has been told.
            Err(_) => return Ok(()),
        };
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        lake.keep_run(&RunRecord {
            schema: RUN_SCHEMA,
            command: self.command.to_owned(),
            started: self.started.to_string(),
            seconds: self.began.elapsed().as_secs_f64(),
            exit_code: exit.code(),
            outcome: outcome.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            process: std::process::id(),
            counts: heard.counts.clone(),
            stage_seconds: heard.stages.iter().map(|(name, took)| (*name, took.as_secs_f64())).collect(),
        })
    }
}

impl Listener for Record {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the door: a stage's length is measured here alone"
    )]
    fn hear(&self, signal: &Signal) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match *signal {
            Signal::Begins { stage, .. } => {
                heard.running.entry(stage).or_insert_with(Instant::now);
            }
            Signal::Ends { stage } => {
                if let Some(began) = heard.running.remove(&stage) {
                    *heard.stages.entry(stage_name(stage)).or_default() += began.elapsed();
                }
            }
            Signal::Counts { count, by } => *heard.counts.entry(count_name(count)).or_default() += by,
            Signal::Advances { .. } => {}
        }
    }
}

/// Returns a stage's name in records and on bars.
pub fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Ingest => "ingest",
        Stage::Rollup => "rollup",
        Stage::Rank => "rank",
        Stage::Publish => "publish",
    }
}

fn count_name(count: Count) -> &'static str {
    match count {
        Count::LinesRead => "read",
        Count::EventsAccepted => "accepted",
        Count::LinesDuplicate => "duplicate",
        Count::LinesRejected => "rejected",
        Count::BatchesCommitted => "batches",
        Count::BatchesReplaced => "replaced_batches",
        Count::BatchesKnown => "known_batches",
        Count::EventsFiled => "filed_by_catalog",
        Count::FilesFailed => "failed_inputs",
        Count::EventsRolledUp => "events",
        Count::EventsRepeated => "repeated_events",
        Count::EventIdsInConflict => "conflicting_event_ids",
        Count::HoursRebuilt => "hours",
        Count::RollupRows => "rollup_rows",
        Count::CategoriesRanked => "categories",
        Count::RowsRanked => "ranked_rows",
        Count::RowsNamed => "named_rows",
        Count::TotalsRows => "totals_rows",
    }
}
