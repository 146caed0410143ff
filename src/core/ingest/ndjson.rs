//! A record of NDJSON, parsed into fields that have a key each.
//!
//! Values are strings or numbers. `categories` is an array of paths or of arrays of levels; where it is
//! present, `category` is ignored. A line without `ts` takes a log shipper's `date`, or else the time
//! beside the record.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::fields::{
    AMOUNT, CATEGORIES, CATEGORY, CURRENCY, EVENT_ID, EVENT_TYPE, FIELDS, ITEM_ID, QUANTITY, REQUIRED, TS,
    VERSION,
};
use crate::ingest::json_values::{identifier, path_list, scalar, without_exponent};
use crate::ingest::raw_event::{RawEvent, RawTime, Rejection};
use crate::input_format::{FieldColumns, FieldKeys, Mapping};
use crate::model::RawCategories;

/// The keys that are looked up in each line.
pub(super) struct Keys {
    pub names: Vec<String>,
    /// The keys of each field.
    pub fields: Vec<FieldKeys>,
    pub reads_categories: bool,
    pub reads_category: bool,
    pub reads_version: bool,
    /// The key of a log shipper's own time, unless `ts` is mapped.
    date: Option<usize>,
    /// The keys of mapped fields that no record had yet, a bit each.
    unseen: Cell<u64>,
}

/// The key of a log shipper's own time.
const DATE: &str = "date";

/// The raw values of one line.
struct Line<'a> {
    keys: &'a Keys,
    values: Vec<Option<&'a RawValue>>,
}

impl Keys {
    /// Returns the keys of a mapping.
    pub fn of(mapping: &Mapping) -> Keys {
        let (mut names, fields) = mapping.keys();
        let date = mapping.column(TS).is_none().then(|| {
            let known = names.iter().position(|name| name == DATE);
            known.unwrap_or_else(|| {
                names.push(DATE.to_owned());
                names.len() - 1
            })
        });
        // Where one of the two is mapped, the default name of the other is ignored.
        let is_read = |field, other| mapping.column(field).is_some() || mapping.column(other).is_none();
        // What is beyond the bits is not checked.
        let mapped = (0..FIELDS.len()).filter(|&field| mapping.must_have(field, REQUIRED));
        let bits = mapped.flat_map(|field| fields[field].all()).filter(|key| *key < 64);
        let unseen = Cell::new(bits.fold(0, |bits, key| bits | 1 << key));
        Keys {
            names,
            fields,
            reads_categories: is_read(CATEGORIES, CATEGORY),
            reads_category: is_read(CATEGORY, CATEGORIES),
            reads_version: mapping.column(VERSION).is_some(),
            date,
            unseen,
        }
    }

    /// Returns the first key of a mapped field that no record had, and the field.
    pub fn missing(&self) -> Option<(&str, &'static str)> {
        let is_unseen = |key: &usize| *key < 64 && self.unseen.get() & (1 << key) != 0;
        self.fields.iter().zip(FIELDS).find_map(|(keys, &field)| {
            let parts = keys.all().into_iter().skip(1);
            let missing = match parts.clone().next() {
                _ if !is_unseen(&keys.whole) => None,
                None => Some(keys.whole),
                Some(_) => parts.clone().find(is_unseen),
            };
            missing.map(|key| (self.names[key].as_str(), field))
        })
    }

    /// Notes which keys a record has.
    pub fn note_seen(&self, has_key: impl Iterator<Item = bool>) {
        if self.unseen.get() == 0 {
            return;
        }
        for (key, _) in has_key.enumerate().take(64).filter(|(_, has_it)| *has_it) {
            self.unseen.set(self.unseen.get() & !(1 << key));
        }
    }
}

impl<'a> Line<'a> {
    fn value(&self, field: usize) -> Option<&'a RawValue> {
        self.values[self.keys.fields[field].whole]
    }

    fn raw(&self, field: usize) -> Option<&'a str> {
        self.value(field).map(RawValue::get)
    }

    fn scalar(&self, field: usize) -> Result<Option<Cow<'a, str>>, Rejection> {
        scalar(FIELDS[field], self.raw(field))
    }

    /// Returns the levels of the category, where each has a key of its own.
    fn levels(&self) -> Result<Vec<Cow<'a, str>>, Rejection> {
        let level =
            |key: &usize| Ok(scalar("category", self.values[*key].map(RawValue::get))?.unwrap_or_default());
        match &self.keys.fields[CATEGORY].parts {
            Some(FieldColumns::Levels(keys)) => keys.iter().map(level).collect(),
            _ => Ok(Vec::new()),
        }
    }
}

