//! One item: its ranks, the items ranked above and below it, and its units by day.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::formats::{Answer, Column, ColumnType, JsonField, Table, TableColumn, Value};
use crate::show::error::{ShowError, unknown_item};
use crate::show::explain::explain;
use crate::show::movement::movement;
use crate::show::notes::{as_of, decay, headers};
use crate::show::question::Question;
use crate::show::unlisted::{Unlisted, unlisted, unlisted_values};
use crate::terminal::{Cell, Style};
use crate::text::quoted;
use topsell_core::counts::{CountQuery, first_and_last};
use topsell_core::lake::{LakeError, UncommittedBatch};
use topsell_core::model::{DayUnits, Hour, Timestamp, Units, Zone};
use topsell_core::parquet_format::RankedRow;
use topsell_core::rankings::RankingMetadata;
use topsell_core::rollup::RollupError;
use topsell_core::storage::Store;
use topsell_core::trends::{Trend, Trends};

const COLUMNS: [Column; 16] = [
    Column::new("item_id", ColumnType::Text).json(JsonField::Envelope),
    Column::new("category", ColumnType::Text),
    Column::new("rank", ColumnType::Integer),
    Column::new("eligible_items", ColumnType::Integer),
    Column::new("movement", ColumnType::Text),
    Column::new("previous_rank", ColumnType::Integer),
    Column::new("weeks", ColumnType::Integer),
    Column::new("units", ColumnType::Units),
    Column::new("share_percent", ColumnType::Share),
    Column::new("score", ColumnType::Number),
    Column::new("above_item_id", ColumnType::Text),
    Column::new("above_score", ColumnType::Number),
    Column::new("below_item_id", ColumnType::Text),
    Column::new("below_score", ColumnType::Number),
    Column::new("window_from", ColumnType::Moment),
    Column::new("as_of", ColumnType::Moment),
];

const SHOWN: [TableColumn; 11] = [
    TableColumn::essential("category", "category").or("(the whole shop)"),
    TableColumn::essential("rank", "rank"),
    TableColumn::minor("eligible_items", "of", 9),
    TableColumn::minor("movement", "±", 8),
    TableColumn::minor("units", "units", 7),
    TableColumn::minor("share_percent", "share", 5),
    TableColumn::minor("weeks", "weeks", 1),
    TableColumn::minor("score", "score", 6),
    TableColumn::minor("above_item_id", "above", 4).or("-"),
    TableColumn::minor("below_item_id", "below", 4).or("-"),
    TableColumn::minor("window_from", "from", 2),
];

const DAY_COLUMNS: [Column; 4] = [
    Column::new("weekday", ColumnType::Text),
    Column::new("date", ColumnType::Text),
    Column::new("from", ColumnType::Moment),
    Column::new("units", ColumnType::Units),
];

const DAYS_SHOWN: [TableColumn; 3] = [
    TableColumn::essential("weekday", "weekday"),
    TableColumn::essential("date", "date"),
    TableColumn::essential("units", "units"),
];

/// Answers with an item's ranks in the shop and in each of its categories, after the hours of its
/// score in one of them, if that is asked for.
pub(super) fn item(
    (store, uncommitted): (&Store, &[Arc<UncommittedBatch>]),
    trends: &Trends,
    item_id: &str,
    explained: Option<Option<&str>>,
    question: &Question,
) -> Result<Answer<'static>, ShowError> {
    let snapshot = trends.current();
    let rows = snapshot.rows_of(&|id, _| id == item_id)?;
    let explained =
        explained.map(|category| explain((store, uncommitted), trends, item_id, category)).transpose()?;
    let is_sold = explained.as_ref().is_some_and(|explained| explained.is_sold);
    let unlisted = unlisted(store, trends, item_id)?;
    if rows.is_empty() && unlisted.is_empty() && !is_sold {
        return Err(unknown_item(snapshot, item_id)?);
    }
    let name = rows.iter().find_map(|row| row.name.as_deref());
    let mut places: Vec<Vec<Value>> = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(trend) = trends.category(row.category.as_deref())? {
            places.extend(values(&trend, snapshot.metadata(), item_id));
        }
    }
    for (category, place) in &unlisted {
        if !rows.iter().any(|row| row.category.as_deref() == category.as_deref()) {
            places.push(unlisted_values(trends, item_id, category.as_deref(), place, &COLUMNS)?);
        }
    }
    let facts = snapshot.metadata();
    // Where all are of the same time, the notes have it already.
    let older = unlisted.values().map(|place| place.as_of).find(|as_of| *as_of != facts.as_of);
    let sales = sales((store, uncommitted), facts, item_id)?;
    let zone = facts.days.as_ref().map(|days| days.zone.as_str());
    let mut notes = vec![as_of(facts, question), decay(facts)];
    if let Some((first, last)) = sales {
        let text = format!("sold from {} to {}", first.start(), last.plus(1).start());
        notes.push(Cell::of(&text).styled(Style::Dim));
    }
    notes.extend(
        older.map(|as_of| Cell::of(&format!("ranks below the rankings as of {as_of}")).styled(Style::Dim)),
    );
    let hour = |of: fn((Hour, Hour)) -> Hour| sales.map_or(Value::None, |sales| of(sales).start().into());
    let mut envelope = vec![
        ("item_id", item_id.into()),
        ("name", name.into()),
        ("as_of", facts.as_of.into()),
        ("half_life_hours", facts.half_life_hours.map_or(Value::None, Value::Number)),
        ("by", facts.by.name().into()),
        ("time_zone", zone.into()),
        ("first_sale_hour", hour(|(first, _)| first)),
        ("last_sale_hour", hour(|(_, last)| last)),
    ];
    let mut tables = Vec::new();
    if let Some(explained) = explained {
        notes.push(explained.note);
        envelope.push(("explained_score", Value::Exact(explained.score)));
        envelope.push(("explained_sum", Value::WideInteger(explained.sum)));
        envelope.push(("explained_divisor", Value::WideInteger(explained.divisor)));
        tables.push(explained.table);
    }
    places.sort_by(|a, b| category_of(a).cmp(&category_of(b)));
    // The hours of a score are never cut.
    places.truncate(question.limit);
    tables.push(Table::new("places", &COLUMNS, places).titled("Ranks".to_owned()).showing(SHOWN));
    tables.extend(days(trends, &rows, &unlisted));
    let title = [Some(item_id), name].into_iter().flatten().map(quoted).collect::<Vec<_>>().join("  ");
    let headers = headers(facts, trends.is_stale(question.now), question);
    Ok(Answer { title, notes, headers, envelope, tables, ..Answer::default() })
}

