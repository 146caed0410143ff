//! One item: where it ranks, what ranks beside it, and how its week went.

use crate::chart::{Chart, Charts};
use crate::columns::{RankedRow, RowTotals};
use crate::count::{Counted, first_and_last};
use crate::lake::LakeError;
use crate::rollup::RollupError;
use crate::show::answer::{Answer, Column, InJson, Kind, List, Shown, Value};
use crate::show::best::movement;
use crate::show::explain::explain;
use crate::show::facts::{age_seconds, decay, taken};
use crate::show::table::{Cell, Style};
use crate::show::text::quoted;
use crate::show::{Question, ShowError, unknown_item};
use crate::snapshot::Facts;
use crate::store::Store;
use crate::time::{Hour, Timestamp, Zone};

const COLUMNS: [Column; 15] = [
    Column::of("item_id", Kind::Text).json(InJson::Head),
    Column::of("category", Kind::Text),
    Column::of("rank", Kind::Integer),
    Column::of("rankable", Kind::Integer),
    Column::of("movement", Kind::Text),
    Column::of("previous_rank", Kind::Integer),
    Column::of("weeks", Kind::Integer),
    Column::of("units", Kind::Integer),
    Column::of("share_percent", Kind::Share),
    Column::of("score", Kind::Number),
    Column::of("above_item_id", Kind::Text),
    Column::of("above_score", Kind::Number),
    Column::of("below_item_id", Kind::Text),
    Column::of("below_score", Kind::Number),
    Column::of("window_from", Kind::Moment),
];

const SHOWN: [Shown; 11] = [
    Shown::essential("category", "category").or("(the whole shop)"),
    Shown::essential("rank", "rank"),
    Shown::minor("rankable", "of", 9),
    Shown::minor("movement", "±", 8),
    Shown::minor("units", "units", 7),
    Shown::minor("share_percent", "share", 5),
    Shown::minor("weeks", "weeks", 1),
    Shown::minor("score", "score", 6),
    Shown::minor("above_item_id", "above", 4).or("-"),
    Shown::minor("below_item_id", "below", 4).or("-"),
    Shown::minor("window_from", "from", 2),
];

const DAY_COLUMNS: [Column; 4] = [
    Column::of("weekday", Kind::Text),
    Column::of("date", Kind::Text),
    Column::of("from", Kind::Moment),
    Column::of("units", Kind::Integer),
];

const DAYS_SHOWN: [Shown; 3] = [
    Shown::essential("weekday", "weekday"),
    Shown::essential("date", "date"),
    Shown::essential("units", "units"),
];

/// Answers with an item's places in the shop and in each of its categories, after what its score in
/// one of them is made of, if that is asked for.
pub(super) fn item(
    store: &Store,
    charts: &Charts,
    item_id: &str,
    explained: Option<Option<&str>>,
    question: &Question,
) -> Result<Answer, ShowError> {
    let snapshot = charts.current();
    let rows = snapshot.rows_of(&|id, _| id == item_id)?;
    let explained = explained.map(|category| explain(store, charts, item_id, category)).transpose()?;
    let is_sold = explained.as_ref().is_some_and(|explained| !explained.list.rows.is_empty());
    if rows.is_empty() && !is_sold {
        return Err(unknown_item(snapshot, item_id)?);
    }
    let name = rows.iter().find_map(|row| row.name.as_deref());
    let mut places = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(chart) = charts.category(row.category.as_deref())? {
            places.extend(values(&chart, &snapshot.facts().by, item_id));
        }
    }
    let facts = snapshot.facts();
    let sales = sales(store, facts, item_id)?;
    let zone = facts.days.as_ref().map(|days| days.zone.as_str());
    let mut told = vec![taken(facts, question), decay(facts)];
    if let Some((first, last)) = sales {
        let text = format!("sold from {} to {}", first.start(), last.plus(1).start());
        told.push(Cell::of(&text).styled(Style::Dim));
    }
    let hour = |of: fn((Hour, Hour)) -> Hour| sales.map_or(Value::None, |sales| of(sales).start().into());
    let mut head = vec![
        ("item_id", item_id.into()),
        ("name", name.into()),
        ("as_of", facts.as_of.into()),
        ("half_life_hours", facts.half_life_hours.map_or(Value::None, Value::Number)),
        ("by", facts.by.as_str().into()),
        ("age_seconds", age_seconds(facts, question.now).into()),
        ("time_zone", zone.into()),
        ("first_sale_hour", hour(|(first, _)| first)),
        ("last_sale_hour", hour(|(_, last)| last)),
    ];
    let mut lists = Vec::new();
    if let Some(explained) = explained {
        told.push(explained.note);
        head.push(("explained_score", Value::Exact(explained.score)));
        lists.push(explained.list);
    }
    lists.push(list_of(places));
    lists.extend(days(charts, &rows));
    lists[0].rows.truncate(question.limit);
    let title = [Some(item_id), name].into_iter().flatten().map(quoted).collect::<Vec<_>>().join("  ");
    Ok(Answer { title, facts: told, head, lists, ..Answer::default() })
}

