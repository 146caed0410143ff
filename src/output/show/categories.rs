//! The categories that have a ranking.

use crate::formats::{Answer, Column, ColumnType, Table, TableColumn, Value};
use crate::show::best_sellers::window_values;
use crate::show::error::ShowError;
use crate::show::notes::{as_of, window};
use crate::show::question::{Order, Question};
use topsell_core::parquet_format::CategorySummary;
use topsell_core::rankings::Snapshot;

const COLUMNS: [Column; 13] = [
    Column::new("category", ColumnType::Text),
    Column::new("items", ColumnType::Integer),
    Column::new("eligible_items", ColumnType::Integer),
    Column::new("window_from", ColumnType::Moment),
    Column::new("window_to", ColumnType::Moment),
    Column::new("depth", ColumnType::Integer),
    Column::new("units", ColumnType::Units),
    Column::new("purchases", ColumnType::Integer),
    Column::new("amount", ColumnType::Amount),
    Column::new("window_units", ColumnType::Units),
    Column::new("window_purchases", ColumnType::Integer),
    Column::new("window_amount", ColumnType::Amount),
    Column::new("is_extended", ColumnType::Flag),
];

/// What is shown beside the category itself.
const SHOWN: [TableColumn; 8] = [
    TableColumn::minor("items", "ranked", 3),
    TableColumn::minor("eligible_items", "items", 6),
    TableColumn::minor("window_units", "units", 8),
    TableColumn::minor("window_purchases", "purchases", 7),
    TableColumn::minor("window_amount", "amount", 5),
    TableColumn::minor("window_from", "window from", 4),
    TableColumn::minor("units", "units (extended)", 2),
    TableColumn::minor("window_to", "window to", 1),
];
const SHOP: &str = "(the whole shop)";

/// Answers with every category, the whole shop first, its eligible items, and what it sold in the ranking's window.
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
    let window_hours = snapshot.metadata().window_hours;
    let heading = match order {
        Order::Paths => TableColumn::essential("category", "category").or(SHOP),
        Order::Tree => TableColumn::essential("category", "category").or(SHOP).indented(),
    };
    Ok(Answer {
        title: "Categories".to_owned(),
        notes: vec![as_of(snapshot.metadata(), question), window(window_hours)],
        envelope: vec![
            ("as_of", snapshot.metadata().as_of.into()),
            ("ranking_window_hours", Value::Integer(window_hours.into())),
        ],
        tables: vec![
            Table::new(
                "categories",
                &COLUMNS,
                leaders.iter().map(|leader| values(leader, window_hours)).collect::<Vec<_>>(),
            )
            .showing([heading].into_iter().chain(SHOWN)),
        ],
        ..Answer::default()
    })
}

fn values(leader: &CategorySummary, window_hours: u32) -> Vec<Value> {
    let hours = leader.window_to.hour().number() - leader.window_from.hour().number();
    let is_extended = i64::from(hours) > i64::from(window_hours);
    let mut values = vec![
        leader.category.as_deref().into(),
        leader.items.cast_signed().into(),
        leader.eligible_items.into(),
        leader.window_from.into(),
        leader.window_to.into(),
        Value::count(levels(leader).count()),
        leader.aggregate.map(|aggregate| aggregate.units).into(),
        leader.aggregate.map(|aggregate| aggregate.purchases).into(),
        leader.aggregate.map(|aggregate| Value::Amount(aggregate.amount)).into(),
    ];
    // Older rankings have the figures of categories whose window is not extended.
    let of_window = leader.window_aggregate.or(leader.aggregate.filter(|_| !is_extended));
    values.extend(window_values(of_window));
    values.push(Value::Flag(is_extended));
    values
}

/// Returns the names of a category's levels, none for the whole shop.
fn levels(leader: &CategorySummary) -> impl Iterator<Item = &str> {
    leader.category.iter().flat_map(|path| path.split('/'))
}
