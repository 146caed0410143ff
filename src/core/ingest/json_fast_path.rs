//! The fast path for common lines of NDJSON: one flat object whose texts have no escapes.
//!
//! Invariant: each line that is accepted here would be accepted as the same event by the parser of all
//! lines, which gets the others.

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::byte_search::{Hits, utf8_prefix};
use crate::ingest::fields::{
    AMOUNT, CATEGORIES, CATEGORY, CURRENCY, EVENT_ID, EVENT_TYPE, ITEM_ID, QUANTITY, TS, VERSION,
};
use crate::ingest::json_values::path_list;
use crate::ingest::ndjson::Keys;
use crate::ingest::raw_event::{RawEvent, RawTime};
use crate::model::RawCategories;

/// The maximum number of keys that are looked up, and of members of an object.
const MAX_KEYS: usize = 16;
/// The maximum length of a line.
const MAX_LINE_BYTES: usize = 1 << 16;
/// After so many lines that are not common ones, the input is known to have others.
const MAX_MISSES: usize = 32;

/// Parses such lines.
pub(super) struct JsonFastPath {
    /// The keys as they are written: `"ts":`.
    written: Vec<String>,
    /// The key of each member of the last line: the next one mostly has the same.
    expected: [usize; MAX_KEYS],
    /// How many lines in a row were not accepted.
    misses: usize,
}

/// The values of one line, by the numbers of their keys.
type Values<'t> = [Option<&'t str>; MAX_KEYS];

impl JsonFastPath {
    /// Returns the fast path for lines with these keys, where it supports them.
    pub fn of(keys: &Keys) -> Option<JsonFastPath> {
        let is_plain = |name: &String| !name.bytes().any(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\'));
        let is_supported = keys.names.len() <= MAX_KEYS
            && keys.names.iter().all(is_plain)
            && keys.fields.iter().all(|field| field.parts.is_none());
        let written = keys.names.iter().map(|name| format!("\"{name}\":")).collect();
        is_supported.then_some(JsonFastPath { written, expected: [0; MAX_KEYS], misses: 0 })
    }

    /// Returns whether any of the last lines were accepted.
    pub fn is_useful(&self) -> bool {
        self.misses < MAX_MISSES
    }

    /// Returns the beginning of some bytes that is text, up to a limit.
    pub fn beginning(bytes: &[u8]) -> &str {
        const MAX_BYTES: usize = 1 << 20;
        utf8_prefix(&bytes[..bytes.len().min(MAX_BYTES)])
    }

    /// Adds the event of the first line of such a beginning to a batch, and returns the length of the line
    /// with its newline; `None` where the line was not accepted.
    pub fn parse(&mut self, text: &str, keys: &Keys, into: &mut BatchBuilder<'_>) -> Option<usize> {
        self.misses += 1;
        let mut values = Values::default();
        let length = self.split(text, &mut values)?;
        keys.note_seen(values.iter().map(Option::is_some));
        into.accept(&event(keys, &values, into)?).ok()?;
        self.misses = 0;
        Some(length)
    }

    /// Finds the values of the first line, and returns its length with its newline.
    fn split<'t>(&mut self, text: &'t str, values: &mut Values<'t>) -> Option<usize> {
        let bytes = &text.as_bytes()[..text.len().min(MAX_LINE_BYTES)];
        let mut at = after(bytes, 0, b'{')?;
        for member in 0..MAX_KEYS {
            let (key, start) = self.key(bytes, at, member)?;
            let start = without_spaces(bytes, start);
            let end = value_end(bytes, start)?;
            // A key that comes twice is for the other parser to refuse.
            if let Some(key) = key
                && values[key].replace(&text[start..end]).is_some()
            {
                return None;
            }
            let end = without_spaces(bytes, end);
            match bytes.get(end)? {
                b',' => at = without_spaces(bytes, end + 1),
                b'}' => return after(bytes, end + 1, b'\n').or_else(|| after_line_end(bytes, end + 1)),
                _ => return None,
            }
        }
        None
    }

    /// Reads the key of a member, and returns its number, if it is looked up, and where it ends behind the
    /// colon.
    #[inline]
    fn key(&mut self, bytes: &[u8], at: usize, member: usize) -> Option<(Option<usize>, usize)> {
        let expected = self.expected[member];
        let written = self.written.get(expected)?;
        if bytes[at..].starts_with(written.as_bytes()) {
            return Some((Some(expected), at + written.len()));
        }
        let end = after(bytes, string_end(bytes, after(bytes, at, b'"')?)?, b':')?;
        let key = self.written.iter().position(|known| known.as_bytes() == &bytes[at..end]);
        if let Some(key) = key {
            self.expected[member] = key;
        }
        Some((key, end))
    }
}

