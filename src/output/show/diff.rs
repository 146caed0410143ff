//! Two rankings of a category, compared.

use hashbrown::HashMap;

use crate::formats::{Answer, Column, ColumnType, JsonField, Table, TableColumn, Value};
use crate::show::error::{ShowError, unknown_category};
use crate::show::movement::{dropped, moved, movement};
use crate::show::notes::{covered, decay, extended};
use crate::show::question::Question;
use crate::terminal::{Cell, Style};
use crate::text::quoted;
use topsell_core::parquet_format::RankedRow;
use topsell_core::rankings::Snapshot;

const COLUMNS: [Column; 14] = [
    Column::new("category", ColumnType::Text).json(JsonField::Envelope),
    Column::new("rank", ColumnType::Integer),
    Column::new("previous_rank", ColumnType::Integer),
    Column::new("movement", ColumnType::Text),
    Column::new("item_id", ColumnType::Text),
    Column::new("name", ColumnType::Text).json(JsonField::WhenPresent),
    Column::new("units", ColumnType::Units),
    Column::new("previous_units", ColumnType::Units),
    Column::new("units_change", ColumnType::Units),
    Column::new("score", ColumnType::Number),
    Column::new("previous_score", ColumnType::Number),
    Column::new("window_units", ColumnType::Units),
    Column::new("previous_window_units", ColumnType::Units),
    Column::new("window_units_change", ColumnType::Units),
];

const SHOWN: [TableColumn; 10] = [
    TableColumn::essential("rank", "rank").or("-"),
    TableColumn::essential("previous_rank", "was").or("-"),
    TableColumn::essential("movement", "±"),
    TableColumn::essential("item_id", "item"),
    TableColumn::minor("name", "name", 9).cut_to(16),
    TableColumn::minor("window_units", "units", 8).or("-"),
    TableColumn::minor("previous_window_units", "were", 7).or("-"),
    TableColumn::minor("window_units_change", "change", 6).or("-"),
    TableColumn::minor("score", "score", 2).or("-"),
    TableColumn::minor("previous_score", "was", 1).or("-"),
];

/// Answers with a category's items of both rankings: those of the later one by their ranks, then
/// those that only the earlier one has.
pub(super) fn diff(
    before: &Snapshot,
    after: &Snapshot,
    category: Option<&str>,
    question: &Question,
) -> Result<Answer<'static>, ShowError> {
    let old = before.category(category)?;
    let new = after.category(category)?;
    let Some(first) = new.first().or(old.first()) else {
        return Err(unknown_category(after, category.unwrap_or("the whole shop"))?);
    };
    let mut gone: HashMap<&str, &RankedRow<'_>> = old.iter().map(|row| (&*row.item_id, row)).collect();
    let mut rows: Vec<Vec<Value>> =
        new.iter().map(|row| values(category, Some(row), gone.remove(&*row.item_id))).collect();
    let gone = old.iter().filter(|row| gone.contains_key(&*row.item_id));
    rows.extend(gone.map(|row| values(category, None, Some(row))));
    rows.truncate(question.limit);
    let (then, now) = (before.metadata(), after.metadata());
    let mut notes = vec![Cell::of(&format!("{} compared with {}", now.as_of, then.as_of)).styled(Style::Dim)];
    notes.extend(extended(now, first));
    notes.extend([covered(first), decay(now)]);
    if !now.is_like(then) {
        notes.push(Cell::of("ranked with different settings").styled(Style::Bad));
    }
    Ok(Answer {
        title: format!("Changes in {}", category.map_or("the whole shop".to_owned(), quoted)),
        notes,
        envelope: vec![
            ("category", category.into()),
            ("as_of", now.as_of.into()),
            ("previous_as_of", then.as_of.into()),
            ("is_by_same_rules", Value::Flag(now.is_like(then))),
        ],
        tables: vec![Table::new("items", &COLUMNS, rows).showing(SHOWN)],
        ..Answer::default()
    })
}

/// Returns the values of an item that either ranking has.
fn values(category: Option<&str>, new: Option<&RankedRow<'_>>, old: Option<&RankedRow<'_>>) -> Vec<Value> {
    let either = new.or(old);
    let rank = |row: Option<&RankedRow<'_>>| Value::from(row.map(|row| i64::from(row.rank)));
    let units = |row: Option<&RankedRow<'_>>| row.map(|row| row.aggregate.units);
    let score = |row: Option<&RankedRow<'_>>| row.map_or(Value::None, |row| Value::Number(row.score));
    let change = units(new).unwrap_or_default().checked_sub(units(old).unwrap_or_default());
    let window = |row: Option<&RankedRow<'_>>| Some(row?.window_aggregate()?.units);
    // An item that one of them does not list may have sold all the same.
    let window_change = window(new).zip(window(old)).and_then(|(new, old)| new.checked_sub(old));
    vec![
        category.into(),
        rank(new),
        rank(old),
        new.map_or_else(dropped, |new| movement(moved(new.rank, old.map(|old| old.rank)))),
        either.map(|row| &*row.item_id).into(),
        either.and_then(|row| row.name.as_deref()).into(),
        units(new).into(),
        units(old).into(),
        change.into(),
        score(new),
        score(old),
        window(new).into(),
        window(old).into(),
        window_change.into(),
    ]
}
