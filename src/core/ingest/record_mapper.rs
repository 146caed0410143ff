//! Records whose fields need more than a column each: filtered, filled, composed.
//!
//! Formats hand over the values of one record by the numbers of its columns; most inputs need none of
//! this and do not come here.

use std::borrow::Cow;

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::field_values::ValueStyle;
use crate::ingest::fields::{
    AMOUNT, CATEGORY, CURRENCY, EVENT_ID, EVENT_TYPE, ITEM_ID, QUANTITY, REQUIRED, TS, VERSION,
};
use crate::ingest::raw_event::{RawEvent, RawTime, Rejection};
use crate::input_format::{DecimalMark, FieldColumns, Filter, Mapping};
use crate::model::{Amount, NullMarkers, PathSet, RawCategories, shown};

/// The fields of an order, as opposed to those of its lines: they are filled from the order's first line.
const ORDER_FIELDS: [usize; 3] = [TS, EVENT_TYPE, CURRENCY];

/// The value of a column in a record; none where it is missing.
pub(super) type Value<'a> = Option<Cow<'a, str>>;

/// Turns records into events.
pub(super) struct RecordMapper<'a> {
    /// The columns of each field.
    columns: Vec<Option<FieldColumns>>,
    style: ValueStyle,
    filter: Option<(&'a Filter, Vec<usize>)>,
    fill: Option<Fill>,
}

/// What is known of a record beside its columns.
#[derive(Default)]
pub(super) struct Beside<'a> {
    /// The time for a record without one.
    pub time: Option<&'a str>,
    /// The categories, where they are a list.
    pub path_set: Option<PathSet>,
    /// How many events with the same ids the same line has before.
    pub occurrence: usize,
}

/// The values that an order's later lines take from its first one.
struct Fill {
    key: usize,
    columns: Vec<usize>,
    order: Option<String>,
    values: Vec<Option<String>>,
    /// The ids and items of the order's lines so far.
    lines: Vec<(String, String)>,
}

