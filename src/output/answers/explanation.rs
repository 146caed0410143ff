//! What a dry run understood of an input, as an answer.

use crate::formats::{Answer, Column, ColumnType, Table, TableColumn, Value};
use topsell_core::ingest::explain::{EventProfile, ExampleEvent, Explanation, Proposal};
use topsell_core::model::escape_control;

const COLUMNS: [Column; 3] = [
    Column::new("column", ColumnType::Text),
    Column::new("fields", ColumnType::Text),
    Column::new("samples", ColumnType::Text),
];
const SHOWN_COLUMNS: [TableColumn; 3] = [
    TableColumn::essential("column", "column"),
    TableColumn::essential("fields", "field"),
    TableColumn::essential("samples", "samples").cut_to(20),
];
const EVENTS: [Column; 7] = [
    Column::new("ts", ColumnType::Moment),
    Column::new("event_type", ColumnType::Text),
    Column::new("event_id", ColumnType::Text),
    Column::new("item_id", ColumnType::Text),
    Column::new("quantity", ColumnType::Units),
    Column::new("amount", ColumnType::Amount),
    Column::new("categories", ColumnType::Text),
];
const SHOWN_EVENTS: [TableColumn; 7] = [
    TableColumn::essential("ts", "ts").left(),
    TableColumn::essential("event_type", "event_type"),
    TableColumn::essential("event_id", "event_id").cut_to(12),
    TableColumn::essential("item_id", "item_id").cut_to(12),
    TableColumn::essential("quantity", "quantity"),
    TableColumn::essential("amount", "amount"),
    TableColumn::essential("categories", "categories").cut_to(20),
];

/// Returns the answer; its events are the first ones of the input.
pub fn explanation(explained: &Explanation) -> Answer<'_> {
    let Explanation { input, format, columns, proposal, events, .. } = explained;
    let column = |column: &topsell_core::ingest::explain::Column| {
        vec![
            Value::Text(column.name.clone()),
            Value::Text(column.fields.join(", ")),
            Value::Text(column.samples.join("  ")),
        ]
    };
    let mut tables = Vec::new();
    if !columns.is_empty() {
        let columns = Table::new("columns", &COLUMNS, columns.iter().map(column));
        tables.push(columns.showing(SHOWN_COLUMNS).titled("columns".to_owned()));
    }
    if !events.first.is_empty() {
        let first = Table::new("events", &EVENTS, events.first.iter().map(event));
        tables.push(first.showing(SHOWN_EVENTS).titled("first events".to_owned()));
    }
    Answer {
        title: format!("{}: {}", escape_control(input), format.join(", ")),
        properties: properties(events),
        tables,
        closing: proposal.as_ref().map(proposed).unwrap_or_default(),
        ..Answer::default()
    }
}

fn event(event: &ExampleEvent) -> Vec<Value> {
    let text = |text: &Option<String>| text.clone().map_or(Value::None, Value::Text);
    vec![
        Value::Moment(event.ts),
        Value::Text(event.event_type.clone()),
        text(&event.event_id),
        Value::Text(event.item_id.clone()),
        event.quantity.into(),
        event.amount.map_or(Value::None, |amount| Value::Amount(amount.into())),
        Value::Text(event.categories.join(" | ")),
    ]
}

fn properties(events: &EventProfile) -> Vec<(&'static str, String)> {
    let Some((from, to)) = events.times else { return Vec::new() };
    let types: Vec<String> =
        events.types.iter().map(|(name, count)| format!("{} {count}", escape_control(name))).collect();
    let ids = match (events.with_id, events.repeated_ids) {
        (0, _) => "no event has an id; a line that comes twice counts twice".to_owned(),
        (with_id, 0) => format!("{with_id} events have an id, all different"),
        (with_id, repeated) => format!(
            "{with_id} events have an id, {repeated} of them one that came before; with the same item they count once"
        ),
    };
    vec![("times", format!("{from} to {to}")), ("types", types.join(", ")), ("ids", ids)]
}

/// Returns the options that confirm a proposal.
fn proposed(proposal: &Proposal) -> Vec<String> {
    let mut lines = vec![
        "no mapping is used for the required fields; by the names and values of the columns, this one is proposed:"
            .to_owned(),
    ];
    for (field, column) in &proposal.fields {
        lines.push(format!("  --map {}", quoted(&format!("{field}={column}"))));
    }
    for (name, value) in &proposal.options {
        lines.push(format!("  --{} {}", name.replace('_', "-"), quoted(value)));
    }
    lines.extend(proposal.questions.iter().map(|question| format!("  {question}")));
    lines.push(
        "pass these options to use it, or write them to a file with --write-map FILE and pass --map FILE"
            .to_owned(),
    );
    lines.iter().map(|line| escape_control(line)).collect()
}

/// Returns a word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "=_-./:%+,@".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
