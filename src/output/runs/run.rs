//! One run: the command, the outcome, its spans and the time by stage.

use std::collections::BTreeMap;

use crate::formats::{Answer, Column, ColumnType, JsonLayout, Table, TableColumn, Value};
use crate::runs::style::style;
use crate::terminal::Cell;
use crate::text::{duration, grouped, size, to_the_second};
use topsell_core::model::Timestamp;
use topsell_ops::run_history::{Due, RunRecord, RunState, SpanNode, Versions, name_of, tree};

/// Cells of the bars beside the spans.
const BAR: usize = 32;
/// Stages that are shown.
const MOST: usize = 12;

/// Returns a run, with the spans of all runs of its trace that were a part of it.
pub fn run(record: &RunRecord, of_trace: &[RunRecord], now: Timestamp) -> Answer<'static> {
    let nodes = tree(of_trace, &record.id, now);
    let mut tables = vec![spans(&nodes)];
    if nodes.len() > 1 {
        tables.push(stages(&nodes));
    }
    let tail = record.output_tail.iter().flat_map(|tail| {
        let lines = tail.lines().map(|line| format!("  {line}"));
        [String::new(), "last output".to_owned()].into_iter().chain(lines)
    });
    Answer {
        properties: properties(record, of_trace),
        tables,
        closing: tail.collect(),
        json: JsonLayout::Document(record.json()),
        ..Answer::default()
    }
}

fn properties(record: &RunRecord, of_trace: &[RunRecord]) -> Vec<(&'static str, String)> {
    let took = record.seconds.map(|seconds| format!(", took {}", duration(seconds))).unwrap_or_default();
    let state = record.state();
    let versions = versions(&record.before, &record.after, state);
    let counts = record.counts.iter().map(|(name, count)| format!("{name} {}", grouped(&count.to_string())));
    let texts = [
        ("run", Some(record.id.clone())),
        ("command", Some(format!("topsell {}", words(&record.asked)))),
        ("job", record.due.as_ref().map(due_text)),
        ("started", Some(format!("{}{took}", to_the_second(&record.started)))),
        ("outcome", Some(ending(record, state))),
        ("message", record.message.clone()),
        (
            "machine",
            Some(format!("{}, process {}, topsell {}", record.machine, record.process, record.version)),
        ),
        ("lake", Some(versions)),
        ("counts", Some(counts.collect::<Vec<_>>().join(", "))),
        ("bytes", Some(bytes_text(record))),
        ("trace", Some(trace_text(record, of_trace))),
    ];
    let known = texts.into_iter().filter_map(|(name, text)| Some((name, text?)));
    known.filter(|(name, text)| *name == "message" || !text.is_empty()).collect()
}

fn due_text(due: &Due) -> String {
    let at = due.at.as_ref().map_or("started by hand".to_owned(), |at| format!("due {at}"));
    let again = if due.attempt > 1 { format!(", attempt {}", due.attempt) } else { String::new() };
    format!("{}, {at}{again}", due.job)
}

fn bytes_text(record: &RunRecord) -> String {
    let sizes = [
        (record.input_bytes, "input"),
        (record.read_bytes, "read"),
        (record.written_bytes, "written"),
        (record.peak_memory_bytes, "peak memory"),
    ];
    let sizes = sizes.into_iter().filter_map(|(bytes, what)| Some(format!("{} {what}", size(bytes?))));
    sizes.collect::<Vec<_>>().join(", ")
}

fn trace_text(record: &RunRecord, of_trace: &[RunRecord]) -> String {
    let parent = of_trace.iter().find(|other| {
        let mut ids = other.spans.iter().map(|span| &span.span_id).chain([&other.span_id]);
        other.id != record.id && ids.any(|id| record.parent_span_id.as_ref() == Some(id))
    });
    match parent {
        Some(parent) => format!("{}, part of {}, {}", record.trace_id, name_of(parent), parent.id),
        None => record.trace_id.clone(),
    }
}

fn ending(record: &RunRecord, state: RunState) -> String {
    let how = match (record.exit_code, record.signal) {
        (_, Some(signal)) => format!(", signal {signal}"),
        (Some(code), None) => format!(", exit code {code}"),
        (None, None) => String::new(),
    };
    match state {
        RunState::NeverEnded => "started, never ended: its process does not exist any more".to_owned(),
        RunState::PerhapsRunning => {
            format!("started; only {} can tell whether it is still running", record.machine)
        }
        state => format!("{}{how}", state.name()),
    }
}

/// Returns words as a shell takes them.
fn words(asked: &[String]) -> String {
    let quoted =
        asked.iter().map(|word| shlex::try_quote(word).map_or(word.clone(), std::borrow::Cow::into_owned));
    quoted.collect::<Vec<_>>().join(" ")
}

