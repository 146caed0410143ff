//! An item's rank over the rankings that are kept.

use crate::show::answer::{Answer, Column, InJson, Kind, List, Shown, Value};
use crate::show::facts::taken;
use crate::show::plot::Plot;
use crate::show::{Question, ShowError, unknown_item};
use crate::terminal::{Cell, Style};
use crate::text::{grouped, quoted};
use topsell_core::model::Timestamp;
use topsell_core::parquet_format::RankedRow;
use topsell_core::rankings::{RetainedRanking, Snapshot, retained_rankings};
use topsell_core::storage::Store;

const COLUMNS: [Column; 8] = [
    Column::of("category", Kind::Text).json(InJson::Head),
    Column::of("item_id", Kind::Text).json(InJson::Head),
    Column::of("as_of", Kind::Moment),
    Column::of("rank", Kind::Integer),
    Column::of("score", Kind::Number),
    Column::of("units", Kind::Integer),
    Column::of("purchases", Kind::Integer),
    Column::of("amount", Kind::Money),
];

const SHOWN: [Shown; 6] = [
    Shown::essential("as_of", "as of"),
    Shown::essential("rank", "rank").or("-"),
    Shown::minor("units", "units", 4),
    Shown::minor("score", "score", 3),
    Shown::minor("purchases", "purchases", 2),
    Shown::minor("amount", "amount", 1),
];

/// A ranking, and where the item stood in it, if it did.
struct Moment {
    as_of: Timestamp,
    row: Option<RankedRow<'static>>,
}

/// Answers with an item's rank in a category over the rankings that were made by the same rules as
/// the newest, oldest first.
pub(super) fn history(
    store: &Store,
    newest: &Snapshot,
    item_id: &str,
    category: Option<&str>,
    question: &Question,
) -> Result<Answer, ShowError> {
    let (mut moments, left_out) = moments(store, newest, item_id, category)?;
    if moments.iter().all(|moment| moment.row.is_none()) {
        return Err(unknown_item(newest, item_id)?);
    }
    moments.drain(..moments.len().saturating_sub(question.limit));
    let name = moments.iter().rev().find_map(|moment| moment.row.as_ref()?.name.as_deref());
    let place = category.map_or("the whole shop".to_owned(), quoted);
    let called = name.map_or(String::new(), |name| format!(" {}", quoted(name)));
    let mut facts = vec![
        Cell::of(&format!("{} rankings", grouped(&moments.len().to_string()))).styled(Style::Dim),
        taken(newest.metadata(), question),
    ];
    if left_out > 0 {
        let text = format!("{left_out} left out, which are by other rules or damaged");
        facts.push(Cell::of(&text).styled(Style::Bad));
    }
    let ends = [moments.first(), moments.last()];
    Ok(Answer {
        title: format!("Rank of {}{called} in {place}", quoted(item_id)),
        facts,
        head: vec![
            ("item_id", item_id.into()),
            ("name", name.into()),
            ("category", category.into()),
            ("as_of", newest.metadata().as_of.into()),
        ],
        plot: Some(Plot {
            ranks: moments.iter().map(|moment| moment.row.as_ref().map(|row| row.rank)).collect(),
            ends: ends.map(|moment| moment.map_or(String::new(), |moment| moment.as_of.to_string())),
        }),
        lists: vec![List {
            name: "rankings",
            title: String::new(),
            columns: COLUMNS.to_vec(),
            rows: moments.iter().map(|moment| values(item_id, category, moment)).collect(),
            closing: Vec::new(),
            shown: SHOWN.to_vec(),
        }],
    })
}

/// Looks into every ranking up to the newest, and counts those that it cannot be held against.
fn moments(
    store: &Store,
    newest: &Snapshot,
    item_id: &str,
    category: Option<&str>,
) -> Result<(Vec<Moment>, usize), ShowError> {
    let mut kept: Vec<RetainedRanking> = retained_rankings(store)?;
    kept.retain(|kept| kept.as_of <= newest.metadata().as_of);
    // Of those of one time, the one that was published last counts.
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
    vec![
        category.into(),
        item_id.into(),
        moment.as_of.into(),
        row.map(|row| i64::from(row.rank)).into(),
        row.map_or(Value::None, |row| Value::Number(row.score)),
        row.map(|row| row.aggregate.units).into(),
        row.map(|row| row.aggregate.purchases).into(),
        row.map_or(Value::None, |row| Value::Money(row.aggregate.amount)),
    ]
}
