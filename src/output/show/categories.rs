//! Which categories there are.

use crate::show::answer::{Answer, Column, Kind, List, Shown, Value, count};
use crate::show::facts::taken;
use crate::show::{Order, Question, ShowError};
use topsell_core::parquet_format::CategorySummary;
use topsell_core::rankings::Snapshot;

const COLUMNS: [Column; 9] = [
    Column::of("category", Kind::Text),
    Column::of("items", Kind::Integer),
    Column::of("eligible_items", Kind::Integer),
    Column::of("window_from", Kind::Moment),
    Column::of("window_to", Kind::Moment),
    Column::of("depth", Kind::Integer),
    Column::of("units", Kind::Integer),
    Column::of("purchases", Kind::Integer),
    Column::of("amount", Kind::Money),
];

/// What is shown beside the category itself.
const SHOWN: [Shown; 7] = [
    Shown::minor("items", "ranked", 3),
    Shown::minor("eligible_items", "items", 6),
    Shown::minor("units", "units", 7),
    Shown::minor("purchases", "purchases", 5),
    Shown::minor("amount", "amount", 4),
    Shown::minor("window_from", "from", 2),
    Shown::minor("window_to", "to", 1),
];
const SHOP: &str = "(the whole shop)";

/// Answers with every category, the whole shop first, and what it sells.
pub(super) fn categories(
    snapshot: &Snapshot,
    order: Order,
    question: &Question,
) -> Result<Answer, ShowError> {
    let mut leaders = snapshot.category_summaries()?;
    if order == Order::Tree {
        leaders.sort_by(|a, b| levels(a).cmp(levels(b)));
    }
    leaders.truncate(question.limit);
    let heading = match order {
        Order::Paths => Shown::essential("category", "category").or(SHOP),
        Order::Tree => Shown::essential("category", "category").or(SHOP).indented(),
    };
    Ok(Answer {
        title: "Categories".to_owned(),
        facts: vec![taken(snapshot.metadata(), question)],
        head: vec![("as_of", snapshot.metadata().as_of.into())],
        lists: vec![List {
            name: "categories",
            title: String::new(),
            columns: COLUMNS.to_vec(),
            rows: leaders.iter().map(values).collect(),
            closing: Vec::new(),
            shown: [heading].into_iter().chain(SHOWN).collect(),
        }],
        ..Answer::default()
    })
}

fn values(leader: &CategorySummary) -> Vec<Value> {
    vec![
        leader.category.as_deref().into(),
        leader.items.cast_signed().into(),
        leader.eligible_items.into(),
        leader.window_from.into(),
        leader.window_to.into(),
        count(levels(leader).count()),
        leader.aggregate.map(|aggregate| aggregate.units).into(),
        leader.aggregate.map(|aggregate| aggregate.purchases).into(),
        leader.aggregate.map_or(Value::None, |aggregate| Value::Money(aggregate.amount)),
    ]
}

/// Returns the names of a category's levels, none for the whole shop.
fn levels(leader: &CategorySummary) -> impl Iterator<Item = &str> {
    leader.category.iter().flat_map(|path| path.split('/'))
}
