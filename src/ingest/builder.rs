//! Fields into events: every check that a line must pass, and the reason where it does not.

use hashbrown::HashMap;

use crate::event::{
    Amount, Event, Events, MAX_EVENT_TYPE_BYTES, MAX_ID_BYTES, MAX_QUANTITY, PURCHASE, PathSet, harmless,
};
use crate::lake::Reject;
use crate::time::{Hour, Timestamp, TimestampError};

/// Bytes of a broken line that are kept with the reason.
const MAX_KEPT_BYTES: usize = 16 << 20;

/// The bounds that depend on the run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Events after this moment are refused.
    pub newest: Timestamp,
    /// Events before this hour are refused.
    pub oldest: Option<Hour>,
}

/// When a line says it happened.
#[derive(Clone, Copy, Debug)]
pub enum RawTime<'a> {
    Text(&'a str),
    /// The `date` that a log shipper put in.
    Stamp(&'a str),
    Epoch(i64),
    Micros(i64),
    Missing,
}

/// The categories that a line gives.
#[derive(Clone, Debug)]
pub enum RawCategories<'a> {
    /// Paths joined by `|`.
    Text(&'a str),
    Set(PathSet),
}

/// A line's fields, not yet checked; a field left out is `None`.
#[derive(Clone, Debug)]
pub struct RawEvent<'a> {
    pub ts: RawTime<'a>,
    pub event_id: Option<&'a str>,
    pub item_id: Option<&'a str>,
    pub categories: RawCategories<'a>,
    pub event_type: Option<&'a str>,
    pub quantity: Option<&'a str>,
    pub amount: Option<&'a str>,
}

/// Why a line is no event, and in which column it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub column: Option<String>,
    pub reason: String,
}

/// The events and rejects of one batch as they are read.
pub struct Builder {
    file: String,
    limits: Limits,
    events: Events,
    rejects: Vec<Reject>,
    sets_by_text: HashMap<String, u32>,
    sets: HashMap<PathSet, u32>,
    types: HashMap<String, u32>,
}

impl Refusal {
    /// Returns the refusal of one column.
    pub fn of(column: &str, reason: impl Into<String>) -> Refusal {
        Refusal { column: Some(column.to_owned()), reason: reason.into() }
    }

    /// Returns the refusal of the line as a whole.
    pub fn line(reason: impl Into<String>) -> Refusal {
        Refusal { column: None, reason: reason.into() }
    }
}

impl Builder {
    /// Returns an empty batch of the named input.
    pub fn new(file: &str, limits: Limits) -> Builder {
        Builder {
            file: file.to_owned(),
            limits,
            events: Events::default(),
            rejects: Vec::new(),
            sets_by_text: HashMap::new(),
            sets: HashMap::new(),
            types: HashMap::new(),
        }
    }