/// Returns the hours of the first and the last sale that a ranking could know of; nothing where
/// only rankings are at hand.
fn sales(store: &Store, facts: &Facts, item_id: &str) -> Result<Option<(Hour, Hour)>, ShowError> {
    // No log reaches farther back than the year 1.
    let first = Timestamp::parse("0001-01-01T00:00:00Z").unwrap_or(facts.as_of).hour();
    let hours = first..facts.as_of.hour();
    let counted = Counted { event_types: &facts.event_types, hours, category: None };
    match first_and_last(store, &counted, item_id) {
        Err(RollupError::Lake(LakeError::Missing { .. })) => Ok(None),
        sales => Ok(sales?),
    }
}

fn list_of(places: Vec<Vec<Value>>) -> List {
    List {
        name: "places",
        title: "Places".to_owned(),
        columns: COLUMNS.to_vec(),
        rows: places,
        closing: Vec::new(),
        shown: SHOWN.to_vec(),
    }
}

/// Returns the values of an item's place on a list, if it is there.
fn values(chart: &Chart, by: &str, item_id: &str) -> Option<Vec<Value>> {
    let at = chart.places.iter().position(|place| place.row.item_id == item_id)?;
    let shares = chart.shares(chart.places.len(), by);
    let share = shares.and_then(|(shares, _)| shares.get(at).copied());
    let place = &chart.places[at];
    let above = at.checked_sub(1).map(|above| &chart.places[above].row);
    let below = chart.places.get(at + 1).map(|below| &below.row);
    let id = |row: Option<&RankedRow<'_>>| Value::from(row.map(|row| &*row.item_id));
    let score = |row: Option<&RankedRow<'_>>| row.map_or(Value::None, |row| Value::Number(row.score));
    Some(vec![
        item_id.into(),
        chart.category.as_deref().into(),
        Value::Integer(place.row.rank.into()),
        place.row.rankable.into(),
        movement(place.movement),
        place.previous_rank.map(i64::from).into(),
        Value::Integer(place.weeks.into()),
        place.row.sums.units.into(),
        share.map_or(Value::None, Value::Share),
        Value::Number(place.row.score),
        id(above),
        score(above),
        id(below),
        score(below),
        place.row.window_from.into(),
    ])
}

/// Returns the units of each of the last seven days, as the place with the most units has them: the
/// whole shop, if the item ranks there.
fn days(charts: &Charts, rows: &[RankedRow<'_>]) -> Option<List> {
    let days = charts.current().facts().days.as_ref()?;
    let zone = Zone::named(&days.zone).ok()?;
    let widest = rows.iter().filter_map(|row| row.totals).max_by_key(RowTotals::week)?;
    let row = |(from, units): (&Timestamp, &i64)| {
        let date = zone.day_of(from.hour());
        vec![
            date.strftime("%A").to_string().as_str().into(),
            date.to_string().as_str().into(),
            (*from).into(),
            (*units).into(),
        ]
    };
    Some(List {
        name: "days",
        title: format!("Units by day, {}", days.zone),
        columns: DAY_COLUMNS.to_vec(),
        rows: days.starts.iter().zip(&widest.days).map(row).collect(),
        closing: Vec::new(),
        shown: DAYS_SHOWN.to_vec(),
    })
}
