//! An answer as JSON, whole or a row a line.
//!
//! Amounts and times are texts, which no reader rounds.

use std::cell::RefCell;
use std::io::{self, Write};

use serde::ser::{Error, Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

use crate::formats::answer::{Answer, Column, JsonField, JsonLayout, Rows, Table};
use crate::formats::value::Value;
use topsell_core::model::UnitsSum;

/// The version of the fields' meaning.
const SCHEMA: u32 = 1;

/// Writes an answer as one JSON object.
pub(super) fn write_json(answer: Answer<'_>, out: &mut impl Write) -> io::Result<()> {
    match answer.json {
        JsonLayout::OneLine => {
            serde_json::to_writer(&mut *out, &Document::of(answer))?;
            writeln!(out)
        }
        JsonLayout::Indented => writeln!(out, "{:#}", serde_json::to_value(Document::of(answer))?),
        JsonLayout::RowPerLine => write_row_per_line(answer, out),
        JsonLayout::Document(text) => writeln!(out, "{text}"),
    }
}

/// Writes a table as one JSON object a row.
pub(super) fn write_ndjson(table: Table<'_>, layout: &JsonLayout, out: &mut impl Write) -> io::Result<()> {
    for row in table.rows {
        let record = Record { columns: &table.columns, row: &row, stands_alone: true };
        match layout {
            JsonLayout::OneLine => serde_json::to_writer(&mut *out, &record)?,
            _ => write!(out, "{}", serde_json::to_value(record)?)?,
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_row_per_line(answer: Answer<'_>, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{{\n  \"schema\": {SCHEMA}")?;
    for (name, value) in &answer.envelope {
        write!(out, ",\n  \"{name}\": {}", serde_json::to_value(value)?)?;
    }
    for table in answer.tables {
        write!(out, ",\n  \"{}\": [", table.name)?;
        let mut separator = "\n";
        for row in table.rows {
            let record = Record { columns: &table.columns, row: &row, stands_alone: false };
            write!(out, "{separator}    {}", serde_json::to_value(record)?)?;
            separator = ",\n";
        }
        write!(out, "\n  ]")?;
    }
    for (name, value) in &answer.envelope_end {
        write!(out, ",\n  \"{name}\": {}", serde_json::to_value(value)?)?;
    }
    writeln!(out, "\n}}")
}

/// A whole answer; its rows can be written once.
struct Document<'a> {
    envelope: Vec<(&'static str, Value)>,
    tables: Vec<(&'static str, Records<'a>)>,
    envelope_end: Vec<(&'static str, Value)>,
}

/// The array that a table becomes.
enum Records<'a> {
    Rows(Vec<Column>, RefCell<Rows<'a>>),
    Nested(RefCell<Box<dyn Iterator<Item = Value> + 'a>>),
}

impl<'a> Document<'a> {
    fn of(answer: Answer<'a>) -> Document<'a> {
        let records = |table: Table<'a>| match table.nested {
            Some(nested) => (table.name, Records::Nested(RefCell::new(nested))),
            None => (table.name, Records::Rows(table.columns, RefCell::new(table.rows))),
        };
        let Answer { envelope, envelope_end, tables, .. } = answer;
        Document { envelope, tables: tables.into_iter().map(records).collect(), envelope_end }
    }
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", &SCHEMA)?;
        for (name, value) in &self.envelope {
            map.serialize_entry(name, value)?;
        }
        for (name, records) in &self.tables {
            map.serialize_entry(name, records)?;
        }
        for (name, value) in &self.envelope_end {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Records<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut array = serializer.serialize_seq(None)?;
        match self {
            Records::Rows(columns, rows) => {
                for row in rows.borrow_mut().by_ref() {
                    array.serialize_element(&Record { columns, row: &row, stands_alone: false })?;
                }
            }
            Records::Nested(values) => {
                for value in values.borrow_mut().by_ref() {
                    array.serialize_element(&value)?;
                }
            }
        }
        array.end()
    }
}

/// A row by the names of its columns.
struct Record<'a> {
    columns: &'a [Column],
    row: &'a [Value],
    /// Whether it has the fields, too, that JSON has beside the table.
    stands_alone: bool,
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (column, value) in self.columns.iter().zip(self.row) {
            let is_there = match column.json {
                JsonField::Always => true,
                JsonField::WhenPresent => !value.is_none(),
                JsonField::Envelope => self.stands_alone,
            };
            if is_there {
                map.serialize_entry(column.name, value)?;
            }
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
struct RankIn<'a> {
    category: &'a Option<String>,
    rank: i32,
}

/// Units as a number with all its digits, without trailing zeros.
///
/// Readers with 64-bit floating point take the nearest that they have of one with more than 15 digits.
struct DecimalNumber(UnitsSum);

impl Serialize for DecimalNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.whole().map(i64::try_from) {
            Some(Ok(whole)) => serializer.serialize_i64(whole),
            _ => RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?.serialize(serializer),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::None => serializer.serialize_none(),
            Value::Shown(value, _) => value.serialize(serializer),
            Value::Flag(flag) => serializer.serialize_bool(*flag),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Bytes(number) => serializer.serialize_u64(*number),
            Value::Units(units) => DecimalNumber(*units).serialize(serializer),
            Value::UnitsByDay(units) => {
                serializer.collect_seq(units.iter().map(|units| DecimalNumber((*units).into())))
            }
            Value::Number(number) | Value::Exact(number) | Value::Change(number) | Value::Seconds(number) => {
                serializer.serialize_f64(*number)
            }
            Value::Share(hundredths) => serializer.serialize_f64(f64::from(*hundredths) / 100.0),
            Value::Moments(moments) => serializer.collect_seq(moments.iter().map(ToString::to_string)),
            Value::Object(fields) => serializer.collect_map(fields.iter().map(|(name, value)| (name, value))),
            Value::Array(values) => values.serialize(serializer),
            Value::Ranks(ranks) => {
                serializer.collect_seq(ranks.iter().map(|(rank, category)| RankIn { category, rank: *rank }))
            }
            Value::Text(text) | Value::WideInteger(text) => serializer.serialize_str(text),
            Value::Texts(texts) => texts.serialize(serializer),
            Value::Amount(_) | Value::Moment(_) => serializer.serialize_str(&self.text()),
        }
    }
}
