//! Sales of single items as an answer: a row for each item, or for each hour, day or weekday of it.

use std::rc::Rc;

use crate::formats::{Answer, Column, ColumnType, Table, TableColumn, Value};
use topsell_core::counts::{Bucket, Buckets, By, ByHour, CountQuery};
use topsell_core::model::{
    Aggregate, AggregateOverflow, EventTypes, PURCHASE, Timestamp, Units, Zone, escape_control,
};
use topsell_core::rollup::RollupError;

/// What has been counted, and how to group it.
pub struct Counts<'a> {
    pub counted: &'a CountQuery<'a>,
    /// In the order in which they were asked for.
    pub items: &'a [(&'a str, ByHour)],
    pub by: Option<By>,
    pub zone: &'a Zone,
    /// The moment that is asked about: the hour that it is in is still filling.
    pub at: Timestamp,
}

const ITEM: Column = Column::new("item_id", ColumnType::Text);
const SPAN: [Column; 3] = [
    Column::new("hours_from", ColumnType::Moment),
    Column::new("hours_to", ColumnType::Moment),
    Column::new("is_filling", ColumnType::Flag),
];
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
    /// Returns the answer.
    ///
    /// # Errors
    /// Names an item whose numbers do not fit.
    pub fn answer(&'a self) -> Result<Answer<'a>, RollupError> {
        let buckets = self.by.map(|by| Rc::new(Buckets::of(self.counted.hours.clone(), by, self.zone)));
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
        let table = Table { nested: Some(Box::new(nested)), ..Table::new("items", &self.columns(), rows) };
        Ok(Answer {
            title: self.title(),
            envelope: self.envelope(),
            tables: vec![table.showing(self.shown())],
            ..Answer::default()
        })
    }

    fn columns(&self) -> Vec<Column> {
        let bucket = self
            .by
            .map(|by| [Column::new(by.name(), ColumnType::Text), Column::new("hours", ColumnType::Integer)]);
        let bucket = bucket.as_ref().map_or(&[][..], <[Column; 2]>::as_slice);
        [&[ITEM][..], bucket, &SPAN, &NUMBERS].concat()
    }

    fn shown(&self) -> Vec<TableColumn> {
        let mut shown = Vec::new();
        // The title names the item, where there is one with many rows.
        if self.only_item().is_none() {
            shown.push(TableColumn::essential("item_id", "item"));
        }
        shown.extend(self.by.map(|by| TableColumn::essential(by.name(), by.name())));
        if matches!(self.by, Some(By::Day | By::Weekday)) {
            shown.push(TableColumn::minor("hours", "hours", 5));
        }
        shown.extend(NUMBERS_SHOWN);
        shown
    }

    fn only_item(&self) -> Option<&'a str> {
        match (self.items, self.by) {
            ([(item_id, _)], Some(_)) => Some(item_id),
            _ => None,
        }
    }

    fn title(&self) -> String {
        let CountQuery { event_types, hours, category, .. } = self.counted;
        let of =
            self.only_item().map(|item_id| format!(" of {}", escape_control(item_id))).unwrap_or_default();
        let place = category.map_or("the whole shop".to_owned(), escape_control);
        let (from, to) = (self.zone.shown(hours.start), self.zone.shown(hours.end));
        let mut title = format!("Counts{of} in {place}, {from} to {to}");
        title.push_str(&counted_types(event_types));
        if self.is_filling() {
            title.push_str(", the last hour still filling");
        }
        title
    }

    fn envelope(&self) -> Vec<(&'static str, Value)> {
        let CountQuery { event_types, hours, category, .. } = self.counted;
        let mut envelope = vec![
            ("hours_from", hours.start.start().into()),
            ("hours_to", hours.end.start().into()),
            ("is_filling", self.is_filling().into()),
            ("event_types", Value::Texts(event_types.counted.clone())),
            ("category", (*category).into()),
        ];
        if !event_types.subtracted.is_empty() {
            envelope.push(("subtract", Value::Texts(event_types.subtracted.clone())));
        }
        envelope.extend(self.by.map(|_| ("time_zone", self.zone.name().into())));
        envelope
    }

    fn is_filling(&self) -> bool {
        self.counted.hours.end.start() > self.at
    }

    fn row(&self, item_id: &str, bucket: Option<&Bucket>, aggregate: &Aggregate) -> Vec<Value> {
        let hours = bucket.map_or(&self.counted.hours, |bucket| &bucket.span);
        let until = bucket.map_or(self.counted.hours.end, |bucket| bucket.until);
        let mut row = vec![item_id.into()];
        row.extend(bucket.into_iter().flat_map(|bucket| [(&bucket.label).into(), bucket.hours.into()]));
        let is_filling = until.start() > self.at;
        row.extend([hours.start.start().into(), hours.end.start().into(), is_filling.into()]);
        row.extend(numbers(aggregate));
        row
    }

    /// Returns an item as JSON has it: its numbers, then those of its buckets.
    fn nested(&self, item_id: &str, by_hour: &ByHour, buckets: Option<&Buckets>) -> Value {
        let mut fields = vec![("item_id", item_id.into())];
        fields.extend(named(&total(by_hour).unwrap_or_default()));
        if let Some((buckets, by)) = buckets.zip(self.by) {
            let aggregates = buckets.aggregates(by_hour).unwrap_or_default();
            let of_buckets = buckets.all.iter().zip(aggregates).map(|(bucket, aggregate)| {
                let place = [(by.name(), (&bucket.label).into()), ("hours", bucket.hours.into())];
                Value::Object(place.into_iter().chain(named(&aggregate)).collect())
            });
            fields.push(("by", Value::Array(of_buckets.collect())));
        }
        Value::Object(fields)
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

fn named(aggregate: &Aggregate) -> impl Iterator<Item = (&'static str, Value)> {
    NUMBERS.iter().map(|column| column.name).zip(numbers(aggregate))
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

/// Returns the amount per unit, halves rounded away from zero; none where there are no units.
fn average(aggregate: &Aggregate) -> Option<i128> {
    // Both are in ten-thousandths, and so is the average.
    const ONE: i128 = Units::ONE.ten_thousandths() as i128;
    let units = i128::from(aggregate.units.ten_thousandths());
    let (whole, rest) = (aggregate.amount.checked_div(units)?, aggregate.amount.checked_rem(units)? * ONE);
    let (places, rest) = (rest / units, rest % units);
    let is_half = rest.unsigned_abs() * 2 >= units.unsigned_abs();
    let away = if (aggregate.amount < 0) == (units < 0) { 1 } else { -1 };
    whole.checked_mul(ONE)?.checked_add(places + if is_half { away } else { 0 })
}

fn total(by_hour: &ByHour) -> Option<Aggregate> {
    by_hour.values().try_fold(Aggregate::default(), |total, aggregate| total.plus(*aggregate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_is_rounded_away_from_zero_and_there_is_none_of_nothing() {
        let check = |amount, units: i32, expected: Option<i128>| {
            let units = units.into();
            let got = average(&Aggregate { purchases: 1, units, amount });
            assert_eq!(got, expected, "{amount} by {units}");
        };
        check(10_000, 3, Some(3_333));
        check(20_000, 3, Some(6_667));
        check(1, 2, Some(1));
        check(-1, 2, Some(-1));
        check(1, -2, Some(-1));
        check(-1, -2, Some(1));
        check(1, 3, Some(0));
        check(10_000, 0, None);
        check(i128::MAX, 1, Some(i128::MAX));
        let half = Aggregate { purchases: 1, units: Units::from_ten_thousandths(5_000), amount: 10_001 };
        assert_eq!(average(&half), Some(20_002), "by half a unit");
        assert_eq!(average(&Aggregate { amount: i128::MAX, ..half }), None, "by half a unit");
    }
}
