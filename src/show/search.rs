//! Items by their names and ids.

use std::cmp::Reverse;

use hashbrown::HashMap;

use crate::columns::RankedRow;
use crate::event::harmless;
use crate::show::answer::{Answer, Column, Kind, List, Shown, Value, count};
use crate::show::facts::taken;
use crate::show::text::grouped;
use crate::show::{Question, ShowError};
use crate::snapshot::Snapshot;

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
    Shown::minor("name", "name", 9).cut_to(20),
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
    snapshot.each_row(&mut |row| {
        if fits(&words, &row) {
            let item = found.entry_ref(&*row.item_id).or_default();
            item.name = item.name.take().or_else(|| row.name.as_deref().map(str::to_owned));
            let category = row.category.as_deref().map(str::to_owned);
            item.places.push((row.rank, Reverse(row.rankable), category));
        }
    })?;
    if found.is_empty() {
        return Err(ShowError::NoMatch { text: text.to_owned() });
    }
    let mut found: Vec<(String, Found)> = found.into_iter().collect();
    found.iter_mut().for_each(|(_, item)| item.places.sort_unstable());
    found.sort_unstable_by(|(a, item), (b, other)| item.places.cmp(&other.places).then_with(|| a.cmp(b)));
    let total = found.len();
    found.truncate(question.limit);
    Ok(Answer {
        title: format!("Items with `{}`", harmless(text)),
        facts: vec![format!("{} found", grouped(&total.to_string())), taken(snapshot, question.now)],
        head: vec![("as_of", snapshot.as_of.as_str().into()), ("text", text.into()), ("found", count(total))],
        lists: vec![List {
            name: "items",
            title: String::new(),
            columns: COLUMNS.to_vec(),
            rows: found.into_iter().map(values).collect(),
            closing: Vec::new(),
            shown: SHOWN.to_vec(),
        }],
    })
}

/// Tells whether every word is in the name or the id.
fn fits(words: &[String], row: &RankedRow<'_>) -> bool {
    let name = row.name.as_deref().unwrap_or("").to_lowercase();
    let id = row.item_id.to_lowercase();
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
