//! Values of JSON as the fields of an event: texts, numbers, identifiers, lists of paths.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ingest::raw_event::Rejection;
use crate::model::{CategoryError, NullMarkers, PathSet, check_path, encode_levels};

/// Returns the content of a string, or the digits of a number.
pub(super) fn scalar<'a>(column: &str, raw: Option<&'a str>) -> Result<Option<Cow<'a, str>>, Rejection> {
    let Some(raw) = raw else { return Ok(None) };
    match raw.as_bytes().first() {
        Some(b'"') if memchr::memchr(b'\\', raw.as_bytes()).is_none() => {
            Ok(Some(Cow::Borrowed(&raw[1..raw.len() - 1])))
        }
        Some(b'"') => match serde_json::from_str::<String>(raw) {
            Ok(text) => Ok(Some(Cow::Owned(text))),
            Err(_) => Err(Rejection::of_column(column, format!("{column} has an invalid escape sequence"))),
        },
        Some(b'-' | b'0'..=b'9') => Ok(Some(Cow::Borrowed(raw))),
        Some(b'{') if let Some(value) = extended_scalar(raw) => scalar(column, Some(value.get())),
        _ => Err(Rejection::of_column(column, format!("{column} is neither a string nor a number"))),
    }
}

/// Returns the string or number of a scalar of MongoDB's extended JSON: `{"$numberInt":"2"}`, or within
/// another, `{"$date":{"$numberLong":"1484395200000"}}`.
fn extended_scalar(raw: &str) -> Option<&RawValue> {
    let value = extended_value(raw)?;
    let inner = if value.get().starts_with('{') { extended_value(value.get())? } else { value };
    (!inner.get().starts_with('{')).then_some(inner)
}

fn extended_value(raw: &str) -> Option<&RawValue> {
    const TYPES: [&str; 7] =
        ["$numberInt", "$numberLong", "$numberDouble", "$numberDecimal", "$date", "$oid", "$uuid"];
    let parsed: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(raw).ok()?;
    let mut entries = parsed.into_iter();
    let (key, value) = entries.next()?;
    (entries.next().is_none() && TYPES.contains(&&*key)).then_some(value)
}

/// Returns an identifier: a text without the whitespace around it, or a number without a fraction of zero,
/// since other programs turn integers with gaps into floats.
pub(super) fn identifier<'a>(column: &str, raw: Option<&'a str>) -> Result<Option<Cow<'a, str>>, Rejection> {
    let id = scalar(column, raw)?;
    let is_text = raw.is_some_and(|raw| raw.starts_with('"'));
    Ok(match id {
        Some(id) if !is_text => Some(without_fraction(id)),
        Some(id) if has_blank_end(&id) => Some(Cow::Owned(id.trim().to_owned())),
        id => id,
    })
}

/// Returns whether a text may begin or end with whitespace.
fn has_blank_end(text: &str) -> bool {
    let may_be_blank = |byte: Option<&u8>| byte.is_some_and(|&byte| byte <= b' ' || byte >= 0x80);
    may_be_blank(text.as_bytes().first()) || may_be_blank(text.as_bytes().last())
}

/// Returns a number as an integer where it is one that a float holds exactly.
fn without_fraction(number: Cow<'_, str>) -> Cow<'_, str> {
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    if !number.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        return number;
    }
    match number.parse::<f64>() {
        Ok(value) if value.fract() == 0.0 && value.abs() <= MAX_EXACT => Cow::Owned(format!("{value:.0}")),
        _ => number,
    }
}

/// Returns a number without its exponent, where it is an integer.
pub(super) fn without_exponent(number: Cow<'_, str>) -> Cow<'_, str> {
    if number.bytes().any(|byte| matches!(byte, b'e' | b'E')) { without_fraction(number) } else { number }
}

/// An array of paths, or of arrays of levels.
#[derive(Deserialize)]
#[serde(untagged)]
enum Paths {
    Paths(Vec<String>),
    Levels(Vec<Vec<String>>),
}

pub(super) fn path_list(raw: &str) -> Result<PathSet, Rejection> {
    let reject = |error: CategoryError| {
        Rejection::of_column("categories", format!("categories has a path that {error}"))
    };
    let paths: Result<Vec<String>, _> = match serde_json::from_str(raw) {
        Ok(Paths::Paths(paths)) => paths.iter().filter(is_value).map(|path| check_path(path)).collect(),
        Ok(Paths::Levels(paths)) => {
            let levels =
                |path: &[String]| encode_levels(path.iter().map(String::as_str).take_while(is_value));
            paths.iter().filter(|path| path.first().is_none_or(is_value)).map(|path| levels(path)).collect()
        }
        Err(_) => {
            let reason = "categories is neither an array of paths nor of arrays of levels";
            return Err(Rejection::of_column("categories", reason));
        }
    };
    paths.and_then(PathSet::of).map_err(reject)
}

/// Returns whether a text is a path or a level, valid or not, and no word for a missing value.
fn is_value(text: &(impl AsRef<str> + ?Sized)) -> bool {
    let text = text.as_ref();
    text.is_empty() || !NullMarkers::default().contains(text)
}
