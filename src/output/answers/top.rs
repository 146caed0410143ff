//! What sold most as an answer: a row for each item, and what all others have sold; by sums, or by decayed scores.

use crate::answers::counts::counted_types;
use crate::answers::time_range::TimeRange;
use crate::formats::{Answer, Column, ColumnType, JsonField, Table, TableColumn, Value};
use crate::terminal::{Cell, Style};
use crate::text::quoted;
use topsell_core::counts::{DecayedQuery, TopQuery, longest_window};
use topsell_core::model::{Aggregate, EventTypes};
use topsell_core::rank::{CategoryRanking, Measure, RankedItem};
use topsell_core::trends::shares_of;

const COLUMNS: [Column; 7] = [
    Column::new("category", ColumnType::Text).json(JsonField::Envelope),
    Column::new("rank", ColumnType::Integer),
    Column::new("item_id", ColumnType::Text),
    Column::new("units", ColumnType::Units),
    Column::new("purchases", ColumnType::Integer),
    Column::new("amount", ColumnType::Amount),
    Column::new("share_percent", ColumnType::Share),
];
const DECAYED_COLUMNS: [Column; 8] = [
    COLUMNS[0],
    COLUMNS[1],
    COLUMNS[2],
    Column::new("score", ColumnType::Number),
    COLUMNS[3],
    COLUMNS[4],
    COLUMNS[5],
    COLUMNS[6],
];

const SHOWN: [TableColumn; 6] = [
    TableColumn::essential("rank", "rank"),
    TableColumn::essential("item_id", "item"),
    TableColumn::minor("units", "units", 9),
    TableColumn::minor("share_percent", "share", 8),
    TableColumn::minor("purchases", "purchases", 7),
    TableColumn::minor("amount", "amount", 6),
];
const DECAYED_SHOWN: [TableColumn; 7] =
    [SHOWN[0], SHOWN[1], TableColumn::minor("score", "score", 10), SHOWN[2], SHOWN[3], SHOWN[4], SHOWN[5]];

/// Items, and what all others have.
struct Listed {
    rows: Vec<Vec<Value>>,
    others: Option<(u64, Aggregate, Value)>,
    eligible_items: u64,
    total: Aggregate,
}

/// Answers with the items that sold most; none where nothing was sold.
pub(super) fn top_items(
    query: &TopQuery<'_>,
    range: &TimeRange,
    found: Option<&CategoryRanking>,
) -> Answer<'static> {
    let listed = Listed::of(query.category, query.measure, found);
    let [from, to] = range.end_names();
    let mut envelope = vec![
        (from, range.times.start.into()),
        (to, range.times.end.into()),
        ("is_filling", range.is_filling().into()),
    ];
    envelope.extend(chosen(query.event_types, query.category, query.measure));
    envelope.extend(listed.fields());
    let of_what = format!("Top items of {}", place(query.category));
    let title = title(&of_what, query.measure, range.shown(), query.event_types, range);
    let table = listed.table(&COLUMNS, SHOWN);
    Answer { title, envelope, tables: vec![table], ..Answer::default() }
}

/// Answers with the items of a decayed ranking; none where no item is eligible.
pub(super) fn decayed_items(
    query: &DecayedQuery<'_>,
    range: &TimeRange,
    found: Option<&CategoryRanking>,
) -> Answer<'static> {
    let DecayedQuery { rules, event_types, category, .. } = *query;
    let mut listed = Listed::of(category, rules.measure, found);
    let scores = found.iter().flat_map(|found| found.items.iter().map(|item| item.score));
    listed.rows.iter_mut().zip(scores).for_each(|(row, score)| row.insert(3, Value::Number(score)));
    // Where nothing was found, all of it was searched.
    let window = found.map_or_else(|| longest_window(rules), |found| found.window);
    let half_life = rules.decay.half_life_hours();
    let mut envelope = vec![
        ("as_of", window.as_of().start().into()),
        ("window_from", window.oldest().start().into()),
        ("window_to", window.as_of().start().into()),
        ("window_hours", i64::from(window.hours()).into()),
        ("is_extended", (window != rules.window).into()),
        ("is_filling", range.is_filling().into()),
        ("half_life_hours", half_life.map_or(Value::None, Value::Number)),
    ];
    envelope.extend(chosen(event_types, category, rules.measure));
    envelope.extend(listed.fields());
    let of_what = format!("Top items of {}, decayed,", place(category));
    let ends = (range.zone.shown(window.oldest()), range.zone.shown(window.as_of()));
    let title = title(&of_what, rules.measure, ends, event_types, range);
    let mut notes = vec![Cell::of(&format!("half-life {} h", half_life.unwrap_or_default()))];
    if window != rules.window {
        let (items, hours) = (rules.min_items, rules.window.hours());
        notes.push(Cell::of(&format!("window extended: fewer than {items} items sold in {hours} hours")));
    }
    let notes = notes.into_iter().map(|note| note.styled(Style::Dim)).collect();
    let table = listed.table(&DECAYED_COLUMNS, DECAYED_SHOWN);
    Answer { title, notes, envelope, tables: vec![table], ..Answer::default() }
}

