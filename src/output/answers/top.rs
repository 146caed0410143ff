//! What sold most as an answer: a row for each item, and what all others have sold.

use crate::answers::counts::counted_types;
use crate::answers::time_range::TimeRange;
use crate::formats::{Answer, Column, ColumnType, JsonField, Table, TableColumn, Value};
use crate::text::quoted;
use topsell_core::counts::TopQuery;
use topsell_core::model::Aggregate;
use topsell_core::rank::CategoryRanking;
use topsell_core::trends::shares_of;

const COLUMNS: [Column; 7] = [
    Column::new("category", ColumnType::Text).json(JsonField::Envelope),
    Column::new("rank", ColumnType::Integer),
    Column::new("item_id", ColumnType::Text),
    Column::new("units", ColumnType::Units),
    Column::new("purchases", ColumnType::Integer),
    Column::new("amount", ColumnType::Amount),
    Column::new("share_percent", ColumnType::Share),
];

const SHOWN: [TableColumn; 6] = [
    TableColumn::essential("rank", "rank"),
    TableColumn::essential("item_id", "item"),
    TableColumn::minor("units", "units", 9),
    TableColumn::minor("share_percent", "share", 8),
    TableColumn::minor("purchases", "purchases", 7),
    TableColumn::minor("amount", "amount", 6),
];

/// Answers with the items that sold most; none where nothing was sold.
pub(super) fn top_items(
    query: &TopQuery<'_>,
    range: &TimeRange,
    found: Option<&CategoryRanking>,
) -> Answer<'static> {
    let items = found.map_or(&[][..], |found| &found.items);
    let total = found.map_or(Aggregate::default(), |found| found.aggregate);
    let eligible = found.map_or(0, |found| found.eligible_items);
    let shares = shares_of(items.iter().map(|item| item.aggregate), total, query.measure);
    let rows: Vec<Vec<Value>> = items
        .iter()
        .enumerate()
        .map(|(at, item)| {
            let share = shares.as_ref().and_then(|(shares, _)| shares.get(at)).copied();
            let mut row = vec![query.category.into(), Value::count(at + 1), item.item_id.as_str().into()];
            row.extend(numbers(&item.aggregate));
            row.push(share.map_or(Value::None, Value::Share));
            row
        })
        .collect();
    let others = eligible.checked_sub(items.len() as u64).filter(|others| *others > 0).map(|count| {
        let others = items.iter().fold(total, |rest, item| rest.minus(item.aggregate));
        (count, others, shares.map_or(Value::None, |(_, share)| Value::Share(share)))
    });
    let footer = others.as_ref().map(|(items, others, share)| {
        let mut row = vec![Value::None, Value::None, format!("{items} others").into()];
        row.extend(numbers(others));
        row.push(share.clone());
        row
    });
    let table =
        Table { footer: footer.into_iter().collect(), ..Table::new("items", &COLUMNS, rows).showing(SHOWN) };
    let mut envelope = vec![
        ("hours_from", range.hours.start.start().into()),
        ("hours_to", range.hours.end.start().into()),
        ("is_filling", range.is_filling().into()),
        ("event_types", Value::Texts(query.event_types.counted.clone())),
        ("category", query.category.into()),
        ("measure", query.measure.name().into()),
    ];
    if !query.event_types.subtracted.is_empty() {
        envelope.push(("subtract", Value::Texts(query.event_types.subtracted.clone())));
    }
    envelope.extend([
        ("eligible_items", Value::Integer(eligible.cast_signed())),
        ("total", total.into()),
        (
            "others",
            others.map_or(Value::None, |(items, others, share)| {
                let mut fields = vec![("items", Value::Integer(items.cast_signed()))];
                fields.extend(["units", "purchases", "amount"].into_iter().zip(numbers(&others)));
                fields.push(("share_percent", share));
                Value::Object(fields)
            }),
        ),
    ]);
    Answer { title: title(query, range), envelope, tables: vec![table], ..Answer::default() }
}

fn title(query: &TopQuery<'_>, range: &TimeRange) -> String {
    let place = query.category.map_or("the whole shop".to_owned(), quoted);
    let (from, to) = range.shown();
    let mut title = format!("Top items of {place} by {}, {from} to {to}", query.measure.name());
    title.push_str(&counted_types(query.event_types));
    title.push_str(range.filling());
    title
}

fn numbers(aggregate: &Aggregate) -> [Value; 3] {
    [aggregate.units.into(), aggregate.purchases.into(), Value::Amount(aggregate.amount)]
}
