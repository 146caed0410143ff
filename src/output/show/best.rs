//! The best sellers of a category, and what changed among them since the ranking before.

use std::cmp::Reverse;

use crate::show::answer::{Answer, Column, InJson, Kind, List, Shown, Value};
use crate::show::facts::{age_seconds, covered, decay, hours, taken};
use crate::show::{Part, Question, ShowError, unknown_category};
use crate::terminal::{Cell, Style};
use crate::text::{grouped, quoted};
use topsell_core::model::Aggregate;
use topsell_core::parquet_format::RankedRow;
use topsell_core::trends::{Movement, Trend, TrendEntry, Trends};

const COLUMNS: [Column; 14] = [
    Column::of("category", Kind::Text).json(InJson::Head),
    Column::of("rank", Kind::Integer),
    Column::of("item_id", Kind::Text),
    Column::of("score", Kind::Number),
    Column::of("units", Kind::Integer),
    Column::of("purchases", Kind::Integer),
    Column::of("amount", Kind::Money),
    Column::of("name", Kind::Text).json(InJson::RowsThatHaveIt),
    Column::of("movement", Kind::Text),
    Column::of("previous_rank", Kind::Integer),
    Column::of("share_percent", Kind::Share),
    Column::of("weeks", Kind::Integer),
    Column::of("units_by_day", Kind::Integers),
    Column::of("units_week", Kind::Integer),
];

const SHOWN: [Shown; 11] = [
    Shown::essential("rank", "rank"),
    Shown::essential("movement", "±"),
    Shown::essential("item_id", "item"),
    Shown::minor("name", "name", 9).cut_to(16),
    Shown::minor("units", "units", 8),
    Shown::minor("share_percent", "share", 7),
    Shown::minor("units_by_day", "7 days", 6),
    Shown::minor("weeks", "weeks", 4),
    Shown::minor("score", "score", 3),
    Shown::minor("purchases", "purchases", 2),
    Shown::minor("amount", "amount", 1),
];
/// What comes second where it is about what changed.
const BEFORE: Shown = Shown::minor("previous_rank", "was", 10).or("-");

/// Answers with a category's best sellers, the whole shop's for `None`, or some of them.
pub(super) fn best(
    charts: &Trends,
    category: Option<&str>,
    part: Part,
    question: &Question,
) -> Result<Answer, ShowError> {
    let chart = charts.category(category)?;
    let Some(chart) = chart.filter(|chart| part == Part::Dropped || !chart.places.is_empty()) else {
        return Err(unknown_category(charts.current(), category.unwrap_or("the whole shop"))?);
    };
    if part != Part::All && charts.previous().is_none() {
        return Err(ShowError::NothingBefore);
    }
    let facts = charts.current().metadata();
    // What is left out is among the others.
    let listed = if part == Part::All { question.limit.min(chart.places.len()) } else { chart.places.len() };
    let shares = chart.shares(listed, &facts.by);
    let mut rows: Vec<Vec<Value>> = match part {
        Part::Dropped => chart.dropped.iter().map(|row| dropped(category, row)).collect(),
        _ => wanted(&chart, part)
            .into_iter()
            .map(|at| {
                let share = shares.as_ref().and_then(|(shares, _)| shares.get(at)).copied();
                values(category, &chart.places[at], share)
            })
            .collect(),
    };
    rows.truncate(question.limit);
    let others = match part {
        Part::All => shares.as_ref().and_then(|(_, share)| others(&chart, listed, *share)),
        _ => None,
    };
    Ok(Answer {
        title: title(charts, category, part),
        facts: told(charts, chart.places.first().map(|place| &place.row), question),
        head: head(charts, &chart, others.as_ref(), question),
        lists: vec![List {
            name: "items",
            title: String::new(),
            columns: COLUMNS.to_vec(),
            rows,
            closing: others.map(|others| others.line(&chart)).into_iter().collect(),
            shown: shown(part),
        }],
        ..Answer::default()
    })
}

