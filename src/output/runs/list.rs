//! Runs, a row each.

use crate::formats::{Answer, Column, ColumnType, JsonLayout, Table, TableColumn, Value};
use crate::runs::style::style;
use crate::terminal::{Cell, Style};
use crate::text::{duration, to_the_second};
use topsell_core::model::Timestamp;
use topsell_ops::run_history::{RunRecord, RunState, micros, name_of};

/// Digits of a run's random part that tell it from others.
const ENOUGH_DIGITS: usize = 8;

const COLUMNS: [Column; 16] = [
    Column::new("id", ColumnType::Text),
    Column::new("command", ColumnType::Text),
    Column::new("job", ColumnType::Text),
    Column::new("due", ColumnType::Moment),
    Column::new("attempt", ColumnType::Integer),
    Column::new("started", ColumnType::Moment),
    Column::new("ended", ColumnType::Moment),
    Column::new("seconds", ColumnType::Seconds),
    Column::new("state", ColumnType::Text),
    Column::new("failed", ColumnType::Flag),
    Column::new("exit_code", ColumnType::Integer),
    Column::new("signal", ColumnType::Integer),
    Column::new("message", ColumnType::Text),
    Column::new("machine", ColumnType::Text),
    Column::new("process", ColumnType::Integer),
    Column::new("trace_id", ColumnType::Text),
];

const SHOWN: [TableColumn; 7] = [
    TableColumn::essential("started", "started").left(),
    TableColumn::essential("command", "run"),
    TableColumn::essential("seconds", "took"),
    TableColumn::essential("state", "outcome"),
    TableColumn::minor("exit_code", "exit", 1),
    TableColumn::minor("machine", "machine", 0),
    TableColumn::essential("id", "id"),
];

/// Returns some runs, in the order given.
pub fn list(records: &[RunRecord], now: Timestamp) -> Answer<'_> {
    let rows = records.iter().map(move |record| row(record, now));
    Answer {
        tables: vec![Table::new("runs", &COLUMNS, rows).showing(SHOWN)],
        json: JsonLayout::Indented,
        ..Answer::default()
    }
}

fn row(record: &RunRecord, now: Timestamp) -> Vec<Value> {
    let (due, state) = (record.due.as_ref(), record.state());
    let exit = match (record.exit_code, record.signal) {
        (_, Some(signal)) => format!("signal {signal}"),
        (Some(code), None) => code.to_string(),
        (None, None) => String::new(),
    };
    let took = took(record, state, now).map(duration).unwrap_or_default();
    vec![
        Value::from(&record.id).shown(Cell::of(handle(record)).styled(Style::Dim)),
        Value::from(&record.command).shown(Cell::of(name_of(record))),
        due.map(|due| &due.job).into(),
        due.and_then(|due| due.at.as_deref()).map(moment).into(),
        due.map(|due| due.attempt).into(),
        moment(&record.started).shown(Cell::of(&to_the_second(&record.started))),
        record.ended.as_deref().map(moment).into(),
        record.seconds.map_or(Value::None, Value::Seconds).shown(Cell::of(&took)),
        Value::from(state.name()).shown(Cell::of(state.name()).styled(style(state))),
        state.is_failure().into(),
        Value::from(record.exit_code.map(u32::from)).shown(Cell::of(&exit)),
        record.signal.into(),
        record.message.as_deref().into(),
        (&record.machine).into(),
        record.process.into(),
        (&record.trace_id).into(),
    ]
}

/// Returns a time of a record; whatever else stands there as it is.
fn moment(text: &str) -> Value {
    match Timestamp::parse(text) {
        Ok(moment) if moment.to_string() == text => Value::Moment(moment),
        _ => Value::from(text),
    }
}

