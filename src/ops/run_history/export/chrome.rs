//! The Chrome trace format, which Perfetto loads, with one process per run:
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.

use serde_json::{Map, Value, json};

use crate::run_history::record::RunRecord;
use crate::run_history::run_state::RunState;
use crate::run_history::tree::{micros, name_of};
use topsell_core::model::Timestamp;

/// The only thread of a run.
const THREAD: u32 = 1;

/// Returns the spans of runs; a span that has not ended lasts until `now`.
pub fn chrome(records: &[RunRecord], now: Timestamp) -> Value {
    // Renumbered, since process ids are unique only within a host.
    let events: Vec<Value> = (1..).zip(records).flat_map(|(run, record)| events(run, record, now)).collect();
    json!({ "displayTimeUnit": "ms", "traceEvents": events })
}

fn events(run: u32, record: &RunRecord, now: Timestamp) -> Vec<Value> {
    let called = format!("{} (process {} on {})", name_of(record), record.process, record.machine);
    let named = |what: &str, name: &str| json!({ "ph": "M", "name": what, "pid": run, "tid": THREAD, "args": { "name": name } });
    let mut events = vec![
        named("process_name", &called),
        named("thread_name", name_of(record)),
        json!({ "ph": "M", "name": "process_sort_index", "pid": run, "tid": THREAD, "args": { "sort_index": run } }),
    ];
    let end_of_run = record.ended.as_deref().and_then(micros).unwrap_or(now.micros());
    let mut event = |name: &str, category: &str, started: &str, ended: Option<&str>, args: Value| {
        let began = micros(started).unwrap_or(0);
        let ended = ended.and_then(micros).unwrap_or(end_of_run).max(began);
        events.push(json!({
            "ph": "X", "name": name, "cat": category, "ts": began, "dur": ended - began,
            "pid": run, "tid": THREAD, "args": args,
        }));
    };
    let mut args = Map::new();
    args.insert("run".to_owned(), record.id.clone().into());
    args.insert("asked".to_owned(), record.asked.join(" ").into());
    args.insert("outcome".to_owned(), record.state().name().into());
    args.insert("trace_id".to_owned(), record.trace_id.clone().into());
    if let Some(message) = &record.message {
        args.insert("message".to_owned(), message.clone().into());
    }
    args.extend(record.counts.iter().map(|(name, count)| (name.clone(), (*count).into())));
    event(name_of(record), "run", &record.started, record.ended.as_deref(), args.into());
    for span in &record.spans {
        let mut args: Map<String, Value> =
            span.attributes.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        args.insert("outcome".to_owned(), RunState::Ended(span.outcome).name().into());
        event(&span.name, "stage", &span.started, span.ended.as_deref(), args.into());
    }
    events
}
