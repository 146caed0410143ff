//! The health of a lake as an answer: one line, and in JSON what it is made of.

use crate::formats::{Answer, Column, ColumnType, JsonLayout, Table, Value};
use topsell_core::model::Hour;
use topsell_ops::health::{Facts, Verdict};
use topsell_ops::run_history::{LastRuns, Ran};

const COLUMNS: [Column; 7] = [
    Column::new("command", ColumnType::Text),
    Column::new("job", ColumnType::Text),
    Column::new("last", ColumnType::Text),
    Column::new("state", ColumnType::Text),
    Column::new("exit_code", ColumnType::Integer),
    Column::new("ended", ColumnType::Text),
    Column::new("last_done", ColumnType::Text),
];

/// Returns the answer.
pub fn health<'a>(facts: &'a Facts, verdict: &Verdict) -> Answer<'a> {
    let newest = facts.lake.as_ref().and_then(|lake| lake.newest_hour);
    let ranking = facts.ranking.as_ref().map_or(Value::None, |ranking| {
        Value::Object(vec![
            ("as_of", ranking.as_of.into()),
            ("age_seconds", facts.now.seconds_since(ranking.since()).into()),
        ])
    });
    let lag_seconds = newest.map(|hour| facts.now.seconds_since(hour.plus(1).start()));
    Answer {
        envelope: vec![
            ("health", verdict.health.word().into()),
            ("wrong", Value::Texts(verdict.wrong.clone())),
            ("line", verdict.line().into()),
            ("ranking", ranking),
            ("newest_hour", newest.map(Hour::start).into()),
            ("lag_seconds", lag_seconds.into()),
            ("unknown", Value::Texts(facts.unknown.clone())),
        ],
        tables: vec![Table::new("runs", &COLUMNS, facts.runs.iter().map(row))],
        closing: vec![verdict.line()],
        json: JsonLayout::Indented,
        ..Answer::default()
    }
}

fn row((ran, of): (&Ran, &LastRuns)) -> Vec<Value> {
    let last = of.last.as_ref();
    vec![
        Value::from(&ran.command),
        ran.job.as_deref().into(),
        last.map(|last| &last.id).into(),
        last.map(|last| last.state().word()).into(),
        last.and_then(|last| last.exit_code).map(u32::from).into(),
        last.and_then(|last| last.ended.as_deref()).into(),
        of.last_done.as_ref().and_then(|last| last.ended.as_deref()).into(),
    ]
}