/// Returns what a run may be asked for by: the start of the random part of its id, if it has one.
fn handle(record: &RunRecord) -> &str {
    let random = record.id.rsplit_once('-').map(|(_, random)| random);
    let is_random = |text: &&str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match random.filter(is_random) {
        Some(random) => &random[..ENOUGH_DIGITS],
        None => &record.id,
    }
}

/// Returns how long a run took, or has taken until now.
fn took(record: &RunRecord, state: RunState, now: Timestamp) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "durations of runs are far from where it matters")]
    let so_far = || Some((now.micros() - micros(&record.started)?) as f64 / 1e6);
    match state {
        RunState::Running => so_far(),
        _ => record.seconds,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;
    use crate::formats::Format;
    use crate::terminal::{Colors, TerminalOptions};
    use topsell_ops::run_history::{Due, Outcome};

    fn runs() -> Vec<RunRecord> {
        let rank = RunRecord {
            id: "20261122T184848.105348Z-rank-e271aa3a57ab07c4".to_owned(),
            command: "rank".to_owned(),
            started: "2026-11-22T18:48:48.105348Z".to_owned(),
            ended: Some("2026-11-22T18:48:48.284627Z".to_owned()),
            seconds: Some(0.179_279),
            outcome: Outcome::Done,
            exit_code: Some(0),
            machine: "vm".to_owned(),
            process: 7,
            ..RunRecord::default()
        };
        let job = RunRecord {
            id: "20261122T180000Z-hourly.2".to_owned(),
            command: "run".to_owned(),
            due: Some(Due {
                job: "hourly".to_owned(),
                at: Some("2026-11-22T18:00:00Z".to_owned()),
                attempt: 2,
            }),
            started: "2026-11-22T18:00:00.001Z".to_owned(),
            seconds: Some(754.0),
            outcome: Outcome::Killed,
            exit_code: None,
            signal: Some(9),
            message: Some("line, \"quoted\"".to_owned()),
            ..rank.clone()
        };
        vec![rank, job]
    }

    fn written(format: Format, width: Option<usize>) -> String {
        let mut out = Vec::new();
        let now = Timestamp::parse("2026-11-22T19:00:00Z").expect("it is a moment");
        let terminal = TerminalOptions { width, colors: Colors::Never };
        list(&runs(), now).write(format, terminal, &mut out).expect("a text can grow");
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn runs_are_listed_as_wide_as_the_paper_is() {
        let table = |width| written(Format::Table, width);
        expect![[r#"
            started               run            took  outcome      exit  machine  id
            2026-11-22T18:48:48Z  rank         179 ms  done            0  vm       e271aa3a
            2026-11-22T18:00:00Z  hourly  12 min 34 s  killed   signal 9  vm       20261122T180000Z-hourly.2
        "#]]
        .assert_eq(&table(None));
        let narrow = table(Some(80));
        assert!(narrow.lines().all(|line| line.len() <= 80) && !narrow.contains("machine"), "{narrow}");
    }

    #[test]
    fn runs_are_listed_for_programs() {
        expect![[r#"
            id,command,job,due,attempt,started,ended,seconds,state,failed,exit_code,signal,message,machine,process,trace_id
            20261122T184848.105348Z-rank-e271aa3a57ab07c4,rank,,,,2026-11-22T18:48:48.105348Z,2026-11-22T18:48:48.284627Z,0.179279,done,false,0,,,vm,7,
            20261122T180000Z-hourly.2,run,hourly,2026-11-22T18:00:00Z,2,2026-11-22T18:00:00.001Z,2026-11-22T18:48:48.284627Z,754.0,killed,true,,9,"line, ""quoted""",vm,7,
        "#]]
        .assert_eq(&written(Format::Csv, None));
        let json: serde_json::Value = serde_json::from_str(&written(Format::Json, None)).expect("it is JSON");
        assert_eq!((&json["schema"], &json["runs"][1]["job"]), (&json!(1), &json!("hourly")));
        assert_eq!(written(Format::Ndjson, None).lines().count(), 2);
    }
}
