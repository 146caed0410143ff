//! Items by their names and ids.

use std::cmp::Reverse;

use hashbrown::HashMap;

use crate::formats::{Answer, Column, ColumnType, Table, TableColumn, Value};
use crate::show::error::ShowError;
use crate::show::notes::as_of;
use crate::show::question::Question;
use crate::terminal::Cell;
use crate::text::{grouped, quoted};
use topsell_core::rankings::Snapshot;

const COLUMNS: [Column; 6] = [
    Column::new("item_id", ColumnType::Text),
    Column::new("name", ColumnType::Text),
    Column::new("best_rank", ColumnType::Integer),
    Column::new("best_category", ColumnType::Text),
    Column::new("shop_rank", ColumnType::Integer),
    Column::new("places", ColumnType::Ranks),
];

const SHOWN: [TableColumn; 4] = [
    TableColumn::essential("item_id", "item"),
    TableColumn::minor("name", "name", 9).cut_to(16),
    TableColumn::minor("places", "ranks", 8).cut_to(24),
    TableColumn::minor("shop_rank", "in the shop", 1).or("-"),
];

/// An item that was found.
#[derive(Default)]
struct Found {
    name: Option<String>,
    /// By rank, and where that is the same, the larger category first.
    places: Vec<(i32, Reverse<i64>, Option<String>)>,
}

/// Answers with the items whose name or id has all the words of a text, ignoring case,
/// those that rank best first.
pub(super) fn search(
    snapshot: &Snapshot,
    text: &str,
    question: &Question,
) -> Result<Answer<'static>, ShowError> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let mut found: HashMap<String, Found> = HashMap::new();
    for row in snapshot.rows_of(&|item_id, name| fits(&words, item_id, name))? {
        let item = found.entry_ref(&*row.item_id).or_default();
        item.name = item.name.take().or_else(|| row.name.as_deref().map(str::to_owned));
        let category = row.category.as_deref().map(str::to_owned);
        item.places.push((row.rank, Reverse(row.eligible_items), category));
    }
    if found.is_empty() {
        return Err(ShowError::NoMatch { text: text.to_owned() });
    }
    let mut found: Vec<(String, Found)> = found.into_iter().collect();
    found.iter_mut().for_each(|(_, item)| item.places.sort_unstable());
    found.sort_unstable_by(|(a, item), (b, other)| item.places.cmp(&other.places).then_with(|| a.cmp(b)));
    let (total, facts) = (found.len(), snapshot.metadata());
    found.truncate(question.limit);
    Ok(Answer {
        title: format!("Items with `{}`", quoted(text)),
        notes: vec![Cell::of(&format!("{} found", grouped(&total.to_string()))), as_of(facts, question)],
        envelope: vec![("as_of", facts.as_of.into()), ("text", text.into()), ("found", Value::count(total))],
        tables: vec![Table::new("items", &COLUMNS, found.into_iter().map(values)).showing(SHOWN)],
        ..Answer::default()
    })
}

/// Returns whether every word is in the name or the id.
fn fits(words: &[String], item_id: &str, name: Option<&str>) -> bool {
    let name = name.unwrap_or("").to_lowercase();
    let id = item_id.to_lowercase();
    words.iter().all(|word| name.contains(word) || id.contains(word))
}

fn values((item_id, found): (String, Found)) -> Vec<Value> {
    let (best_rank, _, best_category) = found.places.first().cloned().unwrap_or_default();
    let in_shop = found.places.iter().find(|(_, _, category)| category.is_none());
    vec![
        Value::Text(item_id),
        found.name.as_deref().into(),
        Value::Integer(best_rank.into()),
        best_category.as_deref().into(),
        in_shop.map(|(rank, ..)| i64::from(*rank)).into(),
        Value::Ranks(found.places.into_iter().map(|(rank, _, category)| (rank, category)).collect()),
    ]
}
