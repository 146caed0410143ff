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
use topsell_core::counts::{CountQuery, by_hour, first_and_last};
use topsell_core::lake::{LakeError, UncommittedBatch};
use topsell_core::model::{AggregateOverflow, Hour, Timestamp, Units, Zone};
use topsell_core::parquet_format::RankedRow;
use topsell_core::rankings::RankingMetadata;
use topsell_core::rollup::RollupError;
use topsell_core::storage::Store;
use topsell_core::trends::{ItemPlace, Trends};

const COLUMNS: [Column; 19] = [
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
    Column::new("window_units", ColumnType::Units),
    Column::new("window_share_percent", ColumnType::Share),
    Column::new("is_extended", ColumnType::Flag),
];

const SHOWN: [TableColumn; 12] = [
    TableColumn::essential("category", "category").or("(the whole shop)"),
    TableColumn::essential("rank", "rank"),
    TableColumn::minor("eligible_items", "of", 9),
    TableColumn::minor("movement", "±", 8),
    TableColumn::minor("window_units", "units", 7),
    TableColumn::minor("window_share_percent", "share", 5).or("-"),
    TableColumn::minor("weeks", "weeks", 1),
    TableColumn::minor("score", "score", 6),
    TableColumn::minor("above_item_id", "above", 4).or("-"),
    TableColumn::minor("below_item_id", "below", 4).or("-"),
    TableColumn::minor("window_from", "window from", 3),
    TableColumn::minor("units", "units (extended)", 2),
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
    let mut places: Vec<Vec<Value>> =
        trends.item(item_id)?.iter().map(|place| values(place, snapshot.metadata(), item_id)).collect();
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
    tables.extend(days((store, uncommitted), trends, item_id, &rows, &unlisted)?);
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

/// Returns the values of an item's row.
fn values(place: &ItemPlace, facts: &RankingMetadata, item_id: &str) -> Vec<Value> {
    let ItemPlace { entry, above, below, share, window_share } = place;
    let row = &entry.row;
    let shown = |share: &Option<u32>| share.map_or(Value::None, Value::Share);
    let id = |beside: &Option<(String, f64)>| Value::from(beside.as_ref().map(|(item_id, _)| &**item_id));
    let score =
        |beside: &Option<(String, f64)>| beside.as_ref().map_or(Value::None, |of| Value::Number(of.1));
    vec![
        item_id.into(),
        row.category.as_deref().into(),
        Value::Integer(row.rank.into()),
        row.eligible_items.into(),
        movement(entry.movement),
        entry.previous_rank.map(i64::from).into(),
        Value::Integer(entry.weeks.into()),
        row.aggregate.units.into(),
        shown(share),
        Value::Number(row.score),
        id(above),
        score(above),
        id(below),
        score(below),
        row.window_from.into(),
        facts.as_of.into(),
        row.window_aggregate().map(|aggregate| aggregate.units).into(),
        shown(window_share),
        row.is_extended().map_or(Value::None, Value::Flag),
    ]
}

/// Returns a row's category; the whole shop comes before all others.
fn category_of(values: &[Value]) -> Option<&str> {
    match values.get(1) {
        Some(Value::Text(category)) => Some(category),
        _ => None,
    }
}

/// Returns the units that the whole shop sold of the item on each of the last seven days: as the ranking has them, if
/// the item is on the shop's list, and otherwise as the lake has them now.
fn days(
    (store, uncommitted): (&Store, &[Arc<UncommittedBatch>]),
    trends: &Trends,
    item_id: &str,
    rows: &[RankedRow<'_>],
    unlisted: &BTreeMap<Option<String>, Unlisted>,
) -> Result<Option<Table<'static>>, ShowError> {
    let facts = trends.current().metadata();
    let Some(days) = facts.days.as_ref() else { return Ok(None) };
    let Ok(zone) = Zone::named(&days.zone) else { return Ok(None) };
    let listed = rows.iter().filter(|row| row.category.is_none()).find_map(|row| row.details);
    // Totals of another time have other days.
    let below = unlisted.get(&None).filter(|place| place.as_of == facts.as_of).map(|place| place.days);
    let units = match listed.map(|details| details.days).or(below) {
        Some(units) => units.to_vec(),
        None => match days_of_lake((store, uncommitted), facts, &days.starts, item_id) {
            Err(RollupError::Lake(LakeError::Missing { .. })) => return Ok(None),
            units => units?,
        },
    };
    let row = |(from, units): (&Timestamp, &Units)| {
        let date = zone.day_of(from.hour());
        vec![
            date.strftime("%A").to_string().as_str().into(),
            date.to_string().as_str().into(),
            (*from).into(),
            (*units).into(),
        ]
    };
    let rows: Vec<_> = days.starts.iter().zip(&units).map(row).collect();
    let title = format!("Units by day, {}", days.zone);
    Ok(Some(Table::new("days", &DAY_COLUMNS, rows).titled(title).showing(DAYS_SHOWN)))
}

/// Returns the units of an item in the whole shop on days that begin at some times, the last up to the ranking's end.
fn days_of_lake(
    (store, uncommitted): (&Store, &[Arc<UncommittedBatch>]),
    facts: &RankingMetadata,
    starts: &[Timestamp],
    item_id: &str,
) -> Result<Vec<Units>, RollupError> {
    let Some(first) = starts.first() else { return Ok(Vec::new()) };
    let hours = first.hour()..facts.as_of.hour();
    let counted = CountQuery { event_types: &facts.event_types, hours, category: None, uncommitted };
    let sold = by_hour(store, &counted, &[item_id])?.remove(item_id).unwrap_or_default();
    let mut units = vec![Units::ZERO; starts.len()];
    for (hour, aggregate) in sold {
        let day = starts.partition_point(|start| start.hour() <= hour).saturating_sub(1);
        let sum = units[day].checked_add(aggregate.units);
        units[day] = sum.ok_or_else(|| AggregateOverflow::of(item_id))?;
    }
    Ok(units)
}
