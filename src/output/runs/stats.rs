//! Many runs in numbers, a line for each kind.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::runs::Form;
use crate::terminal::{Cell, Heading, Importance, Side, Style, write_table};
use crate::text::duration;
use crate::text::grouped;
use topsell_ops::run_history::{By, Line};

/// The schema of the JSON answer.
const SCHEMA: u32 = 1;
/// A change that is more than chance, for the eye.
const NOTABLE: f64 = 0.2;

const COLUMNS: [&str; 10] =
    ["name", "count", "failures", "dropped", "mean", "p50", "p95", "p99", "longest", "trend"];

/// Writes lines, in the order given.
///
/// # Errors
/// Fails where the output does.
pub fn write_stats(lines: &[Line], by: By, form: Form, out: &mut impl Write) -> io::Result<()> {
    match form {
        Form::Table(terminal) => {
            let rows: Vec<Vec<Cell>> = lines.iter().map(cells).collect();
            write_table(&headings(by), &rows, terminal, out)
        }
        Form::Json => {
            let lines: Vec<Value> = lines.iter().map(facts).collect();
            writeln!(out, "{:#}", json!({"schema": SCHEMA, "by": word(by), "stats": lines}))
        }
        Form::Ndjson => lines.iter().try_for_each(|line| writeln!(out, "{}", facts(line))),
        Form::Csv => {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(COLUMNS)?;
            for line in lines {
                let facts = facts(line);
                csv.write_record(COLUMNS.iter().map(|column| match &facts[*column] {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                }))?;
            }
            csv.flush()
        }
    }
}

fn word(by: By) -> &'static str {
    match by {
        By::Job => "job",
        By::Stage => "stage",
        By::Machine => "machine",
    }
}

fn headings(by: By) -> [Heading; 10] {
    let right = |text, importance| Heading { text, side: Side::Right, importance, enough: None };
    let minor = Importance::Minor;
    [
        Heading { text: word(by), side: Side::Left, importance: Importance::Essential, enough: None },
        right("runs", Importance::Essential),
        right("failed", Importance::Essential),
        right("dropped", minor(0)),
        right("mean", minor(4)),
        right("p50", minor(6)),
        right("p95", minor(5)),
        right("p99", minor(2)),
        right("longest", minor(3)),
        right("trend", minor(1)),
    ]
}

fn cells(line: &Line) -> Vec<Cell> {
    let number = |number: u64| Cell::of(&grouped(&number.to_string()));
    let time = |seconds: Option<f64>| Cell::of(&seconds.map(duration).unwrap_or_default());
    let failures = number(line.failures);
    let trend = line.trend.map(|trend| format!("{:+.0} %", trend * 100.0)).unwrap_or_default();
    let change = match line.trend {
        Some(trend) if trend > NOTABLE => Style::Bad,
        Some(trend) if trend < -NOTABLE => Style::Good,
        _ => Style::Plain,
    };
    vec![
        Cell::of(&line.name),
        number(line.count),
        if line.failures > 0 { failures.styled(Style::Bad) } else { failures },
        number(line.dropped),
        time(line.mean),
        time(line.p50),
        time(line.p95),
        time(line.p99),
        time(line.longest),
        Cell::of(&trend).styled(change),
    ]
}

fn facts(line: &Line) -> Value {
    json!({
        "name": line.name,
        "count": line.count,
        "failures": line.failures,
        "dropped": line.dropped,
        "mean": line.mean,
        "p50": line.p50,
        "p95": line.p95,
        "p99": line.p99,
        "longest": line.longest,
        "trend": line.trend,
    })
}
