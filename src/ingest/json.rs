//! Lines of NDJSON into fields.
//!
//! Values may be texts or plain numbers. `categories` is an array of paths, or of arrays of
//! levels; where it is given, `category` is not looked at. Where there is no `ts`, a log shipper's
//! `date` is taken for it, and else the time beside the record.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{CategoryError, PathSet, check_path, encode_levels};
use crate::ingest::builder::{Builder, RawCategories, RawEvent, RawTime, Refusal};
use crate::source::tagged_record;

/// One line's fields, as they are written.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    ts: Option<&'a RawValue>,
    #[serde(borrow)]
    date: Option<&'a RawValue>,
    #[serde(borrow)]
    event_id: Option<&'a RawValue>,
    #[serde(borrow)]
    item_id: Option<&'a RawValue>,
    #[serde(borrow)]
    category: Option<&'a RawValue>,
    #[serde(borrow)]
    categories: Option<&'a RawValue>,
    #[serde(borrow)]
    event_type: Option<&'a RawValue>,
    #[serde(borrow)]
    quantity: Option<&'a RawValue>,
    #[serde(borrow)]
    amount: Option<&'a RawValue>,
}

/// Takes one line as an event.
///
/// # Errors
/// Says why it is none.
pub fn read_line(line: &[u8], into: &mut Builder) -> Result<(), Refusal> {
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
    let fields: Line<'_> = serde_json::from_str(record).map_err(|error| {
        let whole = error.to_string();
        let what = whole.split(" at line ").next().unwrap_or(&whole);
        Refusal::line(format!("line is not a JSON object: {what} at character {}", error.column()))
    })?;
    let ts = scalar("ts", fields.ts)?;
    let date = scalar("date", fields.date.filter(|_| ts.is_none()))?;
    let event_id = scalar("event_id", fields.event_id)?;
    let item_id = scalar("item_id", fields.item_id)?;
    let event_type = scalar("event_type", fields.event_type)?;
    let quantity = scalar("quantity", fields.quantity)?;
    let amount = scalar("amount", fields.amount)?;
    let category;
    let categories = match fields.categories.or(fields.category.filter(|raw| raw.get().starts_with('['))) {
        Some(list) => RawCategories::Set(path_list(list)?),
        None => {
            category = scalar("category", fields.category)?;
            RawCategories::Text(category.as_deref().unwrap_or(""))
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
