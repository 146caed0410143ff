//! The health of a lake as an answer: one line, and in JSON what it is made of.

use crate::formats::{Answer, Column, ColumnType, JsonLayout, Table, Value};
use topsell_core::model::Hour;
use topsell_ops::health::{Assessment, Status};
use topsell_ops::run_history::{LastRuns, RunKey};

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
pub fn health<'a>(status: &'a Status, assessment: &Assessment) -> Answer<'a> {
    let newest = status.lake.as_ref().and_then(|lake| lake.newest_hour);
    let ranking = status.ranking.as_ref().map_or(Value::None, |ranking| {
        Value::Object(vec![
            ("as_of", ranking.as_of.into()),
            ("age_seconds", status.now.seconds_since(ranking.since()).into()),
        ])
    });
    let lag_seconds = newest.map(|hour| status.now.seconds_since(hour.plus(1).start()));
    Answer {
        envelope: vec![
            ("health", assessment.health.name().into()),
            ("problems", Value::Texts(assessment.problems.clone())),
            ("line", assessment.line().into()),
            ("ranking", ranking),
            ("newest_hour", newest.map(Hour::start).into()),
            ("lag_seconds", lag_seconds.into()),
            ("future_runs", status.future_runs.into()),
            ("errors", Value::Texts(status.errors.clone())),
        ],
        tables: vec![Table::new("runs", &COLUMNS, status.runs.iter().map(row))],
        closing: vec![assessment.line()],
        json: JsonLayout::Indented,
        ..Answer::default()
    }
}

fn row((ran, of): (&RunKey, &LastRuns)) -> Vec<Value> {
    let last = of.last.as_ref();
    vec![
        Value::from(&ran.command),
        ran.job.as_deref().into(),
        last.map(|last| &last.id).into(),
        last.map(|last| last.state().name()).into(),
        last.and_then(|last| last.exit_code).map(u32::from).into(),
        last.and_then(|last| last.ended.as_deref()).into(),
        of.last_done.as_ref().and_then(|last| last.ended.as_deref()).into(),
    ]
}
