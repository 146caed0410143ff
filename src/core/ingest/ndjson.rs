//! A line of NDJSON, parsed into fields.
//!
//! Values are strings or numbers. `categories` is an array of paths or of arrays of levels; where it is
//! present, `category` is ignored. A line without `ts` takes a log shipper's `date`, or else the time
//! beside the record.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::fields::{
    AMOUNT, CATEGORIES, CATEGORY, EVENT_ID, EVENT_TYPE, FIELDS, ITEM_ID, QUANTITY, TS,
};
use crate::ingest::raw_event::{RawEvent, RawTime, Rejection};
use crate::input_format::{FieldColumns, FieldKeys, Mapping, fluent_bit_record};
use crate::model::{CategoryError, PathSet, RawCategories, check_path, encode_levels};

/// The keys that are looked up in each line.
pub(super) struct Keys {
    names: Vec<String>,
    /// The keys of each field.
    fields: Vec<FieldKeys>,
    reads_categories: bool,
    reads_category: bool,
    /// The key of a log shipper's own time, unless `ts` is mapped.
    date: Option<usize>,
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
        Keys {
            names,
            fields,
            reads_categories: is_read(CATEGORIES, CATEGORY),
            reads_category: is_read(CATEGORY, CATEGORIES),
            date,
        }
    }
}

impl<'a> Line<'a> {
    fn value(&self, field: usize) -> Option<&'a RawValue> {
        self.values[self.keys.fields[field].whole]
    }

    fn scalar(&self, field: usize) -> Result<Option<Cow<'a, str>>, Rejection> {
        scalar(FIELDS[field], self.value(field))
    }

    /// Returns the levels of the category, where each has a key of its own.
    fn levels(&self) -> Result<Vec<Cow<'a, str>>, Rejection> {
        let level = |key: &usize| Ok(scalar("category", self.values[*key])?.unwrap_or_default());
        match &self.keys.fields[CATEGORY].parts {
            Some(FieldColumns::Levels(keys)) => keys.iter().map(level).collect(),
            _ => Ok(Vec::new()),
        }
    }
}

/// Parses one line and adds its event to a batch.
///
/// # Errors
/// Returns why the line is not an event.
pub(super) fn parse_line(line: &[u8], keys: &Keys, into: &mut BatchBuilder<'_>) -> Result<(), Rejection> {
    let (shipper_date, record) = split_line(line)?;
    let values = parse_values(record, keys)?;
    let line = Line { keys, values };
    let ts = line.scalar(TS)?;
    let date = keys.date.filter(|_| ts.is_none()).and_then(|key| line.values[key]);
    let date = scalar(DATE, date)?;
    let event_id = line.scalar(EVENT_ID)?;
    let item_id = line.scalar(ITEM_ID)?;
    let event_type = line.scalar(EVENT_TYPE)?;
    let quantity = line.scalar(QUANTITY)?;
    let amount = line.scalar(AMOUNT)?;
    let (category, levels, borrowed): (Option<Cow<'_, str>>, Vec<Cow<'_, str>>, Vec<&str>);
    let list = line.value(CATEGORIES).filter(|_| keys.reads_categories);
    let one = line.value(CATEGORY).filter(|_| keys.reads_category);
    let categories = match (list.or(one.filter(|raw| raw.get().starts_with('['))), one) {
        (Some(list), _) => match into.path_set_of_text(list.get()) {
            Some(known) => RawCategories::Known(known),
            None => RawCategories::Written(list.get(), path_list(list)?),
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
        ts: match (ts.as_deref(), date.as_deref().or(shipper_date)) {
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
    })
}

/// Returns the time beside the record, if there is one, and the record.
fn split_line(line: &[u8]) -> Result<(Option<&str>, &str), Rejection> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|_| Rejection::of_line("line is not UTF-8"))?;
    let (time, record) = match fluent_bit_record(text) {
        Some(line) => (Some(line.time), line.record.trim_end().strip_suffix(']')),
        None => (None, Some(text)),
    };
    // serde_json would deserialize an array as the fields in their order.
    match record.filter(|record| record.trim_start().starts_with('{')) {
        Some(record) => Ok((time, record)),
        None => Err(Rejection::of_line("not a JSON object")),
    }
}

/// Returns the values of the keys, in their order; null is `None`.
fn parse_values<'a>(text: &'a str, keys: &'a Keys) -> Result<Vec<Option<&'a RawValue>>, Rejection> {
    let mut json = serde_json::Deserializer::from_str(text);
    let values = json.deserialize_map(ValuesOf(keys)).and_then(|values| json.end().map(|()| values));
    values.map_err(|error| {
        let message = error.to_string();
        let what = message.split(" at line ").next().unwrap_or(&message);
        Rejection::of_line(format!("not a JSON object: {what} at character {}", error.column()))
    })
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

/// Returns the content of a string, or the digits of a number.
fn scalar<'a>(column: &str, raw: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>, Rejection> {
    let Some(raw) = raw.map(RawValue::get) else { return Ok(None) };
    match raw.as_bytes().first() {
        Some(b'"') if !raw.contains('\\') => Ok(Some(Cow::Borrowed(&raw[1..raw.len() - 1]))),
        Some(b'"') => match serde_json::from_str::<String>(raw) {
            Ok(text) => Ok(Some(Cow::Owned(text))),
            Err(_) => Err(Rejection::of_column(column, format!("{column} has an invalid escape sequence"))),
        },
        Some(b'-' | b'0'..=b'9') => Ok(Some(Cow::Borrowed(raw))),
        _ => Err(Rejection::of_column(column, format!("{column} is neither a string nor a number"))),
    }
}

/// An array of paths, or of arrays of levels.
#[derive(Deserialize)]
#[serde(untagged)]
enum Paths {
    Paths(Vec<String>),
    Levels(Vec<Vec<String>>),
}

fn path_list(raw: &RawValue) -> Result<PathSet, Rejection> {
    let reject = |error: CategoryError| {
        Rejection::of_column("categories", format!("categories has a path that {error}"))
    };
    let paths: Result<Vec<String>, _> = match serde_json::from_str(raw.get()) {
        Ok(Paths::Paths(paths)) => paths.iter().map(|path| check_path(path)).collect(),
        Ok(Paths::Levels(paths)) => {
            paths.iter().map(|levels| encode_levels(levels.iter().map(String::as_str))).collect()
        }
        Err(_) => {
            let reason = "categories is neither an array of paths nor of arrays of levels";
            return Err(Rejection::of_column("categories", reason));
        }
    };
    paths.and_then(PathSet::of).map_err(reject)
}
