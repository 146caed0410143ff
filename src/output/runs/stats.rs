//! Statistics of many runs, a row for each job, stage or machine.

use crate::formats::{Answer, Column, ColumnType, JsonLayout, Table, TableColumn, Value};
use crate::terminal::{Cell, Style};
use crate::text::grouped;
use topsell_ops::run_history::{GroupBy, StatsRow};

/// A change that is more than noise.
const NOTABLE: f64 = 0.2;

const COLUMNS: [Column; 10] = [
    Column::new("name", ColumnType::Text),
    Column::new("count", ColumnType::Integer),
    Column::new("failures", ColumnType::Integer),
    Column::new("dropped", ColumnType::Integer),
    Column::new("mean", ColumnType::Seconds),
    Column::new("p50", ColumnType::Seconds),
    Column::new("p95", ColumnType::Seconds),
    Column::new("p99", ColumnType::Seconds),
    Column::new("longest", ColumnType::Seconds),
    Column::new("trend", ColumnType::Number),
];

/// Returns lines of statistics, in the order given.
pub fn run_stats(lines: &[StatsRow], by: GroupBy) -> Answer<'_> {
    Answer {
        envelope: vec![("by", word(by).into())],
        tables: vec![Table::new("stats", &COLUMNS, lines.iter().map(row)).showing(shown(by))],
        json: JsonLayout::Indented,
        ..Answer::default()
    }
}

fn word(by: GroupBy) -> &'static str {
    match by {
        GroupBy::Job => "job",
        GroupBy::Stage => "stage",
        GroupBy::Machine => "machine",
    }
}

fn shown(by: GroupBy) -> [TableColumn; 10] {
    [
        TableColumn::essential("name", word(by)),
        TableColumn::essential("count", "runs"),
        TableColumn::essential("failures", "failed"),
        TableColumn::minor("dropped", "dropped", 0),
        TableColumn::minor("mean", "mean", 4).or("-"),
        TableColumn::minor("p50", "p50", 6).or("-"),
        TableColumn::minor("p95", "p95", 5).or("-"),
        TableColumn::minor("p99", "p99", 2).or("-"),
        TableColumn::minor("longest", "longest", 3).or("-"),
        TableColumn::minor("trend", "trend", 1),
    ]
}

fn row(line: &StatsRow) -> Vec<Value> {
    let seconds = |seconds: Option<f64>| seconds.map_or(Value::None, Value::Seconds);
    let failures = match line.failures {
        0 => Value::from(0_u64),
        some => Value::from(some).shown(Cell::of(&grouped(&some.to_string())).styled(Style::Bad)),
    };
    vec![
        (&line.name).into(),
        line.count.into(),
        failures,
        line.dropped.into(),
        seconds(line.mean),
        seconds(line.p50),
        seconds(line.p95),
        seconds(line.p99),
        seconds(line.longest),
        line.trend.map_or(Value::None, trend),
    ]
}

fn trend(trend: f64) -> Value {
    let style = match trend {
        trend if trend > NOTABLE => Style::Bad,
        trend if trend < -NOTABLE => Style::Good,
        _ => Style::Plain,
    };
    Value::Change(trend).shown(Cell::of(&format!("{:+.0} %", trend * 100.0)).styled(style))
}
