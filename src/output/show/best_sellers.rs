//! The best sellers of a category, and how they moved since the previous ranking.

use std::cmp::Reverse;

use crate::formats::{Answer, Column, ColumnType, JsonField, Table, TableColumn, Value};
use crate::show::error::{ShowError, unknown_category};
use crate::show::movement::{dropped, movement};
use crate::show::notes::{as_of, covered, decay, extended, headers, hours};
use crate::show::question::{Question, Selection};
use crate::terminal::{Cell, Style};
use crate::text::{grouped, quoted};
use topsell_core::model::Aggregate;
use topsell_core::parquet_format::RankedRow;
use topsell_core::rankings::RankingMetadata;
use topsell_core::trends::{Movement, Trend, TrendEntry, Trends};

const COLUMNS: [Column; 18] = [
    Column::new("category", ColumnType::Text).json(JsonField::Envelope),
    Column::new("rank", ColumnType::Integer),
    Column::new("item_id", ColumnType::Text),
    Column::new("score", ColumnType::Number),
    Column::new("units", ColumnType::Units),
    Column::new("purchases", ColumnType::Integer),
    Column::new("amount", ColumnType::Amount),
    Column::new("name", ColumnType::Text).json(JsonField::WhenPresent),
    Column::new("movement", ColumnType::Text),
    Column::new("previous_rank", ColumnType::Integer),
    Column::new("share_percent", ColumnType::Share),
    Column::new("weeks", ColumnType::Integer),
    Column::new("units_by_day", ColumnType::UnitsByDay),
    Column::new("units_week", ColumnType::Units),
    Column::new("window_units", ColumnType::Units),
    Column::new("window_purchases", ColumnType::Integer),
    Column::new("window_amount", ColumnType::Amount),
    Column::new("window_share_percent", ColumnType::Share),
];

const SHOWN: [TableColumn; 11] = [
    TableColumn::essential("rank", "rank"),
    TableColumn::essential("movement", "±"),
    TableColumn::essential("item_id", "item"),
    TableColumn::minor("name", "name", 9).cut_to(16),
    TableColumn::minor("units", "units", 8),
    TableColumn::minor("share_percent", "share", 7),
    TableColumn::minor("units_by_day", "7 days", 6),
    TableColumn::minor("weeks", "weeks", 4),
    TableColumn::minor("score", "score", 3),
    TableColumn::minor("purchases", "purchases", 2),
    TableColumn::minor("amount", "amount", 1),
];
/// The same where the window is extended: the figures of the ranking's window, and those by which the items are ordered.
const SHOWN_EXTENDED: [TableColumn; 12] = [
    SHOWN[0],
    SHOWN[1],
    SHOWN[2],
    SHOWN[3],
    TableColumn::minor("window_units", "units", 8),
    TableColumn::minor("window_share_percent", "share", 7).or("-"),
    TableColumn::minor("units", "units (extended)", 6),
    TableColumn::minor("units_by_day", "7 days", 5),
    SHOWN[7],
    SHOWN[8],
    TableColumn::minor("window_purchases", "purchases", 2),
    TableColumn::minor("window_amount", "amount", 1),
];
/// The second column where only changes are shown.
const BEFORE: TableColumn = TableColumn::minor("previous_rank", "was", 10).or("-");

/// Answers with the best sellers of a category, of the whole shop for `None`, or some of them.
pub(super) fn best_sellers(
    trends: &Trends,
    category: Option<&str>,
    selection: Selection,
    question: &Question,
) -> Result<Answer<'static>, ShowError> {
    let trend = trends.category(category)?;
    let Some(trend) = trend.filter(|trend| selection == Selection::Dropped || !trend.places.is_empty())
    else {
        return Err(unknown_category(trends.current(), category.unwrap_or("the whole shop"))?);
    };
    if selection != Selection::All && trends.previous().is_none() {
        return Err(ShowError::NothingBefore);
    }
    Ok(of_trend(trends, &trend, selection, question))
}

/// Answers with the best sellers of a list, or some of them.
pub(super) fn of_trend(
    trends: &Trends,
    trend: &Trend,
    selection: Selection,
    question: &Question,
) -> Answer<'static> {
    let (facts, category) = (trends.current().metadata(), trend.category.as_deref());
    // Items past the limit count among the others.
    let listed =
        if selection == Selection::All { question.limit.min(trend.places.len()) } else { trend.places.len() };
    let shares = Shares::of(trend, listed, facts);
    let mut rows: Vec<Vec<Value>> = match selection {
        Selection::Dropped => trend.dropped.iter().map(|row| dropped_values(category, row)).collect(),
        _ => selected(trend, selection)
            .into_iter()
            .map(|at| values(category, &trend.places[at], shares.at(at)))
            .collect(),
    };
    rows.truncate(question.limit);
    let others = match selection {
        Selection::All => others(trend, listed, &shares),
        _ => None,
    };
    Answer {
        title: title(trends, category, selection),
        notes: notes(trends, trend.places.first().map(|place| &place.row), question),
        headers: headers(facts, trends.is_stale(question.now), question),
        envelope: envelope(trends, trend, others.as_ref()),
        tables: vec![Table {
            footer: others.map(|others| others.row(trend)).into_iter().collect(),
            ..Table::new("items", &COLUMNS, rows).showing(shown(selection, trend))
        }],
        ..Answer::default()
    }
}