    /// Tells whether no line was read, good or bad.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.rejects.is_empty()
    }

    /// Returns what has been read.
    pub fn finish(self) -> (Events, Vec<Reject>) {
        (self.events, self.rejects)
    }

    /// Takes a line's fields as an event.
    ///
    /// # Errors
    /// Says why they are none; the batch is then as it was before.
    pub fn accept(&mut self, raw: &RawEvent<'_>) -> Result<(), Refusal> {
        let ts = self.time(raw.ts)?;
        let item_id = identifier("item_id", raw.item_id)?
            .ok_or_else(|| Refusal::of("item_id", "item_id is empty; every event needs one"))?;
        let event_id = identifier("event_id", raw.event_id)?;
        let quantity = quantity(raw.quantity)?;
        let amount = amount(raw.amount)?;
        let event_type = self.event_type(raw.event_type)?;
        let path_set = self.path_set(&raw.categories)?;
        self.events.push(&Event { ts, event_id, item_id, path_set, event_type, quantity, amount });
        Ok(())
    }

    /// Keeps a line that is no event.
    pub fn reject(&mut self, line: u64, refusal: Refusal, text: &[u8]) {
        let kept = &text[..text.len().min(MAX_KEPT_BYTES)];
        let utf8 = std::str::from_utf8(kept).ok();
        self.rejects.push(Reject {
            file: self.file.clone(),
            line: Some(line),
            column: refusal.column,
            reason: refusal.reason,
            text: utf8.map(str::to_owned),
            bytes_hex: utf8.is_none().then(|| kept.iter().map(|byte| format!("{byte:02x}")).collect()),
        });
    }

    fn time(&self, raw: RawTime<'_>) -> Result<Timestamp, Refusal> {
        let ts = match raw {
            RawTime::Text(text) => Timestamp::parse(text),
            RawTime::Stamp(text) => Timestamp::parse_stamp(text),
            RawTime::Epoch(value) => Timestamp::from_epoch(value),
            RawTime::Micros(value) => Timestamp::from_micros(value),
            RawTime::Missing => Err(TimestampError::Empty),
        }
        .map_err(|error| match (&error, raw) {
            (TimestampError::Empty, _) | (_, RawTime::Missing) => {
                Refusal::of("ts", "ts is empty; every event needs one")
            }
            (_, RawTime::Text(text)) => Refusal::of("ts", format!("ts `{}` {error}", shown(text))),
            (_, RawTime::Stamp(text)) => Refusal::of("date", format!("date `{}` {error}", shown(text))),
            (_, RawTime::Epoch(value) | RawTime::Micros(value)) => {
                Refusal::of("ts", format!("ts `{value}` {error}"))
            }
        })?;
        if ts > self.limits.newest {
            let limit = self.limits.newest;
            return Err(Refusal::of(
                "ts",
                format!("ts `{ts}` lies in the future: the latest accepted now is {limit}"),
            ));
        }
        if let Some(oldest) = self.limits.oldest.filter(|oldest| ts.hour() < *oldest) {
            let oldest = oldest.start();
            return Err(Refusal::of(
                "ts",
                format!("ts `{ts}` is older than what this lake keeps, which begins at {oldest}"),
            ));
        }
        Ok(ts)
    }

    fn event_type(&mut self, raw: Option<&str>) -> Result<u32, Refusal> {
        let name = raw.filter(|name| !name.is_empty()).unwrap_or(PURCHASE);
        if let Some(&code) = self.types.get(name) {
            return Ok(code);
        }
        if name.len() > MAX_EVENT_TYPE_BYTES {
            let reason =
                format!("event_type is {} bytes long; at most {MAX_EVENT_TYPE_BYTES} are taken", name.len());
            return Err(Refusal::of("event_type", reason));
        }
        let code = self.events.event_types.len() as u32;
        self.events.event_types.push(name.to_owned());
        self.types.insert(name.to_owned(), code);
        Ok(code)
    }

    fn path_set(&mut self, raw: &RawCategories<'_>) -> Result<u32, Refusal> {
        match raw {
            RawCategories::Text(text) => {
                if let Some(&code) = self.sets_by_text.get(*text) {
                    return Ok(code);
                }
                let set = PathSet::parse(text).map_err(|error| {
                    Refusal::of("category", format!("category `{}` {error}", shown(text)))
                })?;
                let code = self.path_set_code(set);
                self.sets_by_text.insert((*text).to_owned(), code);
                Ok(code)
            }
            RawCategories::Set(set) => Ok(self.path_set_code(set.clone())),
        }
    }

    fn path_set_code(&mut self, set: PathSet) -> u32 {
        if let Some(&code) = self.sets.get(&set) {
            return code;
        }
        let code = self.events.path_sets.len() as u32;
        self.events.path_sets.push(set.clone());
        self.sets.insert(set, code);
        code
    }
}

fn identifier<'a>(column: &str, raw: Option<&'a str>) -> Result<Option<&'a str>, Refusal> {
    match raw.filter(|id| !id.is_empty()) {
        Some(id) if id.len() > MAX_ID_BYTES => {
            let reason = format!("{column} is {} bytes long; at most {MAX_ID_BYTES} are taken", id.len());
            Err(Refusal::of(column, reason))
        }
        id => Ok(id),
    }
}

fn quantity(raw: Option<&str>) -> Result<i64, Refusal> {
    let Some(text) = raw.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(1) };
    let refuse = |what: String| Refusal::of("quantity", format!("quantity `{}` {what}", shown(text)));
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(refuse("is not a whole number".to_owned()));
    }
    match text.parse::<i64>() {
        Ok(units) if units.unsigned_abs() <= MAX_QUANTITY.unsigned_abs() => Ok(units),
        _ => Err(refuse(format!("is beyond ±{MAX_QUANTITY}"))),
    }
}

fn amount(raw: Option<&str>) -> Result<Option<Amount>, Refusal> {
    let Some(text) = raw.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let refuse = |error| Refusal::of("amount", format!("amount `{}` {error}", shown(text)));
    Amount::parse(text).map(Some).map_err(refuse)
}

/// Returns enough of a field to recognize it by.
fn shown(text: &str) -> String {
    const SHOWN_CHARS: usize = 60;
    let mut short = harmless(&text.chars().take(SHOWN_CHARS).collect::<String>());
    if text.chars().nth(SHOWN_CHARS).is_some() {
        short.push('…');
    }
    short
}
