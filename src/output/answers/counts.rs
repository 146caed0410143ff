//! Sales of single items, or of all items together, as an answer: a row for each item, or for each hour, day or weekday.

use std::rc::Rc;

use crate::answers::statistics::{Statistic, average};
use crate::answers::time_range::{Precision, TimeRange};
use crate::formats::{Answer, Column, ColumnType, Table, TableColumn, Value};
use crate::terminal::{Cell, Style};
use topsell_core::counts::{Bucket, Buckets, By, ByHour, CountQuery};
use topsell_core::model::{Aggregate, AggregateOverflow, EventTypes, PURCHASE, escape_control};
use topsell_core::rollup::RollupError;

/// What has been counted, and how to group it.
pub(super) struct Counts<'a> {
    pub counted: &'a CountQuery<'a>,
    pub range: &'a TimeRange,
    /// In the order in which they were asked for.
    pub items: &'a [(&'a str, ByHour)],
    pub by: Option<By>,
    /// Only these, instead of the numbers of sales.
    pub statistics: &'a [Statistic],
    pub counting: Counting,
}

/// Whose sales are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    Items,
    /// All items together, as the only one.
    All,
}

const ITEM: Column = Column::new("item_id", ColumnType::Text);
const IS_FILLING: Column = Column::new("is_filling", ColumnType::Flag);
const NUMBERS: [Column; 4] = [
    Column::new("purchases", ColumnType::Integer),
    Column::new("units", ColumnType::Units),
    Column::new("amount", ColumnType::Amount),
    Column::new("average", ColumnType::Amount),
];
const NUMBERS_SHOWN: [TableColumn; 4] = [
    TableColumn::minor("purchases", "purchases", 9),
    TableColumn::minor("units", "units", 8),
    TableColumn::minor("amount", "amount", 7),
    TableColumn::minor("average", "average", 6).or("-"),
];