/// Returns the places that are asked for, in the order in which to show them.
fn wanted(chart: &Trend, part: Part) -> Vec<usize> {
    let moved = |at: usize| match chart.places[at].movement {
        Movement::Up(places) | Movement::Down(places) => places,
        _ => 0,
    };
    let mut wanted: Vec<usize> = (0..chart.places.len()).collect();
    match part {
        Part::Movers => {
            wanted.retain(|&at| moved(at) > 0);
            wanted.sort_by_key(|&at| Reverse(moved(at)));
        }
        Part::New => wanted.retain(|&at| chart.places[at].movement == Movement::New),
        Part::All | Part::Dropped => {}
    }
    wanted
}

fn shown(part: Part) -> Vec<Shown> {
    let mut shown = SHOWN.to_vec();
    if part != Part::All {
        shown.insert(1, BEFORE);
    }
    if part == Part::Dropped {
        shown.retain(|shown| !["rank", "movement"].contains(&shown.column));
    }
    shown
}

fn title(charts: &Trends, category: Option<&str>, part: Part) -> String {
    let name = category.map_or("the whole shop".to_owned(), quoted);
    let what = match part {
        Part::All => return format!("Best sellers of {name}"),
        Part::Movers => "Movers of",
        Part::New => "New in",
        Part::Dropped => "Dropped from",
    };
    let since =
        charts.previous().map_or(String::new(), |before| format!(" since {}", before.metadata().as_of));
    format!("{what} {name}{since}")
}

fn told(charts: &Trends, row: Option<&RankedRow<'_>>, question: &Question) -> Vec<Cell> {
    let facts = charts.current().metadata();
    let mut told = vec![taken(facts, question)];
    if question.at.is_none() && charts.is_stale(question.now) == Some(true) {
        told.push(Cell::of("stale").styled(Style::Bad));
    }
    told.extend(row.map(covered));
    told.push(decay(facts));
    let zone = facts.days.as_ref().map(|days| days.zone.as_str()).filter(|zone| *zone != "UTC");
    told.extend(zone.map(|zone| Cell::of(&format!("days of {zone}")).styled(Style::Dim)));
    told
}

fn head(
    charts: &Trends,
    chart: &Trend,
    others: Option<&Others>,
    question: &Question,
) -> Vec<(&'static str, Value)> {
    let facts = charts.current().metadata();
    let row = chart.places.first().map(|place| &place.row);
    let moment = |of: fn(&RankedRow<'_>) -> topsell_core::model::Timestamp| {
        row.map_or(Value::None, |row| of(row).into())
    };
    vec![
        ("category", chart.category.as_deref().into()),
        ("as_of", facts.as_of.into()),
        ("window_from", moment(|row| row.window_from)),
        ("window_to", moment(|row| row.window_to)),
        ("half_life_hours", facts.half_life_hours.map_or(Value::None, Value::Number)),
        ("window_hours", row.map(hours).into()),
        ("by", facts.by.as_str().into()),
        ("age_seconds", age_seconds(facts, question.now).into()),
        ("is_stale", charts.is_stale(question.now).map_or(Value::None, Value::Flag)),
        ("previous_as_of", charts.previous().map_or(Value::None, |before| before.metadata().as_of.into())),
        ("time_zone", facts.days.as_ref().map(|days| days.zone.as_str()).into()),
        ("days_from", facts.days.as_ref().map_or(Value::None, |days| Value::Moments(days.starts.clone()))),
        ("eligible_items", row.map(|row| row.eligible_items).into()),
        ("total", row.and_then(|row| row.details).map_or(Value::None, |details| details.eligible.into())),
        ("others", others.map_or(Value::None, Others::fields)),
    ]
}

fn values(category: Option<&str>, place: &TrendEntry, share: Option<u32>) -> Vec<Value> {
    let row = &place.row;
    let mut values = plain_values(category, row);
    let details = row.details;
    values.extend([
        movement(place.movement),
        place.previous_rank.map(i64::from).into(),
        share.map_or(Value::None, Value::Share),
        Value::Integer(place.weeks.into()),
        details.map_or(Value::None, |details| Value::Integers(details.days.to_vec())),
        details.and_then(|details| details.week()).into(),
    ]);
    values
}

