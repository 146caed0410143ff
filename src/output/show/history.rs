//! An item's rank over the published rankings that are kept.

use crate::formats::{Answer, Column, ColumnType, JsonField, Table, TableColumn, Value};
use crate::show::best_sellers::window_values;
use crate::show::error::{ShowError, unknown_item};
use crate::show::notes::as_of;
use crate::show::question::Question;
use crate::terminal::{Cell, RankChart, Style};
use crate::text::{counted, quoted};
use topsell_core::model::Timestamp;
use topsell_core::parquet_format::RankedRow;
use topsell_core::rankings::{RetainedRanking, Snapshot, retained_rankings};
use topsell_core::storage::Store;

const COLUMNS: [Column; 12] = [
    Column::new("category", ColumnType::Text).json(JsonField::Envelope),
    Column::new("item_id", ColumnType::Text).json(JsonField::Envelope),
    Column::new("as_of", ColumnType::Moment),
    Column::new("rank", ColumnType::Integer),
    Column::new("score", ColumnType::Number),
    Column::new("units", ColumnType::Units),
    Column::new("purchases", ColumnType::Integer),
    Column::new("amount", ColumnType::Amount),
    Column::new("window_units", ColumnType::Units),
    Column::new("window_purchases", ColumnType::Integer),
    Column::new("window_amount", ColumnType::Amount),
    Column::new("is_extended", ColumnType::Flag),
];

const SHOWN: [TableColumn; 6] = [
    TableColumn::essential("as_of", "as of"),
    TableColumn::essential("rank", "rank").or("-"),
    TableColumn::minor("window_units", "units", 4),
    TableColumn::minor("score", "score", 3),
    TableColumn::minor("window_purchases", "purchases", 2),
    TableColumn::minor("window_amount", "amount", 1),
];

/// A ranking, and where the item stood in it, if it did.
struct Moment {
    as_of: Timestamp,
    row: Option<RankedRow<'static>>,
}

/// Answers with an item's rank in a category over the rankings with the settings of the newest,
/// oldest first.
pub(super) fn history(
    store: &Store,
    newest: &Snapshot,
    item_id: &str,
    category: Option<&str>,
    question: &Question,
) -> Result<Answer<'static>, ShowError> {
    let (mut moments, left_out) = moments(store, newest, item_id, category)?;
    if moments.iter().all(|moment| moment.row.is_none()) {
        return Err(unknown_item(newest, item_id)?);
    }
    moments.drain(..moments.len().saturating_sub(question.limit));
    let name = moments.iter().rev().find_map(|moment| moment.row.as_ref()?.name.as_deref());
    let place = category.map_or("the whole shop".to_owned(), quoted);
    let called = name.map_or(String::new(), |name| format!(" {}", quoted(name)));
    let count = counted(moments.len() as u64, "ranking", "rankings");
    let mut notes = vec![Cell::of(&count).styled(Style::Dim), as_of(newest.metadata(), question)];
    if left_out > 0 {
        let text = format!("{left_out} left out: ranked with different settings, or damaged");
        notes.push(Cell::of(&text).styled(Style::Bad));
    }
    let rows: Vec<_> = moments.iter().map(|moment| values(item_id, category, moment)).collect();
    let ends = [moments.first(), moments.last()];
    Ok(Answer {
        title: format!("Rank of {}{called} in {place}", quoted(item_id)),
        notes,
        envelope: vec![
            ("item_id", item_id.into()),
            ("name", name.into()),
            ("category", category.into()),
            ("as_of", newest.metadata().as_of.into()),
        ],
        chart: Some(RankChart {
            ranks: moments.iter().map(|moment| moment.row.as_ref().map(|row| row.rank)).collect(),
            ends: ends.map(|moment| moment.map_or(String::new(), |moment| moment.as_of.to_string())),
        }),
        tables: vec![Table::new("rankings", &COLUMNS, rows).showing(SHOWN)],
        ..Answer::default()
    })
}

/// Reads every ranking up to the newest, and counts those that cannot be compared with it.
fn moments(
    store: &Store,
    newest: &Snapshot,
    item_id: &str,
    category: Option<&str>,
) -> Result<(Vec<Moment>, usize), ShowError> {
    let mut kept: Vec<RetainedRanking> = retained_rankings(store)?;
    kept.retain(|kept| kept.as_of <= newest.metadata().as_of && kept.may_be_like(newest.metadata()));
    // Of rankings by the same rules with the same end, the last published one counts.
    let is_last = |at: usize| kept.get(at + 1).is_none_or(|next| next.as_of != kept[at].as_of);
    let last: Vec<&RetainedRanking> = (0..kept.len()).filter(|&at| is_last(at)).map(|at| &kept[at]).collect();
    let count = last.len();
    let moments: Vec<Moment> = last
        .into_iter()
        .filter_map(|kept| {
            let snapshot = kept.open(store).ok()?;
            let rows = snapshot.category(category).ok()?;
            let row = rows.into_iter().find(|row| row.item_id == item_id);
            let is_like = snapshot.metadata().is_like(newest.metadata());
            is_like.then_some(Moment { as_of: kept.as_of, row })
        })
        .collect();
    let left_out = count - moments.len();
    Ok((moments, left_out))
}

fn values(item_id: &str, category: Option<&str>, moment: &Moment) -> Vec<Value> {
    let row = moment.row.as_ref();
    let mut values = vec![
        category.into(),
        item_id.into(),
        moment.as_of.into(),
        row.map(|row| i64::from(row.rank)).into(),
        row.map_or(Value::None, |row| Value::Number(row.score)),
        row.map(|row| row.aggregate.units).into(),
        row.map(|row| row.aggregate.purchases).into(),
        row.map_or(Value::None, |row| Value::Amount(row.aggregate.amount)),
    ];
    // In older rankings the figures are of the category's window.
    values.extend(window_values(row.and_then(RankedRow::window_aggregate)));
    values.push(row.and_then(RankedRow::is_extended).map_or(Value::None, Value::Flag));
    values
}
