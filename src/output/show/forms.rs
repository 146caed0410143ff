//! An answer in every form: a table to look at, JSON, NDJSON, CSV and Parquet to work with.
//!
//! Invariant: programs read the same numbers in every form, plain and in full; keys and columns are
//! only ever added, columns at the end.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::show::answer::{Answer, Column, InJson, Kind, List, Value};
use crate::show::plot::write_plot;
use crate::show::typed::typed;
use crate::terminal::{Cell, Heading, Side, Style, TerminalOptions, styled, write_phrases, write_table};
use crate::text::{grouped, sparkline};
use topsell_core::model::Aggregate;
use topsell_core::parquet_format::encode_table;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Table(TerminalOptions),
    Json,
    Ndjson,
    Csv,
    Parquet,
}

const SCHEMA: u32 = 1;

impl Answer {
    /// Writes the answer.
    ///
    /// # Errors
    /// Fails where the output ends.
    pub fn write(&self, form: Form, out: &mut impl Write) -> io::Result<()> {
        match form {
            Form::Table(terminal) => self.write_page(terminal, out),
            Form::Json => write_json(self, out),
            Form::Ndjson => self.list().rows.iter().try_for_each(|row| {
                let line = Record { columns: &self.list().columns, row, stands_alone: true };
                write_json(&line, out)
            }),
            Form::Csv => write_csv(self.list(), out),
            Form::Parquet => {
                let encoded = encode_table(typed(self.list()));
                out.write_all(&encoded.map_err(io::Error::other)?)
            }
        }
    }

    fn list(&self) -> &List {
        self.lists.first().expect("an answer has a list")
    }

    fn write_page(&self, terminal: TerminalOptions, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", styled(&self.title, Style::Bold, terminal.colors))?;
        write_phrases(&self.facts, terminal, out)?;
        if let Some(plot) = &self.plot {
            write_plot(plot, terminal, out)?;
        }
        for list in &self.lists {
            if !list.title.is_empty() {
                writeln!(out, "\n{}", styled(&list.title, Style::Bold, terminal.colors))?;
            }
            match list.table() {
                (_, rows) if rows.is_empty() => writeln!(out, "none")?,
                (headings, rows) => write_table(&headings, &rows, terminal, out)?,
            }
        }
        Ok(())
    }
}

impl List {
    /// Returns what a table shows of it.
    fn table(&self) -> (Vec<Heading>, Vec<Vec<Cell>>) {
        let rows = || self.rows.iter().chain(&self.closing);
        let mut cells: Vec<Vec<Cell>> = rows().map(|_| Vec::new()).collect();
        let mut headings = Vec::new();
        for shown in &self.shown {
            let at = self.columns.iter().position(|column| column.name == shown.column);
            let at = at.expect("what is shown is a column");
            let kind = self.columns[at].kind;
            let is_missing = rows().all(|row| matches!(row[at], Value::None));
            if is_missing && shown.missing.is_empty() {
                continue;
            }
            let side = if matches!(kind, Kind::Text | Kind::Places | Kind::Integers) {
                Side::Left
            } else {
                Side::Right
            };
            let (text, importance, enough) = (shown.heading, shown.importance, shown.enough);
            headings.push(Heading { text, side, importance, enough });
            let places = places(rows().map(|row| &row[at]));
            for (row, cells) in rows().zip(&mut cells) {
                cells.push(match &row[at] {
                    Value::Text(path) if shown.is_indented => Cell::of(&leaf(path)),
                    value => cell(value, places, shown.missing),
                });
            }
        }
        (headings, cells)
    }
}

/// Returns a path's last level, as far in as it is deep.
fn leaf(path: &str) -> String {
    let depth = path.matches('/').count() + 1;
    format!("{}{}", "  ".repeat(depth), path.rsplit('/').next().unwrap_or(path))
}

/// Returns how many decimals a column of money needs: two, or all four.
fn places<'a>(mut values: impl Iterator<Item = &'a Value>) -> usize {
    let is_finer = |value: &Value| matches!(value, Value::Money(amount) if amount % 100 != 0);
    if values.any(is_finer) { 4 } else { 2 }
}