/// Returns the event with some values; `None` where the other parser has to look at them.
fn event<'t>(keys: &Keys, values: &Values<'t>, into: &BatchBuilder<'_>) -> Option<RawEvent<'t>> {
    let value = |field: usize| values[keys.fields[field].whole].filter(|raw| *raw != "null");
    // `None` where the value is neither a text nor a number.
    let text = |field: usize| value(field).map_or(Some(None), |raw| content(raw).map(Some));
    let id = |field: usize| {
        let is_decimal = |raw: &str| !raw.starts_with('"') && raw.contains('.');
        if value(field).is_some_and(is_decimal) { None } else { text(field) }
    };
    let has_exponent = |text: &str| text.bytes().any(|byte| matches!(byte, b'e' | b'E'));
    let quantity = text(QUANTITY)?;
    if quantity.is_some_and(has_exponent) {
        return None;
    }
    let list = value(CATEGORIES).filter(|_| keys.reads_categories);
    let one = value(CATEGORY).filter(|_| keys.reads_category);
    let categories = match (list.or(one.filter(|raw| raw.starts_with('['))), one) {
        (Some(list), _) => match into.path_set_of_text(list) {
            Some(known) => RawCategories::Known(known),
            None => RawCategories::Written(list, path_list(list).ok()?),
        },
        (None, Some(one)) => RawCategories::Text(content(one)?),
        (None, None) => RawCategories::Levels(&[]),
    };
    Some(RawEvent {
        // Without it, a log shipper may have added its own.
        ts: RawTime::Text(text(TS)??),
        event_id: id(EVENT_ID)?,
        item_id: id(ITEM_ID)?,
        categories,
        event_type: text(EVENT_TYPE)?,
        quantity,
        amount: text(AMOUNT)?,
        currency: text(CURRENCY)?,
        version: match keys.reads_version {
            true => text(VERSION)?.map_or(RawTime::Missing, RawTime::Text),
            false => RawTime::Missing,
        },
    })
}

/// Returns the content of a string without escapes, or the digits of a number.
#[inline]
fn content(raw: &str) -> Option<&str> {
    match raw.as_bytes().first()? {
        b'"' => Some(&raw[1..raw.len() - 1]),
        b'-' | b'0'..=b'9' => Some(raw),
        _ => None,
    }
}

/// Returns where a value ends: a string without escapes, a number without an exponent, a literal, or an array
/// of such strings.
#[inline]
fn value_end(bytes: &[u8], start: usize) -> Option<usize> {
    let literal = |text: &str| bytes[start..].starts_with(text.as_bytes()).then_some(start + text.len());
    match bytes.get(start)? {
        b'"' => string_end(bytes, start + 1),
        b'[' => array_end(bytes, start + 1),
        b'n' => literal("null"),
        b't' => literal("true"),
        b'f' => literal("false"),
        _ => number_end(bytes, start),
    }
}

/// Returns where a string ends that starts behind its quote. A quote in the last seven bytes is not found.
#[inline]
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let eight = bytes.get(at..)?.first_chunk()?;
        if let Some(hit) = Hits::in_json(*eight).next() {
            return (eight[hit] == b'"').then_some(at + hit + 1);
        }
        at += 8;
    }
}

fn array_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = without_spaces(bytes, start);
    if let Some(end) = after(bytes, at, b']') {
        return Some(end);
    }
    loop {
        let end = without_spaces(bytes, string_end(bytes, after(bytes, at, b'"')?)?);
        match bytes.get(end)? {
            b',' => at = without_spaces(bytes, end + 1),
            b']' => return Some(end + 1),
            _ => return None,
        }
    }
}

fn number_end(bytes: &[u8], start: usize) -> Option<usize> {
    let digits_end = |from: usize| {
        let digits = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        (digits > 0).then_some(from + digits)
    };
    let whole = after(bytes, start, b'-').unwrap_or(start);
    let end = digits_end(whole)?;
    if bytes[whole] == b'0' && end > whole + 1 {
        return None;
    }
    match after(bytes, end, b'.') {
        Some(fraction) => digits_end(fraction),
        None => Some(end),
    }
}

/// Returns where a line end with a carriage return ends.
fn after_line_end(bytes: &[u8], at: usize) -> Option<usize> {
    after(bytes, after(bytes, at, b'\r')?, b'\n')
}

/// Returns the position behind a byte, where it is this one.
#[inline]
fn after(bytes: &[u8], at: usize, byte: u8) -> Option<usize> {
    (bytes.get(at) == Some(&byte)).then_some(at + 1)
}

#[inline]
fn without_spaces(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at) == Some(&b' ') {
        at += 1;
    }
    at
}
