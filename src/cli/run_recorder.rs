//! The record that a run leaves in its lake: begun when the run begins, ended when it ends.
//!
//! Invariant: a run is not changed by being recorded; where there is no lake, none is made for it.

use std::env;
use std::sync::Arc;
use std::thread;

use crate::failure::{Exit, Failure};
use crate::record_args::RecordShare;
use crate::run_observer::RunObserver;
use crate::settings::Settings;
use topsell_core::lake::Lake;
use topsell_core::model::hide_secrets;
use topsell_core::progress::Listener;
use topsell_core::storage::Store;
use topsell_ops::process::{Identity, machine_name, peak_memory_bytes};
use topsell_ops::run_history::{
    Outcome, RUN_SCHEMA, RunRecord, RunStore, TRACEPARENT, TraceContext, Versions, new_run_id, versions,
};

/// The record of a run under way.
pub struct RunRecorder {
    store: Store,
    mode: RecordMode,
    record: RunRecord,
    observer: Arc<RunObserver>,
    /// Whether there were records when it began; where there were, there are.
    had_records: bool,
}

/// How a run is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordMode {
    /// From its beginning, and on disk when it returns.
    FromStart,
    /// It changes nothing, and is to answer soon: once at its end, if that is possible at all.
    AtEnd,
}

/// Does the work of a command, and leaves its run record.
///
/// # Errors
/// Fails as the work does; failing to record it is not a failure.
pub fn record(
    settings: &Settings,
    command: &'static str,
    mode: RecordMode,
    work: impl FnOnce(Option<Arc<dyn Listener>>) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    record_in(settings, command, mode, trace_around(), work)
}

/// Does the work of a command that only reads, and leaves its run record if it is one of the share to be recorded.
///
/// # Errors
/// Fails as the work does.
pub fn record_read(
    settings: &Settings,
    command: &'static str,
    share: RecordShare,
    work: impl FnOnce() -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let trace = trace_around();
    match share.has(&trace) {
        true => record_in(settings, command, RecordMode::AtEnd, trace, |_| work()),
        false => work(),
    }
}

/// Returns the trace that the environment names, and a span for this run.
pub fn trace_around() -> TraceContext {
    TraceContext::of(env::var(TRACEPARENT).ok().as_deref())
}

/// Does the work of a command, and leaves its run record, in a trace.
///
/// # Errors
/// Fails as the work does.
pub fn record_in(
    settings: &Settings,
    command: &'static str,
    mode: RecordMode,
    trace: TraceContext,
    work: impl FnOnce(Option<Arc<dyn Listener>>) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let Some(recorder) = RunRecorder::begun(settings, command, mode, trace) else { return work(None) };
    let outcome = work(Some(recorder.observer.clone()));
    recorder.end(settings, &outcome);
    outcome
}

impl RunRecorder {
    fn begun(
        settings: &Settings,
        command: &'static str,
        mode: RecordMode,
        trace: TraceContext,
    ) -> Option<RunRecorder> {
        // What is wrong with the folder is told by whoever works in it.
        let store = settings.store().ok()?;
        let TraceContext { trace_id, span_id, parent_span_id, .. } = trace;
        let observer = Arc::new(RunObserver::of(settings.now, &span_id));
        let record = RunRecord {
            schema: RUN_SCHEMA,
            id: new_run_id(settings.now, command),
            command: command.to_owned(),
            asked: env::args_os().skip(1).map(|word| hide_secrets(&word.to_string_lossy())).collect(),
            started: settings.now.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: machine_name(),
            process: std::process::id(),
            trace_id,
            span_id,
            parent_span_id,
            ..RunRecord::default()
        };
        let mut recorder = RunRecorder { store, mode, record, observer, had_records: false };
        let before = if mode == RecordMode::FromStart { recorder.look() } else { None };
        if let Some(before) = before {
            recorder.had_records = true;
            recorder.record.set_process(Identity::own());
            recorder.record.before = before;
            // Where this fails, so will the record of its end, and that is told.
            let _ = RunStore::open_for_new_run(&recorder.store).save(&recorder.record);
        }
        Some(recorder)
    }

    fn end(mut self, settings: &Settings, outcome: &Result<Exit, Failure>) {
        // A run that found no lake leaves none behind, and nothing in what is somebody else's; who only looks
        // makes not even a folder, which would then be the wrong one's.
        let may_be_first = || self.mode == RecordMode::FromStart && Lake::open(self.store.clone()).is_ok();
        if !self.had_records && !self.has_records() && !may_be_first() {
            return;
        }
        let record = &mut self.record;
        let (took, ended) = self.observer.so_far();
        self.observer.tell(record);
        (record.ended, record.seconds) = (Some(ended.to_string()), Some(took.as_secs_f64()));
        let exit = match outcome {
            Ok(exit) => *exit,
            Err(failure) => failure.exit,
        };
        record.message = outcome.as_ref().err().map(ToString::to_string);
        record.outcome = match (exit, self.mode) {
            (Exit::Success | Exit::CompletedWithRejects, _) => Outcome::Done,
            // That there is no such item is an answer.
            (Exit::NotFound, RecordMode::AtEnd) => Outcome::Done,
            _ => Outcome::Failed,
        };
        record.exit_code = Some(exit.code());
        record.after = versions(&self.store);
        if self.mode == RecordMode::AtEnd {
            record.before = record.after.clone();
        }
        record.read_bytes = Some(self.store.bytes_read());
        record.written_bytes = Some(self.store.bytes_written());
        record.peak_memory_bytes = peak_memory_bytes();
        record.output_tail = settings.messages();
        let run_store = RunStore::open_for_new_run(&self.store);
        match self.mode {
            // Whoever may not write may look all the same.
            RecordMode::AtEnd => drop(run_store.save(record)),
            RecordMode::FromStart => {
                if let Err(error) = run_store.finish(record) {
                    settings.note(&format!("warning: cannot record this run: {error}"));
                }
            }
        }
    }

    /// Returns what there is before the run, where runs have been recorded here before.
    fn look(&self) -> Option<Versions> {
        if !self.store.is_bucket() {
            return self.has_records().then(|| versions(&self.store));
        }
        // In a bucket, each is a request, or several one after another.
        thread::scope(|scope| {
            let before = scope.spawn(|| versions(&self.store));
            let has_records = self.has_records();
            before.join().ok().filter(|_| has_records)
        })
    }

    /// Tells whether runs have been recorded here before.
    fn has_records(&self) -> bool {
        self.store.has_folder("runs")
    }
}
