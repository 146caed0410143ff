//! Lines of NDJSON into fields.
//!
//! Values may be texts or plain numbers. `categories` is an array of paths, or of arrays of
//! levels; where it is given, `category` is not looked at. Keys are those that the mapping names.
//! Where there is no `ts`, a log shipper's `date` is taken for it, and else the time beside the
//! record.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::ingest::builder::{Builder, RawEvent, RawTime, Refusal};
use crate::ingest::fields::{
    AMOUNT, CATEGORIES, CATEGORY, EVENT_ID, EVENT_TYPE, FIELDS, ITEM_ID, QUANTITY, TS,
};
use crate::input_format::{Key, Mapping, tagged_record};
use crate::model::{CategoryError, PathSet, RawCategories, check_path, encode_levels};

/// The keys to look for in each line.
pub struct Keys {
    names: Vec<String>,
    /// Of each field.
    places: Vec<Key>,
    reads_categories: bool,
    reads_category: bool,
    /// Of a log shipper's own time, where no other column was named for it.
    date: Option<usize>,
}

/// A log shipper's own time.
const DATE: &str = "date";

/// One line's values, as they are written.
struct Line<'a> {
    keys: &'a Keys,
    values: Vec<Option<&'a RawValue>>,
}

impl Keys {
    /// Returns the keys that a mapping names.
    pub fn of(mapping: &Mapping) -> Keys {
        let (mut names, places) = mapping.keys();
        let date = mapping.given(TS).is_none().then(|| {
            let known = names.iter().position(|name| name == DATE);
            known.unwrap_or_else(|| {
                names.push(DATE.to_owned());
                names.len() - 1
            })
        });
        // Where one of the two was given a key, the other's own name means nothing.
        let is_read = |field, other| mapping.given(field).is_some() || mapping.given(other).is_none();
        Keys {
            names,
            places,
            reads_categories: is_read(CATEGORIES, CATEGORY),
            reads_category: is_read(CATEGORY, CATEGORIES),
            date,
        }
    }
}

impl<'a> Line<'a> {
    fn value(&self, field: usize) -> Option<&'a RawValue> {
        self.values[self.keys.places[field].whole]
    }

    fn scalar(&self, field: usize) -> Result<Option<Cow<'a, str>>, Refusal> {
        scalar(FIELDS[field], self.value(field))
    }

    /// Returns the category's levels, where each has a key.
    fn levels(&self) -> Result<Vec<Cow<'a, str>>, Refusal> {
        let level = |place: &usize| Ok(scalar("category", self.values[*place])?.unwrap_or_default());
        self.keys.places[CATEGORY].levels.iter().map(level).collect()
    }
}

/// Takes one line as an event.
///
/// # Errors
/// Says why it is none.
pub fn read_line(line: &[u8], keys: &Keys, into: &mut Builder<'_>) -> Result<(), Refusal> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|_| Refusal::line("line is not UTF-8"))?;
    let (stamp, record) = match tagged_record(text) {
        Some(tagged) => (Some(tagged.time), tagged.record.trim_end().strip_suffix(']')),
        None => (None, Some(text)),
    };
    // The library would take an array for the fields in their order.
    let record = record
        .filter(|record| record.trim_start().starts_with('{'))
        .ok_or_else(|| Refusal::line("line is not a JSON object"))?;
    let values = read_values(record, keys).map_err(|error| {
        let whole = error.to_string();
        let what = whole.split(" at line ").next().unwrap_or(&whole);
        Refusal::line(format!("line is not a JSON object: {what} at character {}", error.column()))
    })?;
    let line = Line { keys, values };
    let ts = line.scalar(TS)?;
    let date = keys.date.filter(|_| ts.is_none()).and_then(|place| line.values[place]);
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
        (Some(list), _) => match into.written(list.get()) {
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
        ts: match (ts.as_deref(), date.as_deref().or(stamp)) {
            (Some(ts), _) => RawTime::Text(ts),
            (None, Some(stamp)) => RawTime::Stamp(stamp),
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

/// Returns the values of the keys, in their order; null is none.
fn read_values<'a>(text: &'a str, keys: &'a Keys) -> serde_json::Result<Vec<Option<&'a RawValue>>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let values = json.deserialize_map(ValuesOf(keys))?;
    json.end()?;
    Ok(values)
}

/// Reads the values of the keys and passes over the others.
struct ValuesOf<'a>(&'a Keys);

impl<'a> Visitor<'a> for ValuesOf<'a> {
    type Value = Vec<Option<&'a RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let names = &self.0.names;
        let mut values: Vec<Option<&RawValue>> = vec![None; names.len()];
        while let Some(place) = map.next_key_seed(KeyAmong(names))? {
            let Some(place) = place else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if values[place].is_some() {
                return Err(M::Error::custom(format_args!("duplicate field `{}`", names[place])));
            }
            values[place] = Some(map.next_value()?);
        }
        for value in &mut values {
            *value = value.filter(|raw| raw.get() != "null");
        }
        Ok(values)
    }
}

/// Reads a key as its place among the names.
struct KeyAmong<'a>(&'a [String]);

impl<'de> DeserializeSeed<'de> for KeyAmong<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Option<usize>, D::Error> {
        key.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeyAmong<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|name| name == key))
    }
}

/// Returns a text's content, or a number as it is written.
fn scalar<'a>(column: &str, raw: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>, Refusal> {
    let Some(raw) = raw.map(RawValue::get) else { return Ok(None) };
    match raw.as_bytes().first() {
        Some(b'"') if !raw.contains('\\') => Ok(Some(Cow::Borrowed(&raw[1..raw.len() - 1]))),
        Some(b'"') => match serde_json::from_str::<String>(raw) {
            Ok(text) => Ok(Some(Cow::Owned(text))),
            Err(_) => Err(Refusal::of(column, format!("{column} has an escape that means no character"))),
        },
        Some(b'-' | b'0'..=b'9') => Ok(Some(Cow::Borrowed(raw))),
        _ => Err(Refusal::of(column, format!("{column} is neither a text nor a number"))),
    }
}

/// Paths, or the levels of each.
#[derive(Deserialize)]
#[serde(untagged)]
enum Paths {
    Paths(Vec<String>),
    Levels(Vec<Vec<String>>),
}

fn path_list(raw: &RawValue) -> Result<PathSet, Refusal> {
    let refuse =
        |error: CategoryError| Refusal::of("categories", format!("categories has a path that {error}"));
    let paths: Result<Vec<String>, _> = match serde_json::from_str(raw.get()) {
        Ok(Paths::Paths(paths)) => paths.iter().map(|path| check_path(path)).collect(),
        Ok(Paths::Levels(paths)) => {
            paths.iter().map(|levels| encode_levels(levels.iter().map(String::as_str))).collect()
        }
        Err(_) => {
            let reason = "categories is no array of paths, nor of arrays of levels";
            return Err(Refusal::of("categories", reason));
        }
    };
    paths.and_then(PathSet::of).map_err(refuse)
}
