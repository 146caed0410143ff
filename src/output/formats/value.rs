//! One value of an answer, and how programs read it where everything is text.

use crate::terminal::Cell;
use topsell_core::model::{Aggregate, Timestamp, Units, UnitsSum};

/// A value of an answer.
#[derive(Clone, Debug)]
pub enum Value {
    None,
    Flag(bool),
    Integer(i64),
    Units(UnitsSum),
    /// A sparkline on a terminal.
    UnitsByDay(Vec<Units>),
    /// Three decimals on a terminal.
    Number(f64),
    /// A number that keeps every digit on a terminal, too.
    Exact(f64),
    /// An integer of any size in decimal, a text in JSON.
    WideInteger(String),
    /// A fraction that something grew by, a percentage on a terminal.
    Change(f64),
    /// A duration.
    Seconds(f64),
    /// A size.
    Bytes(u64),
    /// In ten-thousandths.
    Amount(i128),
    /// In hundredths of a percent.
    Share(u32),
    Text(String),
    Texts(Vec<String>),
    Moment(Timestamp),
    Moments(Vec<Timestamp>),
    /// Ranks and the categories that they are in, the whole shop for `None`.
    Ranks(Vec<(i32, Option<String>)>),
    /// An object, in JSON only.
    Object(Vec<(&'static str, Value)>),
    /// An array, in JSON only.
    Array(Vec<Value>),
    /// A value that a terminal shows otherwise.
    Shown(Box<Value>, Cell),
}

impl Value {
    /// Returns a number of things that fit into memory.
    pub fn count(number: usize) -> Value {
        Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// Returns the value with something else for a terminal to show.
    #[must_use]
    pub fn shown(self, cell: Cell) -> Value {
        Value::Shown(Box::new(self), cell)
    }

    /// Returns the value itself, whatever a terminal shows.
    pub fn plain(&self) -> &Value {
        match self {
            Value::Shown(value, _) => value.plain(),
            value => value,
        }
    }

    /// Returns whether there is no value, nor anything to show instead.
    pub fn is_none(&self) -> bool {
        matches!(self, Value::None)
    }

    /// Returns the value as CSV has it.
    pub fn text(&self) -> String {
        match self {
            Value::None | Value::Object(_) | Value::Array(_) => String::new(),
            Value::Shown(value, _) => value.text(),
            Value::Text(text) | Value::WideInteger(text) => text.clone(),
            Value::Texts(texts) => texts.join("; "),
            Value::Flag(flag) => flag.to_string(),
            Value::Integer(number) => number.to_string(),
            Value::Bytes(number) => number.to_string(),
            Value::Units(units) => units.to_string(),
            Value::UnitsByDay(units) => joined(units),
            Value::Number(number) | Value::Exact(number) => number.to_string(),
            // With a decimal, as in JSON.
            Value::Seconds(number) | Value::Change(number) => format!("{number:?}"),
            Value::Amount(amount) => amount_text(*amount),
            Value::Share(hundredths) => format!("{}.{:02}", hundredths / 100, hundredths % 100),
            Value::Moment(moment) => moment.to_string(),
            Value::Moments(moments) => joined(moments),
            // No category contains `|`.
            Value::Ranks(ranks) => {
                let one = |(rank, category): &(i32, Option<String>)| {
                    format!("{rank} {}", category.as_deref().unwrap_or("")).trim_end().to_owned()
                };
                ranks.iter().map(one).collect::<Vec<_>>().join("|")
            }
        }
    }
}

fn joined(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Returns an amount with its four decimals.
pub(super) fn amount_text(amount: i128) -> String {
    Aggregate { amount, ..Aggregate::default() }.amount_text().to_string()
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Value {
        Value::Text(text.clone())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Value {
        Value::Flag(flag)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Integer(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Value {
        Value::Integer(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Integer(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<Timestamp> for Value {
    fn from(moment: Timestamp) -> Value {
        Value::Moment(moment)
    }
}

impl From<Units> for Value {
    fn from(units: Units) -> Value {
        Value::Units(units.into())
    }
}

impl From<Aggregate> for Value {
    fn from(aggregate: Aggregate) -> Value {
        Value::Object(vec![
            ("units", aggregate.units.into()),
            ("purchases", aggregate.purchases.into()),
            ("amount", Value::Amount(aggregate.amount)),
        ])
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::None, Into::into)
    }
}
