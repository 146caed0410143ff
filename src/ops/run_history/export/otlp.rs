//! The OpenTelemetry protocol as JSON, which Jaeger, Tempo and the collector accept:
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.
//!
//! Ids are hexadecimal, 64-bit integers are strings, names are lowerCamelCase, and enums are numbers.

use serde_json::{Value, json};

use crate::run_history::record::{Outcome, RunRecord, Span};
use crate::run_history::run_state::RunState;
use crate::run_history::tree::{micros, name_of};
use topsell_core::model::Timestamp;

/// The span kind of work within one program.
const INTERNAL: u32 = 1;
/// Status codes of spans.
const OK: u32 = 1;
const ERROR: u32 = 2;

/// Returns the spans of runs; a span that has not ended lasts until `now`.
pub fn otlp(records: &[RunRecord], now: Timestamp) -> Value {
    let resources: Vec<Value> = records.iter().map(|record| resource(record, now)).collect();
    json!({ "resourceSpans": resources })
}

fn resource(record: &RunRecord, now: Timestamp) -> Value {
    let attributes = [
        text("service.name", "topsell"),
        text("service.version", &record.version),
        text("host.name", &record.machine),
        number("process.pid", record.process.into()),
        list("process.command_args", &record.asked),
    ];
    let mut spans = vec![whole(record, now)];
    spans.extend(record.spans.iter().map(|span| part(record, span, now)));
    json!({
        "resource": { "attributes": attributes },
        "scopeSpans": [{ "scope": { "name": "topsell", "version": record.version }, "spans": spans }],
    })
}

fn whole(record: &RunRecord, now: Timestamp) -> Value {
    let mut attributes = vec![text("topsell.run", &record.id), text("topsell.command", &record.command)];
    if let Some(due) = &record.due {
        attributes.push(text("topsell.job", &due.job));
        attributes.extend(due.at.as_ref().map(|at| text("topsell.due", at)));
        attributes.push(number("topsell.attempt", due.attempt.into()));
    }
    attributes.extend(record.exit_code.map(|code| number("process.exit.code", code.into())));
    attributes.extend(record.signal.map(|signal| number("topsell.signal", signal.into())));
    let sizes = [
        ("topsell.bytes.input", record.input_bytes),
        ("topsell.bytes.read", record.read_bytes),
        ("topsell.bytes.written", record.written_bytes),
        ("topsell.memory.peak", record.peak_memory_bytes),
    ];
    attributes.extend(sizes.into_iter().filter_map(|(name, bytes)| Some(unsigned(name, bytes?))));
    attributes
        .extend(record.counts.iter().map(|(name, count)| unsigned(&format!("topsell.count.{name}"), *count)));
    let status = status(record.state(), record.message.as_deref());
    let ids =
        Ids { trace: &record.trace_id, span: &record.span_id, parent: record.parent_span_id.as_deref() };
    span(&ids, name_of(record), &record.started, record.ended.as_deref(), now, &attributes, &status)
}

fn part(record: &RunRecord, part: &Span, now: Timestamp) -> Value {
    let attributes: Vec<Value> =
        part.attributes.iter().map(|(name, value)| text(&format!("topsell.{name}"), value)).collect();
    let state = match (part.outcome, record.state()) {
        // A part has no process of its own.
        (Outcome::Started, of_run) if !matches!(of_run, RunState::Ended(_)) => of_run,
        (outcome, _) => RunState::Ended(outcome),
    };
    let ids = Ids { trace: &record.trace_id, span: &part.span_id, parent: part.parent_span_id.as_deref() };
    span(&ids, &part.name, &part.started, part.ended.as_deref(), now, &attributes, &status(state, None))
}

struct Ids<'a> {
    trace: &'a str,
    span: &'a str,
    parent: Option<&'a str>,
}

fn span(
    ids: &Ids<'_>,
    name: &str,
    started: &str,
    ended: Option<&str>,
    now: Timestamp,
    attributes: &[Value],
    status: &Value,
) -> Value {
    let began = micros(started).unwrap_or(0);
    let ended = ended.and_then(micros).unwrap_or(now.micros()).max(began);
    let nanos = |micros: i64| (i128::from(micros.max(0)) * 1_000).to_string();
    let mut span = json!({
        "traceId": ids.trace,
        "spanId": ids.span,
        "name": name,
        "kind": INTERNAL,
        "startTimeUnixNano": nanos(began),
        "endTimeUnixNano": nanos(ended),
        "attributes": attributes,
        "status": status,
    });
    if let Some(parent) = ids.parent {
        span["parentSpanId"] = parent.into();
    }
    span
}

fn status(state: RunState, message: Option<&str>) -> Value {
    match state {
        RunState::Running | RunState::PerhapsRunning => json!({}),
        state if state.is_failure() => json!({ "code": ERROR, "message": message.unwrap_or(state.name()) }),
        _ => json!({ "code": OK }),
    }
}

fn text(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

fn number(name: &str, value: i64) -> Value {
    json!({ "key": name, "value": { "intValue": value.to_string() } })
}

fn unsigned(name: &str, value: u64) -> Value {
    number(name, i64::try_from(value).unwrap_or(i64::MAX))
}

fn list(name: &str, values: &[String]) -> Value {
    let values: Vec<Value> = values.iter().map(|value| json!({ "stringValue": value })).collect();
    json!({ "key": name, "value": { "arrayValue": { "values": values } } })
}
