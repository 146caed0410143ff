//! A list as columns of one type each.

use crate::show::answer::{Kind, List, Value};
use crate::show::forms::plain;
use topsell_core::parquet_format::PlainColumn;

/// Returns a list's columns and their names.
pub(super) fn typed(list: &List) -> Vec<(&'static str, PlainColumn)> {
    let columns = list.columns.iter().enumerate();
    columns.map(|(at, column)| (column.name, values(list, at, column.kind))).collect()
}

fn values(list: &List, at: usize, kind: Kind) -> PlainColumn {
    match kind {
        Kind::Integer => PlainColumn::Integers(picked(list, at, |value| match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        })),
        Kind::Integers => PlainColumn::Lists(picked(list, at, |value| match value {
            Value::Integers(numbers) => Some(numbers.clone()),
            _ => None,
        })),
        Kind::Number => PlainColumn::Numbers(picked(list, at, |value| match value {
            Value::Number(number) | Value::Exact(number) => Some(*number),
            _ => None,
        })),
        Kind::Money => {
            let values = picked(list, at, |value| match value {
                Value::Money(amount) => Some(*amount),
                _ => None,
            });
            PlainColumn::Decimals { values, places: 4 }
        }
        Kind::Share => {
            let values = picked(list, at, |value| match value {
                Value::Share(hundredths) => Some(i128::from(*hundredths)),
                _ => None,
            });
            PlainColumn::Decimals { values, places: 2 }
        }
        Kind::Moment => PlainColumn::Moments(picked(list, at, |value| match value {
            Value::Moment(moment) => Some(*moment),
            _ => None,
        })),
        Kind::Text | Kind::Places => {
            PlainColumn::Texts(picked(list, at, |value| (*value != Value::None).then(|| plain(value))))
        }
    }
}

fn picked<T>(list: &List, at: usize, pick: impl Fn(&Value) -> Option<T>) -> Vec<Option<T>> {
    list.rows.iter().map(|row| pick(&row[at])).collect()
}
