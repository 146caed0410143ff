//! The size of a lake as an answer: its tables, its hours and its largest categories.

use crate::formats::{Answer, Column, ColumnType, JsonLayout, Table, TableColumn, Value};
use crate::text::{counted, grouped, size};
use topsell_core::lake::QuarantineStats;
use topsell_core::maintenance::{Stats, TableStats};

const COLUMNS: [Column; 2] =
    [Column::new("category", ColumnType::Text), Column::new("rows", ColumnType::Integer)];
const SHOWN: [TableColumn; 2] = [
    TableColumn::essential("category", "largest categories").or("(no category)"),
    TableColumn::essential("rows", "event rows"),
];

/// Returns the answer.
pub fn lake_stats(stats: &Stats) -> Answer<'_> {
    let rows = stats.largest.iter();
    let rows = rows.map(|(category, rows)| vec![category.as_deref().into(), (*rows).into()]);
    let (first, last) = stats.span.as_ref().map(|(first, last)| (first, last)).unzip();
    Answer {
        properties: properties(stats),
        envelope: vec![
            ("events", fields(&stats.events)),
            ("rollups", fields(&stats.rollups)),
            ("batches", stats.batches.into()),
            ("hours", stats.hours.into()),
            ("empty_hours", stats.empty_hours.into()),
            ("first_hour", first.into()),
            ("last_hour", last.into()),
            ("reserve_bytes", stats.reserve_bytes.into()),
            ("quarantine", quarantine(&stats.quarantine)),
        ],
        tables: vec![Table::new("largest_categories", &COLUMNS, rows).showing(SHOWN)],
        json: JsonLayout::Indented,
        ..Answer::default()
    }
}

fn properties(stats: &Stats) -> Vec<(&'static str, String)> {
    let span = stats.span.as_ref().map(|(first, last)| format!(", from {first} to {last}"));
    let hours = counted(stats.hours, "hour", "hours");
    let empty = counted(stats.empty_hours, "hour", "hours");
    let mut properties = vec![
        ("events", table_text(&stats.events)),
        ("rollups", table_text(&stats.rollups)),
        ("batches", grouped(&stats.batches.to_string())),
        ("reserve", size(stats.reserve_bytes)),
        ("hours", format!("{hours} with events{}, {empty} without", span.unwrap_or_default())),
    ];
    if stats.quarantine != QuarantineStats::default() {
        let QuarantineStats { files, size_bytes, event_rows } = &stats.quarantine;
        let files = counted(*files, "file", "files");
        let rows = counted(*event_rows, "row", "rows");
        properties.push(("quarantine", format!("{files}, {}, {rows} of events lost", size(*size_bytes))));
    }
    properties
}

fn table_text(table: &TableStats) -> String {
    let (rows, files) = (grouped(&table.rows.to_string()), counted(table.files, "file", "files"));
    format!("{rows} rows in {files}, {}, version {}", size(table.size_bytes), table.version)
}

fn quarantine(stats: &QuarantineStats) -> Value {
    Value::Object(vec![
        ("files", stats.files.into()),
        ("size_bytes", stats.size_bytes.into()),
        ("event_rows", stats.event_rows.into()),
    ])
}

fn fields(table: &TableStats) -> Value {
    Value::Object(vec![
        ("version", table.version.into()),
        ("files", table.files.into()),
        ("rows", table.rows.into()),
        ("size_bytes", table.size_bytes.into()),
    ])
}
