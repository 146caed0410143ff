//! Items by their names and ids.

use std::cmp::Reverse;

use hashbrown::HashMap;

use crate::show::answer::{Answer, Column, Kind, List, Shown, Value, count};
use crate::show::facts::taken;
use crate::show::{Question, ShowError};
use crate::terminal::Cell;
use crate::text::{grouped, quoted};
use topsell_core::rankings::Snapshot;

const COLUMNS: [Column; 6] = [
    Column::of("item_id", Kind::Text),
    Column::of("name", Kind::Text),
    Column::of("best_rank", Kind::Integer),
    Column::of("best_category", Kind::Text),
    Column::of("shop_rank", Kind::Integer),
    Column::of("places", Kind::Places),
];

const SHOWN: [Shown; 4] = [
    Shown::essential("item_id", "item"),
    Shown::minor("name", "name", 9).cut_to(16),
    Shown::minor("places", "ranks", 8).cut_to(24),
    Shown::minor("shop_rank", "in the shop", 1).or("-"),
];

/// An item that was found.
#[derive(Default)]
struct Found {
    name: Option<String>,
    /// By rank, and where that is the same, the larger category first.
    places: Vec<(i32, Reverse<i64>, Option<String>)>,
}

/// Answers with the items whose name or id has all the words of a text, in letters of either case,
/// those that rank best first.
pub(super) fn search(snapshot: &Snapshot, text: &str, question: &Question) -> Result<Answer, ShowError> {
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
        facts: vec![Cell::of(&format!("{} found", grouped(&total.to_string()))), taken(facts, question)],
        head: vec![("as_of", facts.as_of.into()), ("text", text.into()), ("found", count(total))],
        lists: vec![List {
            name: "items",
            title: String::new(),
            columns: COLUMNS.to_vec(),
            rows: found.into_iter().map(values).collect(),
            closing: Vec::new(),
            shown: SHOWN.to_vec(),
        }],
        ..Answer::default()
    })
}

/// Tells whether every word is in the name or the id.
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
        Value::Places(found.places.into_iter().map(|(rank, _, category)| (rank, category)).collect()),
    ]
}