/// Returns the items that sold most as a table of another answer.
pub(super) fn best_items(category: Option<&str>, found: Option<&CategoryRanking>) -> Table<'static> {
    let listed = Listed::of(category, Measure::Units, found);
    Table { name: "top", ..listed.table(&COLUMNS, SHOWN) }.titled("Top items".to_owned())
}

impl Listed {
    fn of(category: Option<&str>, measure: Measure, found: Option<&CategoryRanking>) -> Listed {
        let items = found.map_or(&[][..], |found| &found.items);
        let total = found.map_or(Aggregate::default(), |found| found.aggregate);
        let eligible_items = found.map_or(0, |found| found.eligible_items);
        let shares = shares_of(items.iter().map(|item| item.aggregate), total, measure);
        let row = |(at, item): (usize, &RankedItem)| {
            let share = shares.as_ref().and_then(|(shares, _)| shares.get(at)).copied();
            let mut row = vec![category.into(), Value::count(at + 1), item.item_id.as_str().into()];
            row.extend(numbers(&item.aggregate));
            row.push(share.map_or(Value::None, Value::Share));
            row
        };
        let rows = items.iter().enumerate().map(row).collect();
        let count = eligible_items.checked_sub(items.len() as u64).filter(|others| *others > 0);
        let others = count.map(|count| {
            let others = items.iter().fold(total, |rest, item| rest.minus(item.aggregate));
            (count, others, shares.as_ref().map_or(Value::None, |(_, share)| Value::Share(*share)))
        });
        Listed { rows, others, eligible_items, total }
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let others = self.others.as_ref().map_or(Value::None, |(items, others, share)| {
            let mut fields = vec![("items", Value::Integer(items.cast_signed()))];
            fields.extend(["units", "purchases", "amount"].into_iter().zip(numbers(others)));
            fields.push(("share_percent", share.clone()));
            Value::Object(fields)
        });
        vec![
            ("eligible_items", Value::Integer(self.eligible_items.cast_signed())),
            ("total", self.total.into()),
            ("others", others),
        ]
    }

    fn table<const N: usize>(self, columns: &'static [Column], shown: [TableColumn; N]) -> Table<'static> {
        let footer = self.others.map(|(items, others, share)| {
            let mut row = vec![Value::None, Value::None, format!("{items} others").into()];
            // A score, which is of no use for all together.
            row.resize(columns.len() - COLUMNS.len() + row.len(), Value::None);
            row.extend(numbers(&others));
            row.push(share);
            row
        });
        let table = Table::new("items", columns, self.rows).showing(shown);
        Table { footer: footer.into_iter().collect(), ..table }
    }
}

/// Returns the fields that say what was asked for.
pub(super) fn chosen(
    event_types: &EventTypes,
    category: Option<&str>,
    measure: Measure,
) -> Vec<(&'static str, Value)> {
    let mut fields = vec![
        ("event_types", Value::Texts(event_types.counted.clone())),
        ("category", category.into()),
        ("measure", measure.name().into()),
    ];
    if !event_types.subtracted.is_empty() {
        fields.push(("subtract", Value::Texts(event_types.subtracted.clone())));
    }
    fields
}

pub(super) fn place(category: Option<&str>) -> String {
    category.map_or("the whole shop".to_owned(), quoted)
}

pub(super) fn title(
    of_what: &str,
    measure: Measure,
    (from, to): (String, String),
    event_types: &EventTypes,
    range: &TimeRange,
) -> String {
    let mut title = format!("{of_what} by {}, {from} to {to}", measure.name());
    title.push_str(&counted_types(event_types));
    title.push_str(range.filling());
    title
}

pub(super) fn numbers(aggregate: &Aggregate) -> [Value; 3] {
    [aggregate.units.into(), aggregate.purchases.into(), Value::Amount(aggregate.amount)]
}