impl<'a> Counts<'a> {
    /// Returns the answer, with notes and another table beside the counts.
    ///
    /// # Errors
    /// Names an item whose numbers do not fit.
    pub fn answer(
        &'a self,
        notes: &[String],
        beside: Option<Table<'static>>,
    ) -> Result<Answer<'a>, RollupError> {
        let zone = &self.range.zone;
        let buckets = self.by.map(|by| Rc::new(Buckets::of(self.range.hours.clone(), by, zone)));
        // What was checked here needs no check while rows are written.
        for (item_id, by_hour) in self.items {
            let aggregates = buckets.as_ref().map_or(Some(Vec::new()), |buckets| buckets.aggregates(by_hour));
            let overflow = || AggregateOverflow::of(item_id);
            total(by_hour).and(aggregates).ok_or_else(|| RollupError::Overflow(overflow()))?;
        }
        let nested = self.items.iter().map({
            let buckets = buckets.clone();
            move |(item_id, by_hour)| self.nested(item_id, by_hour, buckets.as_deref())
        });
        let rows = self.items.iter().flat_map(move |(item_id, by_hour)| match &buckets {
            None => vec![self.row(item_id, None, &total(by_hour).unwrap_or_default())],
            Some(buckets) => {
                let aggregates = buckets.aggregates(by_hour).unwrap_or_default();
                let rows = buckets.all.iter().zip(aggregates);
                rows.map(|(bucket, aggregate)| self.row(item_id, Some(bucket), &aggregate)).collect()
            }
        });
        let mut tables = match self.counting {
            Counting::Items => {
                let table = Table::new("items", &self.columns(), rows);
                vec![Table { nested: Some(Box::new(nested)), ..table }.showing(self.shown())]
            }
            Counting::All => vec![Table::new("counts", &self.columns(), rows).showing(self.shown())],
        };
        tables.extend(beside);
        Ok(Answer {
            title: self.title(),
            notes: notes.iter().map(|note| Cell::of(note).styled(Style::Bad)).collect(),
            envelope: self.envelope(),
            tables,
            ..Answer::default()
        })
    }

    fn columns(&self) -> Vec<Column> {
        let mut columns = if self.is_total() { Vec::new() } else { vec![ITEM] };
        columns.extend(self.by.map(|by| Column::new(by.name(), ColumnType::Text)));
        columns
            .extend(self.by.filter(|_| self.has_hours()).map(|_| Column::new("hours", ColumnType::Integer)));
        columns.extend(self.range.end_names().map(|name| Column::new(name, ColumnType::Moment)));
        columns.push(IS_FILLING);
        columns.extend(self.number_columns());
        columns
    }

    fn number_columns(&self) -> Vec<Column> {
        match self.statistics {
            [] => NUMBERS.to_vec(),
            statistics => statistics.iter().map(|statistic| statistic.column()).collect(),
        }
    }

    fn shown(&self) -> Vec<TableColumn> {
        let mut shown = Vec::new();
        // The title names the item, where there is one with many rows.
        if self.only_item().is_none() && !self.is_total() {
            shown.push(TableColumn::essential("item_id", "item"));
        }
        shown.extend(self.by.map(|by| TableColumn::essential(by.name(), by.name())));
        if self.has_hours() && matches!(self.by, Some(By::Day | By::Weekday)) {
            shown.push(TableColumn::minor("hours", "hours", 5));
        }
        match self.statistics {
            [] => shown.extend(NUMBERS_SHOWN),
            statistics => shown.extend(statistics.iter().map(|statistic| statistic.shown())),
        }
        shown
    }

    fn is_total(&self) -> bool {
        self.counting == Counting::All
    }

    fn only_item(&self) -> Option<&'a str> {
        match (self.items, self.by) {
            _ if self.is_total() => None,
            ([(item_id, _)], Some(_)) => Some(item_id),
            _ => None,
        }
    }

    fn title(&self) -> String {
        let CountQuery { event_types, category, .. } = self.counted;
        let of =
            self.only_item().map(|item_id| format!(" of {}", escape_control(item_id))).unwrap_or_default();
        let place = category.map_or("the whole shop".to_owned(), escape_control);
        let (from, to) = self.range.shown();
        let types = counted_types(event_types);
        format!("Counts{of} in {place}, {from} to {to}{types}{}", self.range.filling())
    }

    fn envelope(&self) -> Vec<(&'static str, Value)> {
        let CountQuery { event_types, category, .. } = self.counted;
        let [from, to] = self.range.end_names();
        let mut envelope = vec![
            (from, self.range.times.start.into()),
            (to, self.range.times.end.into()),
            ("is_filling", self.range.is_filling().into()),
            ("event_types", Value::Texts(event_types.counted.clone())),
            ("category", (*category).into()),
        ];
        if !event_types.subtracted.is_empty() {
            envelope.push(("subtract", Value::Texts(event_types.subtracted.clone())));
        }
        envelope.extend(self.by.map(|_| ("time_zone", self.range.zone.name().into())));
        if let (true, [(_, by_hour)]) = (self.is_total(), self.items) {
            let total = total(by_hour).unwrap_or_default();
            envelope.push(("total", Value::Object(self.named(&total).collect())));
        }
        envelope
    }

    /// Returns whether all hours are whole.
    fn has_hours(&self) -> bool {
        self.range.precision == Precision::Hours
    }

    fn row(&self, item_id: &str, bucket: Option<&Bucket>, aggregate: &Aggregate) -> Vec<Value> {
        let mut row = if self.is_total() { Vec::new() } else { vec![item_id.into()] };
        row.extend(bucket.map(|bucket| (&bucket.label).into()));
        row.extend(bucket.filter(|_| self.has_hours()).map(|bucket| bucket.hours.into()));
        row.extend(self.ends_of(bucket));
        let until = bucket.map_or(self.range.times.end, |bucket| bucket.until.start());
        row.push((until.min(self.range.times.end) > self.range.at).into());
        row.extend(self.numbers(aggregate));
        row
    }

    /// Returns the time range of a bucket, or of all.
    fn ends_of(&self, bucket: Option<&Bucket>) -> [Value; 2] {
        let times = &self.range.times;
        let (start, end) = match bucket {
            None => (times.start, times.end),
            Some(Bucket { span, .. }) => {
                (span.start.start().max(times.start), span.end.start().min(times.end))
            }
        };
        [start.into(), end.into()]
    }

    /// Returns an item as JSON has it: its numbers, then those of its buckets.
    fn nested(&self, item_id: &str, by_hour: &ByHour, buckets: Option<&Buckets>) -> Value {
        let mut fields = vec![("item_id", item_id.into())];
        fields.extend(self.named(&total(by_hour).unwrap_or_default()));
        if let Some((buckets, by)) = buckets.zip(self.by) {
            let aggregates = buckets.aggregates(by_hour).unwrap_or_default();
            let of_buckets = buckets.all.iter().zip(aggregates).map(|(bucket, aggregate)| {
                let mut fields = vec![(by.name(), (&bucket.label).into())];
                match self.has_hours() {
                    true => fields.push(("hours", bucket.hours.into())),
                    false => {
                        fields.extend(self.range.end_names().into_iter().zip(self.ends_of(Some(bucket))));
                    }
                }
                fields.extend(self.named(&aggregate));
                Value::Object(fields)
            });
            fields.push(("by", Value::Array(of_buckets.collect())));
        }
        Value::Object(fields)
    }

    fn named(&self, aggregate: &Aggregate) -> impl Iterator<Item = (&'static str, Value)> {
        self.number_columns().into_iter().map(|column| column.name).zip(self.numbers(aggregate))
    }

    fn numbers(&self, aggregate: &Aggregate) -> Vec<Value> {
        match self.statistics {
            [] => numbers(aggregate).into(),
            statistics => statistics.iter().map(|statistic| statistic.of(aggregate)).collect(),
        }
    }
}

/// Returns what a title says of the event types, where they are others than purchases.
pub(super) fn counted_types(event_types: &EventTypes) -> String {
    let mut text = String::new();
    if event_types.counted != [PURCHASE] {
        text.push_str(&format!(", counting {}", escape_control(&event_types.counted.join(", "))));
    }
    if !event_types.subtracted.is_empty() {
        text.push_str(&format!(", subtracting {}", escape_control(&event_types.subtracted.join(", "))));
    }
    text
}

fn numbers(aggregate: &Aggregate) -> [Value; 4] {
    let amount = Value::Amount(aggregate.amount);
    [
        aggregate.purchases.into(),
        aggregate.units.into(),
        amount,
        average(aggregate).map_or(Value::None, Value::Amount),
    ]
}

fn total(by_hour: &ByHour) -> Option<Aggregate> {
    by_hour.values().try_fold(Aggregate::default(), |total, aggregate| total.plus(*aggregate))
}
