//! A score, hour by hour: what was sold, its weight, and the running sum, all of them integers.

use std::sync::Arc;

use crate::formats::{Column, ColumnType, Table, TableColumn, Value};
use crate::show::error::{ShowError, unknown_category};
use crate::terminal::{Cell, Style};
use crate::text::quoted;
use topsell_core::counts::{ByHour, CountQuery, by_hour};
use topsell_core::lake::UncommittedBatch;
use topsell_core::model::{Aggregate, AggregateOverflow, Hour, Window};
use topsell_core::parquet_format::RankedRow;
use topsell_core::rank::{MAX_MEASURE, Measure, Score, Weights};
use topsell_core::rollup::RollupError;
use topsell_core::storage::Store;
use topsell_core::trends::Trends;

const COLUMNS: [Column; 9] = [
    Column::new("hour", ColumnType::Moment),
    Column::new("age_hours", ColumnType::Integer),
    Column::new("units", ColumnType::Units),
    Column::new("purchases", ColumnType::Integer),
    Column::new("amount", ColumnType::Amount),
    Column::new("measure", ColumnType::Integer),
    Column::new("weight", ColumnType::WideInteger),
    Column::new("product", ColumnType::WideInteger),
    Column::new("sum", ColumnType::WideInteger),
];

/// An hour in which the item was sold.
struct Weighed {
    hour: Hour,
    age_hours: u32,
    aggregate: Aggregate,
    /// In ten-thousandths for units and amounts.
    measure: i64,
    weight: Score,
    product: Score,
    /// Of all products up to this one.
    sum: Score,
}

/// What a score is made of.
pub(super) struct Explained {
    pub table: Table<'static>,
    /// Whether the item was sold at all.
    pub is_sold: bool,
    /// The score by all hours, as the lake has them now.
    pub score: f64,
    /// The sum of all products, and what it is divided by.
    pub sum: String,
    pub divisor: String,
    /// Whether the score is the published one.
    pub note: Cell,
}

/// Explains an item's score in a category, in the whole shop for `None`; nothing is said of a
/// category in which nothing ranks.
pub(super) fn explain(
    (store, uncommitted): (&Store, &[Arc<UncommittedBatch>]),
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
    let counted = CountQuery {
        event_types: &facts.event_types,
        hours: window.oldest()..window.as_of(),
        category,
        uncommitted,
    };
    let sold = by_hour(store, &counted, &[item_id])?.remove(item_id).unwrap_or_default();
    let weights = Weights::of(window, facts.decay);
    let weighed = weighed(&sold, &weights, facts.by, item_id)?;
    let sum = weighed.last().map_or_else(|| weights.zero(), |last| last.sum.clone());
    let score = weights.relative(&sum, facts.by.unit());
    let mut divisor = weights.zero();
    weights.add(facts.by.unit().cast_signed(), window.newest(), &mut divisor);
    let (whole, divisor) = (sum.to_string(), divisor.to_string());
    Ok(Explained {
        note: note(score, published),
        table: table(&weighed, [&whole, &divisor], score, category, facts.by),
        is_sold: !weighed.is_empty(),
        score,
        sum: whole,
        divisor,
    })
}

fn window_of(row: &RankedRow<'_>) -> Window {
    let (from, to) = (row.window_from.hour(), row.window_to.hour());
    Window::ending(to, from.number().abs_diff(to.number()))
}

/// Weighs each hour and adds them up as a ranking does.
fn weighed(
    sold: &ByHour,
    weights: &Weights,
    by: Measure,
    item_id: &str,
) -> Result<Vec<Weighed>, RollupError> {
    let overflow = || AggregateOverflow { item_id: item_id.to_owned(), bits: MAX_MEASURE.ilog2() };
    let (mut sum, mut absolute) = (weights.zero(), 0_u64);
    let mut weigh = |(&hour, &aggregate): (&Hour, &Aggregate)| {
        let measure = by.of(aggregate).ok_or_else(overflow)?;
        absolute = absolute.saturating_add(measure.unsigned_abs());
        if absolute > MAX_MEASURE {
            return Err(overflow().into());
        }
        let mut product = weights.zero();
        weights.add(measure, hour, &mut product);
        sum.add(&product);
        let (weight, sum) = (weights.weight(hour), sum.clone());
        let age_hours = weights.window().age(hour);
        Ok(Weighed { hour, age_hours, aggregate, measure, weight, product, sum })
    };
    sold.iter().map(&mut weigh).collect()
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

/// Returns the hours, and below them the sum, what it is divided by, and the score.
fn table(
    weighed: &[Weighed],
    [sum, divisor]: [&str; 2],
    score: f64,
    category: Option<&str>,
    by: Measure,
) -> Table<'static> {
    let integer = |score: &Score| Value::WideInteger(score.to_string());
    let row = |of: &Weighed| {
        vec![
            of.hour.start().into(),
            Value::Integer(of.age_hours.into()),
            of.aggregate.units.into(),
            of.aggregate.purchases.into(),
            Value::Amount(of.aggregate.amount),
            Value::Integer(of.measure),
            integer(&of.weight),
            integer(&of.product),
            integer(&of.sum),
        ]
    };
    let footer = |name: &str, value: Value| {
        let mut row = vec![Value::None; COLUMNS.len()];
        row[0] = Value::None.shown(Cell::of(name).styled(Style::Bold));
        row[8] = value;
        row
    };
    let footer = vec![
        footer("sum", Value::WideInteger(sum.to_owned())),
        footer("divisor", Value::WideInteger(divisor.to_owned())),
        footer("score", Value::Exact(score)),
    ];
    let measure = match by {
        Measure::Amount => TableColumn::essential("measure", "amount × 10000"),
        Measure::Units => TableColumn::essential("measure", "units × 10000"),
        Measure::Purchases => TableColumn::essential("measure", "purchases"),
    };
    let rows: Vec<_> = weighed.iter().map(row).collect();
    let title = format!("Score in {}", category.map_or("the whole shop".to_owned(), quoted));
    Table { footer, ..Table::new("hours", &COLUMNS, rows).titled(title) }.showing([
        TableColumn::essential("hour", "hour"),
        TableColumn::minor("age_hours", "age", 3),
        measure,
        TableColumn::minor("weight", "× weight", 4),
        TableColumn::minor("product", "= product", 2),
        TableColumn::essential("sum", "running sum"),
    ])
}
