//! Runs, a line each.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::runs::Form;
use crate::terminal::{Cell, Heading, Importance, Side, Style, write_table};
use crate::text::{duration, to_the_second};
use topsell_core::model::Timestamp;
use topsell_ops::run_history::{RunRecord, State, micros, name_of};

/// The schema of the JSON answer.
const SCHEMA: u32 = 1;
/// Digits of a run's chance that tell it from others.
const ENOUGH_DIGITS: usize = 8;

const HEADINGS: [Heading; 7] = [
    heading("started", Side::Left, Importance::Essential),
    heading("run", Side::Left, Importance::Essential),
    heading("took", Side::Right, Importance::Essential),
    heading("outcome", Side::Left, Importance::Essential),
    heading("exit", Side::Right, Importance::Minor(1)),
    heading("machine", Side::Left, Importance::Minor(0)),
    heading("id", Side::Left, Importance::Essential),
];

const fn heading(text: &'static str, side: Side, importance: Importance) -> Heading {
    Heading { text, side, importance, enough: None }
}

/// Writes some runs, in the order given.
///
/// # Errors
/// Fails where the output does.
pub fn write_list(records: &[RunRecord], form: Form, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    match form {
        Form::Table(terminal) => {
            let rows: Vec<Vec<Cell>> = records.iter().map(|record| cells(record, now)).collect();
            write_table(&HEADINGS, &rows, terminal, out)
        }
        Form::Json => {
            let runs: Vec<Value> = records.iter().map(facts).collect();
            writeln!(out, "{:#}", json!({"schema": SCHEMA, "runs": runs}))
        }
        Form::Ndjson => records.iter().try_for_each(|record| writeln!(out, "{}", facts(record))),
        Form::Csv => write_csv(records, out),
    }
}

/// Returns how a state stands out.
pub fn style(state: State) -> Style {
    match state {
        State::Running | State::PerhapsRunning => Style::Fresh,
        state if state.is_failure() => Style::Bad,
        _ => Style::Plain,
    }
}

/// Returns what a run may be asked for by: of a name that only chance tells from others, some of that.
fn handle(record: &RunRecord) -> &str {
    let chance = record.id.rsplit_once('-').map(|(_, chance)| chance);
    let is_chance = |text: &&str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match chance.filter(is_chance) {
        Some(chance) => &chance[..ENOUGH_DIGITS],
        None => &record.id,
    }
}

/// Returns how long a run took, or has taken until now.
fn took(record: &RunRecord, state: State, now: Timestamp) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "lengths of runs are far from where it matters")]
    let so_far = || Some((now.micros() - micros(&record.started)?) as f64 / 1e6);
    match state {
        State::Running => so_far(),
        _ => record.seconds,
    }
}

fn cells(record: &RunRecord, now: Timestamp) -> Vec<Cell> {
    let state = record.state();
    let exit = match (record.exit_code, record.signal) {
        (_, Some(signal)) => format!("signal {signal}"),
        (Some(code), None) => code.to_string(),
        (None, None) => String::new(),
    };
    vec![
        Cell::of(&to_the_second(&record.started)),
        Cell::of(name_of(record)),
        Cell::of(&took(record, state, now).map(duration).unwrap_or_default()),
        Cell::of(state.word()).styled(style(state)),
        Cell::of(&exit),
        Cell::of(&record.machine),
        Cell::of(handle(record)).styled(Style::Dim),
    ]
}

fn facts(record: &RunRecord) -> Value {
    let due = record.due.as_ref();
    json!({
        "id": record.id,
        "command": record.command,
        "job": due.map(|due| &due.job),
        "due": due.and_then(|due| due.at.as_ref()),
        "attempt": due.map(|due| due.attempt),
        "started": record.started,
        "ended": record.ended,
        "seconds": record.seconds,
        "state": record.state().word(),
        "failed": record.state().is_failure(),
        "exit_code": record.exit_code,
        "signal": record.signal,
        "message": record.message,
        "machine": record.machine,
        "process": record.process,
        "trace_id": record.trace_id,
    })
}

const COLUMNS: [&str; 16] = [
    "id",
    "command",
    "job",
    "due",
    "attempt",
    "started",
    "ended",
    "seconds",
    "state",
    "failed",
    "exit_code",
    "signal",
    "message",
    "machine",
    "process",
    "trace_id",
];

fn write_csv(records: &[RunRecord], out: &mut impl Write) -> io::Result<()> {
    let mut lines = csv::Writer::from_writer(out);
    lines.write_record(COLUMNS)?;
    for record in records {
        let facts = facts(record);
        lines.write_record(COLUMNS.iter().map(|column| match &facts[*column] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }))?;
    }
    lines.flush()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
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

    fn written(form: Form) -> String {
        let mut out = Vec::new();
        let now = Timestamp::parse("2026-11-22T19:00:00Z").expect("it is a moment");
        write_list(&runs(), form, now, &mut out).expect("a text can grow");
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn runs_are_listed_as_wide_as_the_paper_is() {
        let table = |width| written(Form::Table(TerminalOptions { width, colors: Colors::Never }));
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
        .assert_eq(&written(Form::Csv));
        let json: Value = serde_json::from_str(&written(Form::Json)).expect("it is JSON");
        assert_eq!((&json["schema"], &json["runs"][1]["job"]), (&json!(1), &json!("hourly")));
        assert_eq!(written(Form::Ndjson).lines().count(), 2);
    }
}