fn versions(before: &Versions, after: &Versions, state: RunState) -> String {
    let number = |number: Option<u64>| number.map_or("none".to_owned(), |number| number.to_string());
    let file = |file: &Option<String>| file.clone().unwrap_or_else(|| "none".to_owned());
    let pairs = [
        ("events", number(before.events), number(after.events)),
        ("rollups", number(before.rollups), number(after.rollups)),
        ("ranking", file(&before.ranking), file(&after.ranking)),
    ];
    let has_ended = matches!(state, RunState::Ended(_));
    let said = pairs.into_iter().filter_map(|(name, before, after)| match has_ended {
        true if before == after && before == "none" => None,
        true if before == after => Some(format!("{name} {after}")),
        true => Some(format!("{name} {before} → {after}")),
        false => (before != "none").then(|| format!("{name} {before} → ?")),
    });
    said.collect::<Vec<_>>().join(", ")
}

fn spans(nodes: &[SpanNode]) -> Table<'static> {
    const COLUMNS: [Column; 4] = [
        Column::new("span", ColumnType::Text),
        Column::new("seconds", ColumnType::Seconds),
        Column::new("when", ColumnType::Text),
        Column::new("state", ColumnType::Text),
    ];
    const SHOWN: [TableColumn; 4] = [
        TableColumn::essential("span", "span"),
        TableColumn::essential("seconds", "took"),
        TableColumn::minor("when", "when", 1),
        TableColumn::minor("state", "", 0),
    ];
    let row = |node: &SpanNode, whole: &SpanNode| {
        let state = RunState::Ended(node.outcome);
        vec![
            format!("{}{}", "  ".repeat(node.depth), node.name).into(),
            Value::Seconds(seconds(node.micros())),
            bar(node, whole).into(),
            match state.name() {
                "done" => Value::None,
                word => Value::from(word).shown(Cell::of(word).styled(style(state))),
            },
        ]
    };
    let rows = nodes.first().map(|whole| nodes.iter().map(|node| row(node, whole)).collect::<Vec<_>>());
    Table::new("spans", &COLUMNS, rows.unwrap_or_default()).showing(SHOWN)
}

/// Returns the part of the whole's time that a span took, drawn.
fn bar(node: &SpanNode, whole: &SpanNode) -> String {
    let most = i128::from(whole.micros().max(1));
    let at = |micros: i64| {
        let since = i128::from((micros - whole.began).clamp(0, whole.micros().max(0)));
        usize::try_from(since * BAR as i128 / most).unwrap_or(0)
    };
    let from = at(node.began).min(BAR - 1);
    let to = at(node.ended).clamp(from + 1, BAR);
    format!("{}{}{}", "·".repeat(from), "█".repeat(to - from), "·".repeat(BAR - to))
}

/// Returns how long each stage took by itself, without its parts, the longest first.
fn stages(nodes: &[SpanNode]) -> Table<'static> {
    const COLUMNS: [Column; 3] = [
        Column::new("stage", ColumnType::Text),
        Column::new("seconds", ColumnType::Seconds),
        Column::new("share_percent", ColumnType::Share),
    ];
    const SHOWN: [TableColumn; 3] = [
        TableColumn::essential("stage", "time by stage"),
        TableColumn::essential("seconds", "took"),
        TableColumn::essential("share_percent", ""),
    ];
    let mut alone: BTreeMap<String, i64> = BTreeMap::new();
    for node in nodes {
        let has_parts = node.run.is_some() && node.self_micros < node.micros();
        let name = if has_parts { format!("{}, outside of stages", node.name) } else { node.name.clone() };
        *alone.entry(name).or_default() += node.self_micros;
    }
    let all: i64 = alone.values().sum();
    let mut shares: Vec<(String, i64)> = alone.into_iter().filter(|(_, micros)| *micros > 0).collect();
    shares.sort_by_key(|(_, micros)| std::cmp::Reverse(*micros));
    shares.truncate(MOST);
    let row = |(name, micros): (String, i64)| {
        let percent = i128::from(micros) * 100 / i128::from(all.max(1));
        let hundredths = u32::try_from(i128::from(micros) * 10_000 / i128::from(all.max(1)));
        let share = Value::Share(hundredths.unwrap_or(0)).shown(Cell::of(&format!("{percent} %")));
        vec![name.into(), Value::Seconds(seconds(micros)), share]
    };
    Table::new("stages", &COLUMNS, shares.into_iter().map(row).collect::<Vec<_>>()).showing(SHOWN)
}

#[expect(clippy::cast_precision_loss, reason = "only a few digits are shown")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