/// Returns a value as people read it.
fn cell(value: &Value, places: usize, missing: &str) -> Cell {
    match value {
        Value::None => Cell::of(missing).styled(Style::Dim),
        Value::Text(text) => Cell::of(text),
        Value::Word { shown, style, .. } => Cell::of(shown).styled(*style),
        Value::Integer(number) => Cell::of(&grouped(&number.to_string())),
        Value::Integers(numbers) => Cell::of(&sparkline(numbers)),
        Value::Number(number) => Cell::of(&grouped(&format!("{number:.3}"))),
        Value::Money(amount) => {
            let text = money(*amount);
            Cell::of(&grouped(&text[..text.len() + places - 4]))
        }
        Value::Exact(_) => Cell::of(&grouped(&plain(value))),
        Value::Share(_) => Cell::of(&format!("{} %", plain(value))),
        Value::Flag(_) | Value::Moment(_) | Value::Moments(_) | Value::Fields(_) => Cell::of(&plain(value)),
        Value::Places(places) => {
            let place = |(rank, category): &(i32, Option<String>)| {
                format!("#{} {}", grouped(&rank.to_string()), category.as_deref().unwrap_or("of the shop"))
            };
            Cell::of(&places.iter().map(place).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Returns a value as programs read it where all is text.
pub(super) fn plain(value: &Value) -> String {
    match value {
        // Values in fields are for JSON alone.
        Value::None | Value::Fields(_) => String::new(),
        Value::Text(text) => text.clone(),
        Value::Word { word, .. } => (*word).to_owned(),
        Value::Flag(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Integers(numbers) => joined(numbers),
        Value::Number(number) | Value::Exact(number) => number.to_string(),
        Value::Money(amount) => money(*amount),
        Value::Share(hundredths) => format!("{}.{:02}", hundredths / 100, hundredths % 100),
        Value::Moment(moment) => moment.to_string(),
        Value::Moments(moments) => joined(moments),
        // A category has no `|` of its own.
        Value::Places(places) => {
            let place = |(rank, category): &(i32, Option<String>)| {
                format!("{rank} {}", category.as_deref().unwrap_or("")).trim_end().to_owned()
            };
            places.iter().map(place).collect::<Vec<_>>().join("|")
        }
    }
}

fn joined(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn money(amount: i128) -> String {
    Aggregate { amount, ..Aggregate::default() }.amount_text().to_string()
}

fn write_json(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    // Through a buffer, so that a broken pipe stays an error of the pipe.
    let json: Box<RawValue> = serde_json::value::to_raw_value(value)?;
    writeln!(out, "{}", json.get())
}

fn write_csv(list: &List, out: &mut impl Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(list.columns.iter().map(|column| column.name))?;
    for row in &list.rows {
        csv.write_record(row.iter().map(plain))?;
    }
    csv.flush()
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", &SCHEMA)?;
        for (name, value) in &self.head {
            map.serialize_entry(name, value)?;
        }
        for list in &self.lists {
            let rows = list.rows.iter();
            let records = rows.map(|row| Record { columns: &list.columns, row, stands_alone: false });
            map.serialize_entry(list.name, &records.collect::<Vec<_>>())?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Place<'a> {
    category: &'a Option<String>,
    rank: i32,
}

/// A row by the names of its columns.
struct Record<'a> {
    columns: &'a [Column],
    row: &'a [Value],
    /// Whether it has to say what JSON has in its head.
    stands_alone: bool,
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (column, value) in self.columns.iter().zip(self.row) {
            let is_there = match column.in_json {
                InJson::Rows => true,
                InJson::RowsThatHaveIt => *value != Value::None,
                InJson::Head => self.stands_alone,
            };
            if is_there {
                map.serialize_entry(column.name, value)?;
            }
        }
        map.end()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::None => serializer.serialize_none(),
            Value::Flag(flag) => serializer.serialize_bool(*flag),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Integers(numbers) => numbers.serialize(serializer),
            Value::Number(number) | Value::Exact(number) => serializer.serialize_f64(*number),
            Value::Share(hundredths) => serializer.serialize_f64(f64::from(*hundredths) / 100.0),
            Value::Moments(moments) => serializer.collect_seq(moments.iter().map(ToString::to_string)),
            Value::Fields(fields) => serializer.collect_map(fields.iter().map(|(name, value)| (name, value))),
            Value::Places(places) => {
                serializer.collect_seq(places.iter().map(|(rank, category)| Place { category, rank: *rank }))
            }
            Value::Text(text) => serializer.serialize_str(text),
            Value::Word { word, .. } => serializer.serialize_str(word),
            // Decimals as texts, which no reader rounds.
            Value::Money(_) | Value::Moment(_) => serializer.serialize_str(&plain(self)),
        }
    }
}
