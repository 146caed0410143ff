//! A score, hour by hour: what was sold, its weight, and the running sum.

use crate::formats::{Column, ColumnType, Table, TableColumn, Value};
use crate::show::error::{ShowError, unknown_category};
use crate::terminal::{Cell, Style};
use crate::text::quoted;
use topsell_core::counts::{ByHour, CountQuery, by_hour};
use topsell_core::model::{Aggregate, Decay, Hour, Window};
use topsell_core::parquet_format::RankedRow;
use topsell_core::rankings::RankingMetadata;
use topsell_core::storage::Store;
use topsell_core::trends::Trends;

const COLUMNS: [Column; 9] = [
    Column::new("hour", ColumnType::Moment),
    Column::new("age_hours", ColumnType::Integer),
    Column::new("units", ColumnType::Units),
    Column::new("purchases", ColumnType::Integer),
    Column::new("amount", ColumnType::Amount),
    Column::new("counted", ColumnType::Number),
    Column::new("weight", ColumnType::Number),
    Column::new("product", ColumnType::Number),
    Column::new("sum", ColumnType::Number),
];

/// An hour in which the item was sold.
struct Weighed {
    hour: Hour,
    age_hours: u32,
    aggregate: Aggregate,
    counted: f64,
    weight: f64,
    product: f64,
    /// Of all products up to this one.
    sum: f64,
}

/// What a score is made of.
pub(super) struct Explained {
    pub table: Table<'static>,
    /// Whether the item was sold at all.
    pub is_sold: bool,
    /// The sum of all hours, as the lake has them now.
    pub score: f64,
    /// Whether the score is the published one.
    pub note: Cell,
}

/// Explains an item's score in a category, in the whole shop for `None`; nothing is said of a
/// category in which nothing ranks.
pub(super) fn explain(
    store: &Store,
    trends: &Trends,
    item_id: &str,
    category: Option<&str>,
) -> Result<Explained, ShowError> {
    let facts = trends.current().metadata();
    let rows = trends.current().category(category)?;
    let Some(first) = rows.first() else {
        return Err(unknown_category(trends.current(), category.unwrap_or("the whole shop"))?);
    };
    let published = rows.iter().find(|row| row.item_id == item_id).map(|row| row.score);
    let window = window_of(first);
    let counted =
        CountQuery { event_types: &facts.event_types, hours: window.oldest()..window.as_of(), category };
    let sold = by_hour(store, &counted, &[item_id])?.remove(item_id).unwrap_or_default();
    let weighed = decays(facts)
        .into_iter()
        .map(|decay| weighed(&sold, window, decay, &facts.by))
        .reduce(|first, other| if Some(score(&other)) == published { other } else { first })
        .unwrap_or_default();
    let score = score(&weighed);
    Ok(Explained {
        note: note(score, published),
        table: table(&weighed, score, category, &facts.by),
        is_sold: !weighed.is_empty(),
        score,
    })
}

fn window_of(row: &RankedRow<'_>) -> Window {
    let (from, to) = (row.window_from.hour(), row.window_to.hour());
    Window::ending(to, from.number().abs_diff(to.number()))
}

/// Returns the rules that a ranking may have been made by: a rate is stored as the equal half-life,
/// and the two may differ in the last digit.
fn decays(facts: &RankingMetadata) -> Vec<Decay> {
    match facts.half_life_hours {
        None => vec![Decay::None],
        Some(hours) => {
            vec![Decay::HalfLifeHours(hours), Decay::RatePerHour(std::f64::consts::LN_2 / hours)]
        }
    }
}

/// Weighs each hour and adds them up as a ranking does, the oldest first.
fn weighed(sold: &ByHour, window: Window, decay: Decay, by: &str) -> Vec<Weighed> {
    let mut sum = 0.0;
    let mut weigh = |(&hour, &aggregate): (&Hour, &Aggregate)| {
        let counted = match by {
            "amount" => aggregate.amount as f64 / 10_000.0,
            "purchases" => aggregate.purchases as f64,
            _ => aggregate.units.to_f64(),
        };
        let age_hours = window.age(hour);
        let weight = decay.weight(age_hours);
        let product = counted * weight;
        sum += product;
        Weighed { hour, age_hours, aggregate, counted, weight, product, sum }
    };
    sold.iter().map(&mut weigh).collect()
}

fn score(weighed: &[Weighed]) -> f64 {
    weighed.last().map_or(0.0, |last| last.sum)
}

fn note(score: f64, published: Option<f64>) -> Cell {
    match published {
        Some(published) if published.to_bits() == score.to_bits() => {
            Cell::of(&format!("score {score}")).styled(Style::Good)
        }
        Some(published) => {
            let text = format!("score {published} as published, {score} with events ingested since");
            Cell::of(&text).styled(Style::Bad)
        }
        None => Cell::of(&format!("score {score}, not in the ranking")).styled(Style::Dim),
    }
}

fn table(weighed: &[Weighed], score: f64, category: Option<&str>, by: &str) -> Table<'static> {
    let row = |of: &Weighed| {
        vec![
            of.hour.start().into(),
            Value::Integer(of.age_hours.into()),
            of.aggregate.units.into(),
            of.aggregate.purchases.into(),
            Value::Amount(of.aggregate.amount),
            Value::Exact(of.counted),
            Value::Exact(of.weight),
            Value::Exact(of.product),
            Value::Exact(of.sum),
        ]
    };
    let mut footer = vec![Value::None; COLUMNS.len()];
    footer[0] = Value::None.shown(Cell::of("score").styled(Style::Bold));
    footer[8] = Value::Exact(score);
    let counted = match by {
        "amount" => TableColumn::essential("amount", "amount"),
        "purchases" => TableColumn::essential("purchases", "purchases"),
        _ => TableColumn::essential("units", "units"),
    };
    let rows: Vec<_> = weighed.iter().map(row).collect();
    let title = format!("Score in {}", category.map_or("the whole shop".to_owned(), quoted));
    Table { footer: vec![footer], ..Table::new("hours", &COLUMNS, rows).titled(title) }.showing([
        TableColumn::essential("hour", "hour"),
        TableColumn::minor("age_hours", "age", 3),
        counted,
        TableColumn::minor("weight", "× weight", 4),
        TableColumn::minor("product", "= product", 2),
        TableColumn::essential("sum", "running sum"),
    ])
}