/// Parses a record and adds its event to a batch; `beside` is a time beside it.
///
/// # Errors
/// Returns why the record is not an event.
pub(super) fn parse_record(
    record: &str,
    beside: Option<&str>,
    keys: &Keys,
    into: &mut BatchBuilder<'_>,
) -> Result<(), Rejection> {
    let values = parse_values(record, keys)?;
    let line = Line { keys, values };
    let ts = line.scalar(TS)?;
    let date = keys.date.filter(|_| ts.is_none()).and_then(|key| line.values[key]);
    let date = scalar(DATE, date.map(RawValue::get))?;
    let event_id = identifier(FIELDS[EVENT_ID], line.raw(EVENT_ID))?;
    let item_id = identifier(FIELDS[ITEM_ID], line.raw(ITEM_ID))?;
    let event_type = line.scalar(EVENT_TYPE)?;
    let quantity = line.scalar(QUANTITY)?.map(without_exponent);
    let amount = line.scalar(AMOUNT)?;
    let currency = line.scalar(CURRENCY)?;
    let version = if keys.reads_version { line.scalar(VERSION)? } else { None };
    let (category, levels, borrowed): (Option<Cow<'_, str>>, Vec<Cow<'_, str>>, Vec<&str>);
    let list = line.value(CATEGORIES).filter(|_| keys.reads_categories);
    let one = line.value(CATEGORY).filter(|_| keys.reads_category);
    let categories = match (list.or(one.filter(|raw| raw.get().starts_with('['))), one) {
        (Some(list), _) => match into.path_set_of_text(list.get()) {
            Some(known) => RawCategories::Known(known),
            None => RawCategories::Written(list.get(), path_list(list.get())?),
        },
        (None, Some(_)) => {
            category = line.scalar(CATEGORY)?;
            RawCategories::Text(category.as_deref().unwrap_or(""))
        }
        (None, None) => {
            levels = line.levels()?;
            borrowed = levels.iter().map(AsRef::as_ref).collect();
            RawCategories::Levels(&borrowed)
        }
    };
    into.accept(&RawEvent {
        ts: match (ts.as_deref(), date.as_deref().or(beside)) {
            (Some(ts), _) => RawTime::Text(ts),
            (None, Some(date)) => RawTime::ShipperDate(date),
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

/// Returns the values of the keys, in their order; null is `None`.
fn parse_values<'a>(text: &'a str, keys: &'a Keys) -> Result<Vec<Option<&'a RawValue>>, Rejection> {
    let mut json = serde_json::Deserializer::from_str(text);
    let values = json.deserialize_map(ValuesOf(keys)).and_then(|values| json.end().map(|()| values));
    values.map_err(|error| not_an_object(&error))
}

/// Returns why a text is not an object.
pub(super) fn not_an_object(error: &serde_json::Error) -> Rejection {
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or(&message);
    Rejection::of_line(format!("not a JSON object: {what} at character {}", error.column()))
}

/// Deserializes the values of the keys and ignores those of others.
struct ValuesOf<'a>(&'a Keys);

impl<'a> Visitor<'a> for ValuesOf<'a> {
    type Value = Vec<Option<&'a RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let names = &self.0.names;
        let mut values: Vec<Option<&RawValue>> = vec![None; names.len()];
        while let Some(key) = map.next_key_seed(KeyIndex(names))? {
            let Some(key) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if values[key].is_some() {
                return Err(M::Error::custom(format_args!("duplicate field `{}`", names[key])));
            }
            values[key] = Some(map.next_value()?);
        }
        self.0.note_seen(values.iter().map(Option::is_some));
        for value in &mut values {
            *value = value.filter(|raw| raw.get() != "null");
        }
        Ok(values)
    }
}

/// Deserializes a key as its index in the names.
struct KeyIndex<'a>(&'a [String]);

impl<'de> DeserializeSeed<'de> for KeyIndex<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Option<usize>, D::Error> {
        key.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeyIndex<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|name| name == key))
    }
}