/// Returns the positions of the selected items, in the order in which to show them.
fn selected(trend: &Trend, selection: Selection) -> Vec<usize> {
    let moved = |at: usize| match trend.places[at].movement {
        Movement::Up(places) | Movement::Down(places) => places,
        _ => 0,
    };
    let mut selected: Vec<usize> = (0..trend.places.len()).collect();
    match selection {
        Selection::Movers | Selection::Risers | Selection::Fallers => {
            selected.retain(|&at| match trend.places[at].movement {
                Movement::Up(_) => selection != Selection::Fallers,
                Movement::Down(_) => selection != Selection::Risers,
                _ => false,
            });
            selected.sort_by_key(|&at| Reverse(moved(at)));
        }
        Selection::New => selected.retain(|&at| trend.places[at].movement == Movement::New),
        Selection::All | Selection::Dropped => {}
    }
    selected
}

fn shown(selection: Selection, trend: &Trend) -> Vec<TableColumn> {
    let mut shown = match trend.is_extended() {
        Some(true) if selection != Selection::Dropped => SHOWN_EXTENDED.to_vec(),
        _ => SHOWN.to_vec(),
    };
    if selection != Selection::All {
        shown.insert(1, BEFORE);
    }
    if selection == Selection::Dropped {
        shown.retain(|shown| !["rank", "movement"].contains(&shown.column));
    }
    shown
}

fn title(trends: &Trends, category: Option<&str>, selection: Selection) -> String {
    let name = category.map_or("the whole shop".to_owned(), quoted);
    let what = match selection {
        Selection::All => return format!("Best sellers of {name}"),
        Selection::Movers => "Movers of",
        Selection::Risers => "Risers of",
        Selection::Fallers => "Fallers of",
        Selection::New => "New in",
        Selection::Dropped => "Dropped from",
    };
    let since =
        trends.previous().map_or(String::new(), |before| format!(" since {}", before.metadata().as_of));
    format!("{what} {name}{since}")
}

fn notes(trends: &Trends, row: Option<&RankedRow<'_>>, question: &Question) -> Vec<Cell> {
    let facts = trends.current().metadata();
    let mut notes = vec![as_of(facts, question)];
    if question.at.is_none() && trends.is_stale(question.now) == Some(true) {
        notes.push(Cell::of("stale").styled(Style::Bad));
    }
    notes.extend(row.and_then(|row| extended(facts, row)));
    notes.extend(row.map(covered));
    notes.push(decay(facts));
    let zone = facts.days.as_ref().map(|days| days.zone.as_str()).filter(|zone| *zone != "UTC");
    notes.extend(zone.map(|zone| Cell::of(&format!("days in {zone}")).styled(Style::Dim)));
    notes
}

fn envelope(trends: &Trends, trend: &Trend, others: Option<&Others>) -> Vec<(&'static str, Value)> {
    let facts = trends.current().metadata();
    let row = trend.places.first().map(|place| &place.row);
    let moment = |of: fn(&RankedRow<'_>) -> topsell_core::model::Timestamp| {
        row.map_or(Value::None, |row| of(row).into())
    };
    vec![
        ("category", trend.category.as_deref().into()),
        ("as_of", facts.as_of.into()),
        ("window_from", moment(|row| row.window_from)),
        ("window_to", moment(|row| row.window_to)),
        ("half_life_hours", facts.half_life_hours.map_or(Value::None, Value::Number)),
        ("window_hours", row.map(hours).into()),
        ("by", facts.by.name().into()),
        ("previous_as_of", trends.previous().map_or(Value::None, |before| before.metadata().as_of.into())),
        ("time_zone", facts.days.as_ref().map(|days| days.zone.as_str()).into()),
        ("days_from", facts.days.as_ref().map_or(Value::None, |days| Value::Moments(days.starts.clone()))),
        ("eligible_items", row.map(|row| row.eligible_items).into()),
        ("total", row.and_then(|row| row.details).map_or(Value::None, |details| details.eligible.into())),
        ("others", others.map_or(Value::None, Others::fields)),
        ("ranking_window_hours", Value::Integer(facts.window_hours.into())),
        (
            "is_extended",
            row.map(|row| Value::Flag(hours(row) > facts.window_hours.into())).unwrap_or(Value::None),
        ),
        ("window_total", trend.window_total().map_or(Value::None, Value::from)),
        ("window_others", others.map_or(Value::None, Others::window_fields)),
    ]
}

/// The shares of the listed items and of the others, of the category's window and of the ranking's.
struct Shares {
    extended: Option<(Vec<u32>, u32)>,
    window: Option<(Vec<u32>, u32)>,
}

