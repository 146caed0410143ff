//! Two rankings held against each other.

use hashbrown::HashMap;

use crate::show::answer::{Answer, Column, InJson, Kind, List, Shown, Value};
use crate::show::best::{dropped_word, moved, movement};
use crate::show::facts::{covered, decay};
use crate::show::{Question, ShowError, unknown_category};
use crate::terminal::{Cell, Style};
use crate::text::quoted;
use topsell_core::parquet_format::RankedRow;
use topsell_core::rankings::Snapshot;

const COLUMNS: [Column; 11] = [
    Column::of("category", Kind::Text).json(InJson::Head),
    Column::of("rank", Kind::Integer),
    Column::of("previous_rank", Kind::Integer),
    Column::of("movement", Kind::Text),
    Column::of("item_id", Kind::Text),
    Column::of("name", Kind::Text).json(InJson::RowsThatHaveIt),
    Column::of("units", Kind::Integer),
    Column::of("previous_units", Kind::Integer),
    Column::of("units_change", Kind::Integer),
    Column::of("score", Kind::Number),
    Column::of("previous_score", Kind::Number),
];

const SHOWN: [Shown; 10] = [
    Shown::essential("rank", "rank").or("-"),
    Shown::essential("previous_rank", "was").or("-"),
    Shown::essential("movement", "±"),
    Shown::essential("item_id", "item"),
    Shown::minor("name", "name", 9).cut_to(16),
    Shown::minor("units", "units", 8).or("-"),
    Shown::minor("previous_units", "were", 7).or("-"),
    Shown::minor("units_change", "change", 6),
    Shown::minor("score", "score", 2).or("-"),
    Shown::minor("previous_score", "was", 1).or("-"),
];

/// Answers with a category's items of both rankings: those of the later one by their ranks, then
/// those that only the earlier one has.
pub(super) fn diff(
    before: &Snapshot,
    after: &Snapshot,
    category: Option<&str>,
    question: &Question,
) -> Result<Answer, ShowError> {
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
    let mut facts = vec![Cell::of(&format!("{} against {}", now.as_of, then.as_of)).styled(Style::Dim)];
    facts.extend([covered(first), decay(now)]);
    if !now.is_like(then) {
        facts.push(Cell::of("ranked by different rules").styled(Style::Bad));
    }
    Ok(Answer {
        title: format!("Changes in {}", category.map_or("the whole shop".to_owned(), quoted)),
        facts,
        head: vec![
            ("category", category.into()),
            ("as_of", now.as_of.into()),
            ("previous_as_of", then.as_of.into()),
            ("is_by_same_rules", Value::Flag(now.is_like(then))),
        ],
        lists: vec![List {
            name: "items",
            title: String::new(),
            columns: COLUMNS.to_vec(),
            rows,
            closing: Vec::new(),
            shown: SHOWN.to_vec(),
        }],
        ..Answer::default()
    })
}

/// Returns the values of an item that either ranking has.
fn values(category: Option<&str>, new: Option<&RankedRow<'_>>, old: Option<&RankedRow<'_>>) -> Vec<Value> {
    let either = new.or(old);
    let rank = |row: Option<&RankedRow<'_>>| Value::from(row.map(|row| i64::from(row.rank)));
    let units = |row: Option<&RankedRow<'_>>| row.map(|row| row.aggregate.units);
    let score = |row: Option<&RankedRow<'_>>| row.map_or(Value::None, |row| Value::Number(row.score));
    let change = units(new).unwrap_or(0).checked_sub(units(old).unwrap_or(0));
    vec![
        category.into(),
        rank(new),
        rank(old),
        new.map_or_else(dropped_word, |new| movement(moved(new.rank, old.map(|old| old.rank)))),
        either.map(|row| &*row.item_id).into(),
        either.and_then(|row| row.name.as_deref()).into(),
        units(new).into(),
        units(old).into(),
        change.into(),
        score(new),
        score(old),
    ]
}