/// Returns the hours of the first and the last sale that a ranking could know of; nothing where
/// only rankings are at hand.
fn sales(
    (store, uncommitted): (&Store, &[Arc<UncommittedBatch>]),
    facts: &RankingMetadata,
    item_id: &str,
) -> Result<Option<(Hour, Hour)>, ShowError> {
    // No log reaches farther back than the year 1.
    let first = Timestamp::parse("0001-01-01T00:00:00Z").unwrap_or(facts.as_of).hour();
    let hours = first..facts.as_of.hour();
    let counted = CountQuery { event_types: &facts.event_types, hours, category: None, uncommitted };
    match first_and_last(store, &counted, item_id) {
        Err(RollupError::Lake(LakeError::Missing { .. })) => Ok(None),
        sales => Ok(sales?),
    }
}

/// Returns the values of an item's row, if a category's ranking has it.
fn values(trend: &Trend, facts: &RankingMetadata, item_id: &str) -> Option<Vec<Value>> {
    let at = trend.places.iter().position(|place| place.row.item_id == item_id)?;
    let shares = trend.shares(trend.places.len(), facts.by);
    let share = shares.and_then(|(shares, _)| shares.get(at).copied());
    let place = &trend.places[at];
    let above = at.checked_sub(1).map(|above| &trend.places[above].row);
    let below = trend.places.get(at + 1).map(|below| &below.row);
    let id = |row: Option<&RankedRow<'_>>| Value::from(row.map(|row| &*row.item_id));
    let score = |row: Option<&RankedRow<'_>>| row.map_or(Value::None, |row| Value::Number(row.score));
    Some(vec![
        item_id.into(),
        trend.category.as_deref().into(),
        Value::Integer(place.row.rank.into()),
        place.row.eligible_items.into(),
        movement(place.movement),
        place.previous_rank.map(i64::from).into(),
        Value::Integer(place.weeks.into()),
        place.row.aggregate.units.into(),
        share.map_or(Value::None, Value::Share),
        Value::Number(place.row.score),
        id(above),
        score(above),
        id(below),
        score(below),
        place.row.window_from.into(),
        facts.as_of.into(),
    ])
}

/// Returns a row's category; the whole shop comes before all others.
fn category_of(values: &[Value]) -> Option<&str> {
    match values.get(1) {
        Some(Value::Text(category)) => Some(category),
        _ => None,
    }
}

/// Returns the units of each of the last seven days, as the place with the most units has them: the
/// whole shop, if the item ranks there.
fn days(
    trends: &Trends,
    rows: &[RankedRow<'_>],
    unlisted: &BTreeMap<Option<String>, Unlisted>,
) -> Option<Table<'static>> {
    let days = trends.current().metadata().days.as_ref()?;
    let zone = Zone::named(&days.zone).ok()?;
    let as_of = trends.current().metadata().as_of;
    let listed = rows.iter().filter_map(|row| row.details).map(|details| details.days);
    // Totals of another time have other days.
    let others = unlisted.values().filter(|place| place.as_of == as_of).map(|place| place.days);
    let week = |days: &DayUnits| days.iter().map(|units| i128::from(units.ten_thousandths())).sum::<i128>();
    let widest = listed.chain(others).max_by_key(week)?;
    let row = |(from, units): (&Timestamp, &Units)| {
        let date = zone.day_of(from.hour());
        vec![
            date.strftime("%A").to_string().as_str().into(),
            date.to_string().as_str().into(),
            (*from).into(),
            (*units).into(),
        ]
    };
    let rows: Vec<_> = days.starts.iter().zip(&widest).map(row).collect();
    let title = format!("Units by day, {}", days.zone);
    Some(Table::new("days", &DAY_COLUMNS, rows).titled(title).showing(DAYS_SHOWN))
}