/// Returns the values of a row of the ranking before, which has no rank now.
fn dropped(category: Option<&str>, row: &RankedRow<'_>) -> Vec<Value> {
    let mut values = plain_values(category, row);
    values[1] = Value::None;
    values.extend([dropped_word(), Value::Integer(row.rank.into())]);
    // Its days were others.
    values.resize(COLUMNS.len(), Value::None);
    values
}

fn plain_values(category: Option<&str>, row: &RankedRow<'_>) -> Vec<Value> {
    vec![
        category.into(),
        Value::Integer(row.rank.into()),
        (*row.item_id).into(),
        Value::Number(row.score),
        row.aggregate.units.into(),
        row.aggregate.purchases.into(),
        Value::Money(row.aggregate.amount),
        row.name.as_deref().into(),
    ]
}

/// Returns how an item moved.
pub(super) fn movement(movement: Movement) -> Value {
    let (word, shown, style) = match movement {
        Movement::Unknown => return Value::None,
        Movement::New => ("new", "new".to_owned(), Style::Fresh),
        Movement::Up(places) => ("up", format!("▲{places}"), Style::Good),
        Movement::Down(places) => ("down", format!("▼{places}"), Style::Bad),
        Movement::Same => ("same", "=".to_owned(), Style::Dim),
    };
    Value::Word { word, shown, style }
}

/// Returns how an item moved whose rank was another, or none.
pub(super) fn moved(rank: i32, previous: Option<i32>) -> Movement {
    match previous {
        None => Movement::New,
        Some(previous) if previous > rank => Movement::Up(previous.abs_diff(rank)),
        Some(previous) if previous < rank => Movement::Down(previous.abs_diff(rank)),
        Some(_) => Movement::Same,
    }
}

/// Returns how an item moved that has no rank any more.
pub(super) fn dropped_word() -> Value {
    Value::Word { word: "dropped", shown: "out".to_owned(), style: Style::Bad }
}

/// What a category sells beside what is listed.
struct Others {
    items: i64,
    aggregate: Aggregate,
    share: u32,
}

/// Returns what there is beside the first places; nothing where these are all.
fn others(chart: &Trend, listed: usize, share: u32) -> Option<Others> {
    let first = &chart.places.first()?.row;
    let items = first.eligible_items.saturating_sub(i64::try_from(listed).unwrap_or(i64::MAX));
    let mut aggregate = first.details?.eligible;
    for place in &chart.places[..listed] {
        aggregate = aggregate.minus(place.row.aggregate);
    }
    (items > 0).then_some(Others { items, aggregate, share })
}

impl Others {
    /// Returns the line of a table.
    fn line(&self, chart: &Trend) -> Vec<Value> {
        // Ids are short, and names have room.
        let at = if chart.places.iter().any(|place| place.row.name.is_some()) { "name" } else { "item_id" };
        let mut line = vec![Value::None; COLUMNS.len()];
        let text = match self.items {
            1 => "1 other".to_owned(),
            items => format!("all {} others", grouped(&items.to_string())),
        };
        let mut put = |name: &str, value: Value| {
            let at = COLUMNS.iter().position(|column| column.name == name);
            line[at.expect("there is such a column")] = value;
        };
        put(at, Value::Word { word: "", shown: text, style: Style::Dim });
        put("units", self.aggregate.units.into());
        put("purchases", self.aggregate.purchases.into());
        put("amount", Value::Money(self.aggregate.amount));
        put("share_percent", Value::Share(self.share));
        line
    }

    fn fields(&self) -> Value {
        let Value::Fields(aggregate) = Value::from(self.aggregate) else { return Value::None };
        let mut fields = vec![("items", Value::Integer(self.items))];
        fields.extend(aggregate);
        fields.push(("share_percent", Value::Share(self.share)));
        Value::Fields(fields)
    }
}
