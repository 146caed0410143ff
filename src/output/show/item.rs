//! One item: where it ranks, what ranks beside it, and how its week went.

use std::collections::BTreeMap;

use crate::show::answer::{Answer, Column, InJson, Kind, List, Shown, Value};
use crate::show::best::movement;
use crate::show::explain::explain;
use crate::show::facts::{age_seconds, decay, taken};
use crate::show::{Question, ShowError, unknown_item};
use crate::terminal::{Cell, Style};
use crate::text::quoted;
use topsell_core::counts::{Counted, first_and_last};
use topsell_core::lake::LakeError;
use topsell_core::model::{DayUnits, Hour, Timestamp, Zone};
use topsell_core::parquet_format::RankedRow;
use topsell_core::rankings::{ItemTotals, RankingMetadata};
use topsell_core::rollup::RollupError;
use topsell_core::storage::Store;
use topsell_core::trends::{Trend, Trends};

const COLUMNS: [Column; 16] = [
    Column::of("item_id", Kind::Text).json(InJson::Head),
    Column::of("category", Kind::Text),
    Column::of("rank", Kind::Integer),
    Column::of("eligible_items", Kind::Integer),
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
    Column::of("as_of", Kind::Moment),
];

const SHOWN: [Shown; 11] = [
    Shown::essential("category", "category").or("(the whole shop)"),
    Shown::essential("rank", "rank"),
    Shown::minor("eligible_items", "of", 9),
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
    charts: &Trends,
    item_id: &str,
    explained: Option<Option<&str>>,
    question: &Question,
) -> Result<Answer, ShowError> {
    let snapshot = charts.current();
    let rows = snapshot.rows_of(&|id, _| id == item_id)?;
    let explained = explained.map(|category| explain(store, charts, item_id, category)).transpose()?;
    let is_sold = explained.as_ref().is_some_and(|explained| !explained.list.rows.is_empty());
    let unlisted = unlisted(store, charts, item_id)?;
    if rows.is_empty() && unlisted.is_empty() && !is_sold {
        return Err(unknown_item(snapshot, item_id)?);
    }
    let name = rows.iter().find_map(|row| row.name.as_deref());
    let mut places: Vec<Vec<Value>> = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(chart) = charts.category(row.category.as_deref())? {
            places.extend(values(&chart, snapshot.metadata(), item_id));
        }
    }
    for (category, place) in &unlisted {
        if !rows.iter().any(|row| row.category.as_deref() == category.as_deref()) {
            places.push(unlisted_values(charts, item_id, category.as_deref(), place)?);
        }
    }
    let facts = snapshot.metadata();
    // Where all are of the same time, the head says of which.
    let older = unlisted.values().map(|place| place.as_of).find(|as_of| *as_of != facts.as_of);
    let sales = sales(store, facts, item_id)?;
    let zone = facts.days.as_ref().map(|days| days.zone.as_str());
    let mut told = vec![taken(facts, question), decay(facts)];
    if let Some((first, last)) = sales {
        let text = format!("sold from {} to {}", first.start(), last.plus(1).start());
        told.push(Cell::of(&text).styled(Style::Dim));
    }
    told.extend(
        older.map(|as_of| Cell::of(&format!("places below the lists as of {as_of}")).styled(Style::Dim)),
    );
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
    places.sort_by(|a, b| category_of(a).cmp(&category_of(b)));
    // Of the hours that a score is made of, none can be left out.
    places.truncate(question.limit);
    lists.push(list_of(places));
    lists.extend(days(charts, &rows, &unlisted));
    let title = [Some(item_id), name].into_iter().flatten().map(quoted).collect::<Vec<_>>().join("  ");
    Ok(Answer { title, facts: told, head, lists, ..Answer::default() })
}

