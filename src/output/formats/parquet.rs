//! A table as a Parquet file: a column of one type for each of its columns.

use std::io::{self, Write};

use crate::formats::answer::{ColumnType, Table};
use crate::formats::value::Value;
use topsell_core::parquet_format::{PlainColumn, encode_table};

/// Writes a table.
pub(super) fn write_parquet(table: Table<'_>, out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<Vec<Value>> = table.rows.collect();
    let columns = table.columns.iter().enumerate();
    let columns = columns.map(|(at, column)| (column.name, values(&rows, at, column.of)));
    out.write_all(&encode_table(columns.collect()).map_err(io::Error::other)?)
}

fn values(rows: &[Vec<Value>], at: usize, of: ColumnType) -> PlainColumn {
    match of {
        ColumnType::Flag => PlainColumn::Flags(picked(rows, at, |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        })),
        ColumnType::Integer | ColumnType::Bytes => {
            PlainColumn::Integers(picked(rows, at, |value| match value {
                Value::Integer(number) => Some(*number),
                Value::Bytes(number) => i64::try_from(*number).ok(),
                _ => None,
            }))
        }
        ColumnType::Units => {
            let values = picked(rows, at, |value| match value {
                Value::Units(units) => Some(units.0),
                _ => None,
            });
            PlainColumn::Decimals { values, places: 4 }
        }
        ColumnType::UnitsByDay => PlainColumn::UnitLists(picked(rows, at, |value| match value {
            Value::UnitsByDay(units) => Some(units.clone()),
            _ => None,
        })),
        ColumnType::Number | ColumnType::Seconds => {
            PlainColumn::Numbers(picked(rows, at, |value| match value {
                Value::Number(number)
                | Value::Exact(number)
                | Value::Change(number)
                | Value::Seconds(number) => Some(*number),
                _ => None,
            }))
        }
        ColumnType::Amount => {
            let values = picked(rows, at, |value| match value {
                Value::Amount(amount) => Some(*amount),
                _ => None,
            });
            PlainColumn::Decimals { values, places: 4 }
        }
        ColumnType::Share => {
            let values = picked(rows, at, |value| match value {
                Value::Share(hundredths) => Some(i128::from(*hundredths)),
                _ => None,
            });
            PlainColumn::Decimals { values, places: 2 }
        }
        ColumnType::Moment => PlainColumn::Moments(picked(rows, at, |value| match value {
            Value::Moment(moment) => Some(*moment),
            _ => None,
        })),
        ColumnType::Texts => PlainColumn::TextLists(picked(rows, at, |value| match value {
            Value::Texts(texts) => Some(texts.clone()),
            _ => None,
        })),
        ColumnType::Text | ColumnType::WideInteger | ColumnType::Ranks => {
            PlainColumn::Texts(picked(rows, at, |value| (!value.is_none()).then(|| value.text())))
        }
    }
}

fn picked<T>(rows: &[Vec<Value>], at: usize, pick: impl Fn(&Value) -> Option<T>) -> Vec<Option<T>> {
    rows.iter().map(|row| pick(row[at].plain())).collect()
}