impl Shares {
    fn of(trend: &Trend, listed: usize, facts: &RankingMetadata) -> Shares {
        let (extended, window) = (trend.shares(listed, facts.by), trend.window_shares(listed, facts.by));
        Shares { extended, window }
    }

    /// Returns those of an item.
    fn at(&self, at: usize) -> [Option<u32>; 2] {
        let of = |shares: &Option<(Vec<u32>, u32)>| shares.as_ref()?.0.get(at).copied();
        [of(&self.extended), of(&self.window)]
    }
}

fn values(category: Option<&str>, place: &TrendEntry, shares: [Option<u32>; 2]) -> Vec<Value> {
    let row = &place.row;
    let mut values = plain_values(category, row);
    let details = row.details;
    values.extend([
        movement(place.movement),
        place.previous_rank.map(i64::from).into(),
        shares[0].map_or(Value::None, Value::Share),
        Value::Integer(place.weeks.into()),
        details.map_or(Value::None, |details| Value::UnitsByDay(details.days.to_vec())),
        details.and_then(|details| details.week()).into(),
    ]);
    values.extend(window_values(row.window_aggregate()));
    values.push(shares[1].map_or(Value::None, Value::Share));
    values
}

/// Returns units, purchases and amount of the ranking's window.
pub(super) fn window_values(aggregate: Option<Aggregate>) -> [Value; 3] {
    [
        aggregate.map(|aggregate| aggregate.units).into(),
        aggregate.map(|aggregate| aggregate.purchases).into(),
        aggregate.map_or(Value::None, |aggregate| Value::Amount(aggregate.amount)),
    ]
}

/// Returns the values of a row of the previous ranking, which has no rank now.
fn dropped_values(category: Option<&str>, row: &RankedRow<'_>) -> Vec<Value> {
    let mut values = plain_values(category, row);
    values[1] = Value::None;
    values.extend([dropped(), Value::Integer(row.rank.into())]);
    // Its days are those of the previous ranking.
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
        Value::Amount(row.aggregate.amount),
        row.name.as_deref().into(),
    ]
}

/// The eligible items of a category that are not listed.
struct Others {
    items: i64,
    aggregate: Aggregate,
    share: u32,
    /// The same of the ranking's window; where the category's is extended, of all items that are not listed.
    window: Option<Aggregate>,
    window_share: Option<u32>,
}

/// Returns the eligible items after the first ones; nothing where there are no others.
fn others(trend: &Trend, listed: usize, shares: &Shares) -> Option<Others> {
    let share = shares.extended.as_ref()?.1;
    let first = &trend.places.first()?.row;
    let items = first.eligible_items.saturating_sub(i64::try_from(listed).unwrap_or(i64::MAX));
    let places = &trend.places[..listed];
    let aggregates = places.iter().map(|place| place.row.aggregate);
    let aggregate = aggregates.fold(first.details?.eligible, Aggregate::minus);
    let of_window = places.iter().filter_map(|place| place.row.window_aggregate());
    let window = match trend.is_extended() {
        Some(true) => trend.window_total().map(|total| of_window.fold(total, Aggregate::minus)),
        Some(false) => Some(aggregate),
        None => None,
    };
    let window_share = shares.window.as_ref().map(|(_, others)| *others);
    (items > 0).then_some(Others { items, aggregate, share, window, window_share })
}

impl Others {
    /// Returns the last row of a terminal's table.
    fn row(&self, trend: &Trend) -> Vec<Value> {
        // Ids are short, and names have room.
        let at = if trend.places.iter().any(|place| place.row.name.is_some()) { "name" } else { "item_id" };
        let mut row = vec![Value::None; COLUMNS.len()];
        let text = match self.items {
            1 => "1 other".to_owned(),
            items => format!("all {} others", grouped(&items.to_string())),
        };
        let mut put = |name: &str, value: Value| {
            let at = COLUMNS.iter().position(|column| column.name == name);
            row[at.expect("there is such a column")] = value;
        };
        put(at, Value::None.shown(Cell::of(&text).styled(Style::Dim)));
        put("units", self.aggregate.units.into());
        put("purchases", self.aggregate.purchases.into());
        put("amount", Value::Amount(self.aggregate.amount));
        put("share_percent", Value::Share(self.share));
        let [units, purchases, amount] = window_values(self.window);
        put("window_units", units);
        put("window_purchases", purchases);
        put("window_amount", amount);
        put("window_share_percent", self.window_share.map_or(Value::None, Value::Share));
        row
    }

    /// Returns the figures of the ranking's window.
    fn window_fields(&self) -> Value {
        let Some(Value::Object(mut fields)) = self.window.map(Value::from) else { return Value::None };
        fields.push(("share_percent", self.window_share.map_or(Value::None, Value::Share)));
        Value::Object(fields)
    }

    fn fields(&self) -> Value {
        let Value::Object(aggregate) = Value::from(self.aggregate) else { return Value::None };
        let mut fields = vec![("items", Value::Integer(self.items))];
        fields.extend(aggregate);
        fields.push(("share_percent", Value::Share(self.share)));
        Value::Object(fields)
    }
}