/// Returns the hours of the first and the last sale that a ranking could know of; nothing where
/// only rankings are at hand.
fn sales(store: &Store, facts: &RankingMetadata, item_id: &str) -> Result<Option<(Hour, Hour)>, ShowError> {
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
fn values(chart: &Trend, facts: &RankingMetadata, item_id: &str) -> Option<Vec<Value>> {
    let at = chart.places.iter().position(|place| place.row.item_id == item_id)?;
    let shares = chart.shares(chart.places.len(), &facts.by);
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

/// Returns a place's category; the whole shop comes before all others.
fn category_of(values: &[Value]) -> Option<&str> {
    match values.get(1) {
        Some(Value::Text(category)) => Some(category),
        _ => None,
    }
}

/// What an item comes to that is too far down to be on a list.
struct Unlisted {
    rank: i64,
    units: i64,
    score: f64,
    days: DayUnits,
    as_of: Timestamp,
    /// The items above and below it, with their ranks and scores.
    beside: Vec<(i64, String, f64)>,
}

/// Returns an item's place in every category, as the newest totals have them; nothing where there
/// are none, or they are newer than the ranking.
fn unlisted(
    store: &Store,
    charts: &Trends,
    item_id: &str,
) -> Result<BTreeMap<Option<String>, Unlisted>, ShowError> {
    let mut places = BTreeMap::new();
    let facts = charts.current().metadata();
    let fit = |totals: &ItemTotals| totals.metadata.as_of <= facts.as_of && totals.metadata.is_like(facts);
    let Some(totals) = ItemTotals::current(store)?.filter(fit) else { return Ok(places) };
    for row in totals.item(item_id)? {
        let (units, score, days, as_of) = (row.units, row.score, row.days, totals.metadata.as_of);
        let ranks = row.ranks.into_iter().map(|(category, rank)| (Some(category), rank));
        for (category, rank) in ranks.chain(row.shop_rank.map(|rank| (None, rank))) {
            let beside = totals.ranked(category.as_deref(), &[rank - 1, rank + 1])?;
            let beside = beside.into_iter().map(|(rank, row)| (rank, row.item_id, row.score)).collect();
            places.insert(category, Unlisted { rank, units, score, days, as_of, beside });
        }
    }
    Ok(places)
}

fn unlisted_values(
    charts: &Trends,
    item_id: &str,
    category: Option<&str>,
    place: &Unlisted,
) -> Result<Vec<Value>, ShowError> {
    let listed = charts.current().category(category)?;
    let mut values = vec![Value::None; COLUMNS.len()];
    let mut put = |name: &str, value: Value| {
        let at = COLUMNS.iter().position(|column| column.name == name);
        values[at.expect("there is such a column")] = value;
    };
    put("item_id", item_id.into());
    put("category", category.into());
    put("rank", place.rank.into());
    put("eligible_items", listed.first().map(|row| row.eligible_items).into());
    put("units", place.units.into());
    put("score", Value::Number(place.score));
    for (rank, item_id, score) in &place.beside {
        let side = if *rank < place.rank { "above" } else { "below" };
        put(&format!("{side}_item_id"), item_id.as_str().into());
        put(&format!("{side}_score"), Value::Number(*score));
    }
    let is_of_now = place.as_of == charts.current().metadata().as_of;
    let window_from = listed.first().filter(|_| is_of_now).map(|row| row.window_from);
    put("window_from", window_from.map_or(Value::None, Value::Moment));
    put("as_of", place.as_of.into());
    Ok(values)
}

/// Returns the units of each of the last seven days, as the place with the most units has them: the
/// whole shop, if the item ranks there.
fn days(
    charts: &Trends,
    rows: &[RankedRow<'_>],
    unlisted: &BTreeMap<Option<String>, Unlisted>,
) -> Option<List> {
    let days = charts.current().metadata().days.as_ref()?;
    let zone = Zone::named(&days.zone).ok()?;
    let as_of = charts.current().metadata().as_of;
    let listed = rows.iter().filter_map(|row| row.details).map(|details| details.days);
    // Those of another time have other days.
    let others = unlisted.values().filter(|place| place.as_of == as_of).map(|place| place.days);
    let week = |days: &DayUnits| days.iter().map(|units| i128::from(*units)).sum::<i128>();
    let widest = listed.chain(others).max_by_key(week)?;
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
        rows: days.starts.iter().zip(&widest).map(row).collect(),
        closing: Vec::new(),
        shown: DAYS_SHOWN.to_vec(),
    })
}
