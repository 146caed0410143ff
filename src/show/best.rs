//! The best sellers of a category.

use crate::columns::RankedRow;
use crate::event::harmless;
use crate::show::answer::{Answer, Column, InJson, Kind, List, Shown, Value};
use crate::show::facts::{age_seconds, covered, decay, hours, taken};
use crate::show::{Question, ShowError, unknown_category};
use crate::snapshot::Snapshot;

const COLUMNS: [Column; 8] = [
    Column::of("category", Kind::Text).json(InJson::Head),
    Column::of("rank", Kind::Integer),
    Column::of("item_id", Kind::Text),
    Column::of("score", Kind::Number),
    Column::of("units", Kind::Integer),
    Column::of("purchases", Kind::Integer),
    Column::of("amount", Kind::Money),
    Column::of("name", Kind::Text).json(InJson::RowsThatHaveIt),
];

const SHOWN: [Shown; 7] = [
    Shown::essential("rank", "rank"),
    Shown::essential("item_id", "item"),
    Shown::minor("name", "name", 9).cut_to(20),
    Shown::minor("units", "units", 8),
    Shown::minor("score", "score", 3),
    Shown::minor("purchases", "purchases", 2),
    Shown::minor("amount", "amount", 1),
];

/// Answers with a category's best sellers, the whole shop's for `None`.
pub(super) fn best(
    snapshot: &Snapshot,
    category: Option<&str>,
    question: &Question,
) -> Result<Answer, ShowError> {
    let mut rows = snapshot.category(category)?;
    let Some(first) = rows.first().cloned() else {
        return Err(unknown_category(snapshot, category.unwrap_or("the whole shop"))?);
    };
    rows.truncate(question.limit);
    Ok(Answer {
        title: format!("Best sellers of {}", category.map_or("the whole shop".to_owned(), harmless)),
        facts: vec![taken(snapshot, question.now), covered(&first), decay(snapshot)],
        head: vec![
            ("category", category.into()),
            ("as_of", snapshot.as_of.as_str().into()),
            ("window_from", first.window_from.into()),
            ("window_to", first.window_to.into()),
            ("half_life_hours", snapshot.half_life_hours.map_or(Value::None, Value::Number)),
            ("window_hours", hours(&first).into()),
            ("age_seconds", age_seconds(snapshot, question.now).into()),
        ],
        lists: vec![List {
            name: "items",
            title: String::new(),
            columns: COLUMNS.to_vec(),
            rows: rows.iter().map(|row| values(category, row)).collect(),
            closing: Vec::new(),
            shown: SHOWN.to_vec(),
        }],
    })
}

fn values(category: Option<&str>, row: &RankedRow<'_>) -> Vec<Value> {
    vec![
        category.into(),
        Value::Integer(row.rank.into()),
        (*row.item_id).into(),
        Value::Number(row.score),
        row.sums.units.into(),
        row.sums.purchases.into(),
        Value::Money(row.sums.amount),
        row.name.as_deref().into(),
    ]
}