impl RecordMapper<'_> {
    /// Returns whether the mapping needs it.
    pub fn is_needed(mapping: &Mapping, columns: &[Option<FieldColumns>]) -> bool {
        let is_composed = |columns: &Option<FieldColumns>| {
            matches!(columns, Some(FieldColumns::Joined(_) | FieldColumns::Product(..)))
        };
        mapping.options().needs_records() || columns.iter().any(is_composed)
    }

    /// Returns the mapper of records with columns of these names.
    ///
    /// # Errors
    /// Names the column that is missing.
    pub fn of<'a>(mapping: &'a Mapping, names: &[String]) -> Result<RecordMapper<'a>, String> {
        let columns = mapping.columns(names, REQUIRED)?;
        let options = mapping.options();
        let number = |name: &String, option: &str| {
            let found = names.iter().position(|known| known == name);
            found.ok_or_else(|| format!("has no column `{}`, which {option} needs", shown(name)))
        };
        let filter = options.filter.as_ref().map(|filter| {
            let columns = filter.columns().iter().map(|name| number(name, "where"));
            Ok::<_, String>((filter, columns.collect::<Result<Vec<usize>, _>>()?))
        });
        let filter = filter.transpose()?;
        let fill = options.fill.as_ref().map(|key| {
            let key = number(key, "fill")?;
            let mut filled: Vec<usize> = ORDER_FIELDS
                .iter()
                .flat_map(|&field| columns[field].iter().flat_map(FieldColumns::all))
                .collect();
            filled.extend(filter.iter().flat_map(|(_, columns)| columns));
            filled.retain(|column| *column != key);
            filled.sort_unstable();
            filled.dedup();
            Ok::<_, String>(Fill { key, columns: filled, order: None, values: Vec::new(), lines: Vec::new() })
        });
        let style = ValueStyle { nulls: NullMarkers::with(&options.nulls), decimal: options.decimal };
        Ok(RecordMapper { fill: fill.transpose()?, filter, columns, style })
    }

    /// Adds the event of a record to a batch, or counts the record as filtered.
    ///
    /// # Errors
    /// Returns why the record is not an event.
    pub fn accept(&mut self, values: &mut [Value<'_>], into: &mut BatchBuilder<'_>) -> Result<(), Rejection> {
        if self.filters_out(values) {
            into.filter_line();
            return Ok(());
        }
        let ids = self.ids(values).map(|id| id.filter(|id| self.style.value(Some(id.as_ref())).is_some()));
        let occurrence = match (&mut self.fill, ids) {
            (Some(fill), [Some(event_id), Some(item_id)]) => fill.occurrence(&event_id, &item_id),
            _ => 0,
        };
        self.accept_used(values, Beside { occurrence, ..Beside::default() }, into)
    }

    /// Returns whether a column is read.
    pub fn uses(&self, column: usize) -> bool {
        let of_filter = self.filter.as_ref().is_some_and(|(_, columns)| columns.contains(&column));
        let is_key = self.fill.as_ref().is_some_and(|fill| fill.key == column);
        of_filter || is_key || self.columns.iter().flatten().any(|columns| columns.all().contains(&column))
    }

    /// Fills a record, and returns whether it is filtered.
    pub fn filters_out(&mut self, values: &mut [Value<'_>]) -> bool {
        if let Some(fill) = &mut self.fill {
            fill.apply(values, &self.style);
        }
        let passes = |(filter, columns): &(&Filter, Vec<usize>)| {
            filter.passes(&|at| self.style.value(values[columns[at]].as_deref()))
        };
        !self.filter.as_ref().is_none_or(passes)
    }

    /// Returns the event id and the item of a record.
    pub fn ids<'v>(&self, values: &'v [Value<'_>]) -> [Value<'v>; 2] {
        [self.text(EVENT_ID, values), self.text(ITEM_ID, values)]
    }

    /// Adds the event of a record that is not filtered to a batch.
    ///
    /// # Errors
    /// Returns why the record is not an event.
    pub fn accept_used(
        &self,
        values: &[Value<'_>],
        beside: Beside<'_>,
        into: &mut BatchBuilder<'_>,
    ) -> Result<(), Rejection> {
        let [event_id, item_id] = self.ids(values);
        let event_id = event_id.map(|id| match beside.occurrence {
            0 => id,
            earlier => Cow::Owned(format!("{id}#{}", earlier + 1)),
        });
        let event_type = self.text(EVENT_TYPE, values);
        let quantity = self.text(QUANTITY, values);
        let amount = self.text(AMOUNT, values);
        let version = self.text(VERSION, values);
        let ts = self.text(TS, values);
        let currency = self.text(CURRENCY, values);
        let category = self.text(CATEGORY, values);
        let levels: Vec<&str>;
        let categories = match (&self.columns[CATEGORY], beside.path_set) {
            (_, Some(set)) => RawCategories::Set(set),
            (Some(FieldColumns::Levels(columns)), None) => {
                levels = columns.iter().map(|&column| values[column].as_deref().unwrap_or("")).collect();
                RawCategories::Levels(&levels)
            }
            _ => RawCategories::Text(category.as_deref().unwrap_or("")),
        };
        into.accept(&RawEvent {
            ts: match (ts.as_deref(), beside.time) {
                (Some(ts), _) => RawTime::Text(ts),
                (None, Some(time)) => RawTime::ShipperDate(time),
                (None, None) => RawTime::Missing,
            },
            event_id: event_id.as_deref(),
            item_id: item_id.as_deref(),
            categories,
            event_type: event_type.as_deref(),
            quantity: quantity.as_deref(),
            amount: amount.as_deref(),
            currency: currency.as_deref(),
            version: version.as_deref().map_or(RawTime::Missing, RawTime::Text),
        })
    }

    /// Returns the text of a field.
    fn text<'v>(&self, field: usize, values: &'v [Value<'_>]) -> Option<Cow<'v, str>> {
        let value = |column: usize| self.style.value(values[column].as_deref());
        match &self.columns[field] {
            None | Some(FieldColumns::Levels(_)) => None,
            Some(FieldColumns::One(column)) => values[*column].as_deref().map(Cow::Borrowed),
            Some(FieldColumns::Joined(columns)) if field == TS => {
                let texts: Vec<&str> = columns.iter().filter_map(|&column| value(column)).collect();
                (!texts.is_empty()).then(|| Cow::Owned(texts.join(" ")))
            }
            Some(FieldColumns::Joined(columns)) => joined(columns.iter().map(|&column| value(column))),
            Some(FieldColumns::Product(one, other)) => self.product(value(*one), value(*other)),
        }
    }

    /// Returns the product of two numbers, rounded to four places, halves away from zero; none where one of
    /// them is missing. Where there is none, the text that is no amount, to be refused as such.
    fn product<'v>(&self, one: Option<&'v str>, other: Option<&'v str>) -> Option<Cow<'v, str>> {
        let (Some(one_text), Some(other_text)) = (one, other) else { return None };
        let number = |text| match self.style.amount(Some(text)) {
            Ok(read) => Ok(read.amount),
            Err(_) => Err(Some(Cow::Borrowed(text))),
        };
        let (one, other) = match (number(one_text), number(other_text)) {
            (Ok(Some(one)), Ok(Some(other))) => (one, other),
            (Err(bad), _) | (_, Err(bad)) => return bad,
            _ => return None,
        };
        let exact = i128::from(one.ten_thousandths()) * i128::from(other.ten_thousandths());
        let rounded = (exact.abs() + 5_000) / 10_000 * exact.signum();
        let Some(amount) = Amount::from_ten_thousandths(rounded) else {
            return Some(Cow::Owned(format!("{one_text} * {other_text}")));
        };
        // It is read again as the amounts of the input are.
        Some(Cow::Owned(match self.style.decimal {
            Some(DecimalMark::Comma) => amount.to_string().replace('.', ","),
            _ => amount.to_string(),
        }))
    }
}

impl Fill {
    /// Returns how many earlier lines of the order have the same event id and item. They sell the same item,
    /// so that it does not matter in which order they come.
    fn occurrence(&mut self, event_id: &str, item_id: &str) -> usize {
        let earlier = self.lines.iter().filter(|(event, item)| event == event_id && item == item_id).count();
        self.lines.push((event_id.to_owned(), item_id.to_owned()));
        earlier
    }

    fn apply(&mut self, values: &mut [Value<'_>], style: &ValueStyle) {
        let is_empty = |value: &Value<'_>| style.value(value.as_deref()).is_none();
        if self.order.is_none() || self.order.as_deref() != values[self.key].as_deref() {
            self.order = values[self.key].as_deref().map(str::to_owned);
            let value = |column: &usize| values[*column].as_deref().map(str::to_owned);
            self.values = self.columns.iter().map(value).collect();
            self.lines.clear();
            return;
        }
        for (column, value) in self.columns.iter().zip(&self.values) {
            if is_empty(&values[*column]) {
                values[*column] = value.clone().map(Cow::Owned);
            }
        }
    }
}

/// Returns texts joined by `+`, which is escaped in them, so that two lists never make one text; none
/// where all are empty.
fn joined<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Option<Cow<'a, str>> {
    let texts: Vec<&str> = texts.map(|text| text.unwrap_or("").trim()).collect();
    if texts.iter().all(|text| text.is_empty()) {
        return None;
    }
    let escaped: Vec<String> =
        texts.iter().map(|text| text.replace('%', "%25").replace('+', "%2B")).collect();
    Some(Cow::Owned(escaped.join("+")))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::ingest::fields::FIELDS;

    #[test]
    fn ids_of_several_columns_never_collide() {
        let check = |texts: &[Option<&str>], expected: Option<&str>| {
            assert_eq!(joined(texts.iter().copied()).as_deref(), expected, "{texts:?}");
        };
        check(&[Some("1001"), Some("2")], Some("1001+2"));
        check(&[Some("a+b"), Some("c")], Some("a%2Bb+c"));
        check(&[Some("a"), Some("b+c")], Some("a+b%2Bc"));
        check(&[Some("a%2Bb"), None], Some("a%252Bb+"));
        check(&[None, Some(" ")], None);
    }

    #[test]
    fn products_are_exact_to_four_places() {
        let mapping = Mapping::none(FIELDS);
        let names = ["ts".to_owned(), "item_id".to_owned()];
        let mapper = RecordMapper::of(&mapping, &names).expect("the columns are there");
        let check = |one: &str, other: &str, expected: Option<&str>| {
            let got = mapper.product(Some(one), Some(other));
            assert_eq!(got.as_deref(), expected, "{one} * {other}");
        };
        check("10.00", "2", Some("20.0000"));
        check("0.0001", "0.5", Some("0.0001"));
        check("-0.0001", "0.5", Some("-0.0001"));
        check("0.333", "0.333", Some("0.1109"));
        check("", "2", None);
        check("1,234.50", "2", Some("2469.0000"));
        check("NULL", "2", None);
        check("x", "1", Some("x"));
        check("1", "1,234", Some("1,234"));
        check("99999999999999", "99999999999999", Some("99999999999999 * 99999999999999"));
    }
}
