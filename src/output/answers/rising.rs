//! What rises as an answer: a row for each item, with what it had before.

use crate::answers::time_range::TimeRange;
use crate::answers::top::{chosen, numbers, place, title};
use crate::formats::{Answer, Column, ColumnType, JsonField, Table, TableColumn, Value};
use crate::terminal::{Cell, Style};
use topsell_core::counts::{BEFORE, Rise, Rising, RisingQuery, hours_before};

const COLUMNS: [Column; 8] = [
    Column::new("category", ColumnType::Text).json(JsonField::Envelope),
    Column::new("rank", ColumnType::Integer),
    Column::new("item_id", ColumnType::Text),
    Column::new("rise", ColumnType::Number),
    Column::new("before", ColumnType::Amount),
    Column::new("units", ColumnType::Units),
    Column::new("purchases", ColumnType::Integer),
    Column::new("amount", ColumnType::Amount),
];

const SHOWN: [TableColumn; 7] = [
    TableColumn::essential("rank", "rank"),
    TableColumn::essential("item_id", "item"),
    TableColumn::minor("rise", "rise", 9),
    TableColumn::minor("before", "before", 8),
    TableColumn::minor("units", "units", 7),
    TableColumn::minor("purchases", "purchases", 6),
    TableColumn::minor("amount", "amount", 5),
];

/// Answers with the items that rise most.
pub(super) fn rising_items(
    query: &RisingQuery<'_>,
    min: u32,
    range: &TimeRange,
    found: &Rising,
) -> Answer<'static> {
    let rows = found.items.iter().zip(1..).map(|(item, rank)| {
        let id = item.item_id.as_str().into();
        let mut row = vec![query.category.into(), Value::count(rank), id];
        row.extend([Value::Number(shown(item.rise)), mean_before(query, item.rise)]);
        row.extend(numbers(&item.aggregate));
        row
    });
    let before = hours_before(&query.hours);
    let mut envelope = vec![
        ("hours_from", range.hours.start.start().into()),
        ("hours_to", range.hours.end.start().into()),
        ("before_from", before.start.start().into()),
        ("is_filling", range.is_filling().into()),
    ];
    envelope.extend(chosen(query.event_types, query.category, query.measure));
    envelope.push(("min", i64::from(min).into()));
    envelope.push(("eligible_items", Value::Integer(found.eligible_items.cast_signed())));
    let of_what = format!("Rising items of {}", place(query.category));
    let note =
        format!("against the mean of {BEFORE} times as long before, at least {min} {}", query.measure.name());
    Answer {
        title: title(&of_what, query.measure, range.shown(), query.event_types, range),
        notes: vec![Cell::of(&note).styled(Style::Dim)],
        envelope,
        tables: vec![Table::new("items", &COLUMNS, rows.collect::<Vec<_>>()).showing(SHOWN)],
        ..Answer::default()
    }
}

/// Returns (x - b) / sqrt(b + 1) to four decimals.
fn shown(rise: Rise) -> f64 {
    let (more, below) = rise.parts();
    let exact = more as f64 / (below as f64 * rise.sevenfold_unit() as f64).sqrt();
    (exact * 10_000.0).round() / 10_000.0
}

/// Returns the mean of the time before to four decimals, halves away from zero.
fn mean_before(query: &RisingQuery<'_>, rise: Rise) -> Value {
    let times = i128::from(BEFORE);
    let ten_thousandths = i128::from(rise.before()) * i128::from(10_000 / query.measure.unit());
    Value::Amount((2 * ten_thousandths + times) / (2 * times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_that_of_the_formula() {
        let check = |now: i64, before: i64, expected: f64| {
            let rise = Rise::of(now, before, 1).expect("it rises");
            let mean = before as f64 / 7.0;
            let formula = (now as f64 - mean) / (mean + 1.0).sqrt();
            assert!((formula - expected).abs() < 0.000_05, "{now} {before}: {formula}");
            assert_eq!(shown(rise), expected, "{now} {before}");
        };
        check(30, 0, 30.0);
        check(930, 6_300, 0.9994);
        check(20, 70, 3.0151);
    }
}
