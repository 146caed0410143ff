//! The categories that have a ranking.

use crate::formats::{Answer, Column, ColumnType, Table, TableColumn, Value};
use crate::show::error::ShowError;
use crate::show::notes::as_of;
use crate::show::question::{Order, Question};
use topsell_core::parquet_format::CategorySummary;
use topsell_core::rankings::Snapshot;

const COLUMNS: [Column; 9] = [
    Column::new("category", ColumnType::Text),
    Column::new("items", ColumnType::Integer),
    Column::new("eligible_items", ColumnType::Integer),
    Column::new("window_from", ColumnType::Moment),
    Column::new("window_to", ColumnType::Moment),
    Column::new("depth", ColumnType::Integer),
    Column::new("units", ColumnType::Units),
    Column::new("purchases", ColumnType::Integer),
    Column::new("amount", ColumnType::Amount),
];

/// What is shown beside the category itself.
const SHOWN: [TableColumn; 7] = [
    TableColumn::minor("items", "ranked", 3),
    TableColumn::minor("eligible_items", "items", 6),
    TableColumn::minor("units", "units", 7),
    TableColumn::minor("purchases", "purchases", 5),
    TableColumn::minor("amount", "amount", 4),
    TableColumn::minor("window_from", "from", 2),
    TableColumn::minor("window_to", "to", 1),
];
const SHOP: &str = "(the whole shop)";

/// Answers with every category, the whole shop first, and its eligible items.
pub(super) fn categories(
    snapshot: &Snapshot,
    order: Order,
    question: &Question,
) -> Result<Answer<'static>, ShowError> {
    let mut leaders = snapshot.category_summaries()?;
    if order == Order::Tree {
        leaders.sort_by(|a, b| levels(a).cmp(levels(b)));
    }
    leaders.truncate(question.limit);
    let heading = match order {
        Order::Paths => TableColumn::essential("category", "category").or(SHOP),
        Order::Tree => TableColumn::essential("category", "category").or(SHOP).indented(),
    };
    Ok(Answer {
        title: "Categories".to_owned(),
        notes: vec![as_of(snapshot.metadata(), question)],
        envelope: vec![("as_of", snapshot.metadata().as_of.into())],
        tables: vec![
            Table::new("categories", &COLUMNS, leaders.iter().map(values).collect::<Vec<_>>())
                .showing([heading].into_iter().chain(SHOWN)),
        ],
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
        Value::count(levels(leader).count()),
        leader.aggregate.map(|aggregate| aggregate.units).into(),
        leader.aggregate.map(|aggregate| aggregate.purchases).into(),
        leader.aggregate.map(|aggregate| Value::Amount(aggregate.amount)).into(),
    ]
}

/// Returns the names of a category's levels, none for the whole shop.
fn levels(leader: &CategorySummary) -> impl Iterator<Item = &str> {
    leader.category.iter().flat_map(|path| path.split('/'))
}
