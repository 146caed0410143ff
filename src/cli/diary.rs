//! The record that every run leaves in its lake: begun when it begins, ended when it ends.
//!
//! Invariant: a run is not changed by being recorded; where there is no lake, none is made for it.

use std::env;
use std::sync::Arc;

use crate::failure::{Exit, Failure};
use crate::listeners::Heard;
use crate::settings::{Settings, Task};
use topsell_core::lake::{DryRun, Lake};
use topsell_core::pipeline::Step;
use topsell_core::progress::Listener;
use topsell_core::storage::Store;
use topsell_ops::process::{Identity, machine_name, peak_memory_bytes};
use topsell_ops::run_history::{
    Book, Outcome, RUN_SCHEMA, RunRecord, TRACEPARENT, TraceContext, fresh_id, versions,
};

/// The record of a run under way.
pub struct Diary {
    store: Store,
    manner: Manner,
    record: RunRecord,
    heard: Arc<Heard>,
}

/// How a run is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// From its beginning, and on disk when it returns.
    Works,
    /// It changes nothing, and is to answer soon: once at its end, if that is possible at all.
    Looks,
}

impl Task {
    /// Returns what a run is called in its record, and how it is recorded; none where it is not.
    fn recorded(&self) -> Option<(&'static str, Manner)> {
        let by = |dry_run: DryRun| if dry_run == DryRun::No { Manner::Works } else { Manner::Looks };
        Some(match self {
            Task::Step { step, .. } => {
                let manner = match step {
                    Step::Ingest { options, .. } => by(options.dry_run),
                    Step::Compact { dry_run } => by(*dry_run),
                    Step::Stats => Manner::Looks,
                    _ => Manner::Works,
                };
                (name_of(step), manner)
            }
            Task::Prune { step, dry_run, .. } => (name_of(step), by(*dry_run)),
            Task::Show(_) => ("show", Manner::Looks),
            Task::Count(_) => ("count", Manner::Looks),
            Task::Report(_) => ("report", Manner::Looks),
            _ => return None,
        })
    }
}

/// Returns what a step is called in records, and where it keeps another from its own.
pub fn name_of(step: &Step) -> &'static str {
    match step {
        Step::Ingest { .. } | Step::Acknowledge { .. } => "ingest",
        Step::Rollup { .. } => "rollup",
        Step::Rank { .. } => "rank",
        Step::Compact { .. } => "compact",
        Step::Prune { .. } => "prune",
        Step::Verify => "verify",
        Step::Stats => "stats",
    }
}

/// Does a task, and leaves its record where it is one that leaves any.
///
/// # Errors
/// As the task does; that it cannot be recorded is no failure.
pub fn kept(
    settings: &Settings,
    work: impl FnOnce(Option<Arc<dyn Listener>>) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let Some(diary) = Diary::begun(settings) else { return work(None) };
    let outcome = work(Some(diary.heard.clone()));
    diary.end(settings, &outcome);
    outcome
}

impl Diary {
    fn begun(settings: &Settings) -> Option<Diary> {
        let (command, manner) = settings.task.recorded()?;
        // What is wrong with the folder is told by whoever works in it.
        let store = settings.store().ok()?;
        let TraceContext { trace_id, span_id, parent_span_id } =
            TraceContext::of(env::var(TRACEPARENT).ok().as_deref());
        let heard = Arc::new(Heard::of(settings.now, &span_id));
        let record = RunRecord {
            schema: RUN_SCHEMA,
            id: fresh_id(settings.now, command),
            command: command.to_owned(),
            asked: env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect(),
            started: settings.now.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: machine_name(),
            process: std::process::id(),
            trace_id,
            span_id,
            parent_span_id,
            ..RunRecord::default()
        };
        let mut diary = Diary { store, manner, record, heard };
        if manner == Manner::Works && diary.has_records() {
            diary.record.is_run_by(Identity::own());
            diary.record.before = versions(&diary.store);
            // Where this fails, so will the record of its end, and that is told.
            let _ = Book::open(&diary.store).note(&diary.record);
        }
        Some(diary)
    }

    fn end(mut self, settings: &Settings, outcome: &Result<Exit, Failure>) {
        // A run that found no lake leaves none behind, and nothing in what is somebody else's; who only looks
        // makes not even a folder, which would then be the wrong one's.
        let may_be_first = || self.manner == Manner::Works && Lake::open(self.store.clone()).is_ok();
        if !self.has_records() && !may_be_first() {
            return;
        }
        let record = &mut self.record;
        let (took, ended) = self.heard.so_far();
        self.heard.tell(record);
        (record.ended, record.seconds) = (Some(ended.to_string()), Some(took.as_secs_f64()));
        let exit = match outcome {
            Ok(exit) => *exit,
            Err(failure) => failure.exit,
        };
        record.message = outcome.as_ref().err().map(ToString::to_string);
        record.outcome = match (exit, self.manner) {
            (Exit::Done | Exit::Rejected, _) => Outcome::Done,
            // That there is no such item is an answer.
            (Exit::NothingFound, Manner::Looks) => Outcome::Done,
            _ => Outcome::Failed,
        };
        record.exit_code = Some(exit.code());
        record.after = versions(&self.store);
        if self.manner == Manner::Looks {
            record.before = record.after.clone();
        }
        record.read_bytes = Some(self.store.bytes_read());
        record.written_bytes = Some(self.store.bytes_written());
        record.peak_memory_bytes = peak_memory_bytes();
        record.output_tail = settings.said();
        let book = Book::open(&self.store);
        match self.manner {
            // Whoever may not write may look all the same.
            Manner::Looks => drop(book.note(record)),
            Manner::Works => {
                if let Err(error) = book.finish(record) {
                    settings.note(&format!("warning: this run could not be recorded: {error}"));
                }
            }
        }
    }

    /// Tells whether runs have been recorded here before.
    fn has_records(&self) -> bool {
        self.store.is_there("runs")
    }
}
