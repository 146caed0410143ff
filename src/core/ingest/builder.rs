//! Fields into events: every check that a line must pass, and the reason where it does not.

use hashbrown::HashMap;

use crate::ingest::{Options, Reading};
use crate::item_catalog::ItemCatalog;
use crate::lake::{LakeSettings, Reject};
use crate::model::{
    Amount, Event, Events, MAX_EVENT_TYPE_BYTES, MAX_ID_BYTES, MAX_QUANTITY, PURCHASE, PathSets,
    RawCategories, shown,
};
use crate::model::{Days, Hour, Timestamp, TimestampError};

/// Bytes of a broken line that are kept with the reason.
const MAX_KEPT_BYTES: usize = 16 << 20;
/// Bytes that an event and a rejected line take in memory besides their texts, roughly.
const BYTES_PER_EVENT: usize = 96;
const BYTES_PER_REJECT: usize = 256;
/// A part of a batch may be so many times as large in memory as a slice is on disk, as only lines
/// shorter than those of any log are; but parts of less than this are not worth their files.
const SLICES_PER_PART: u64 = 4;
const MIN_PART_BYTES: u64 = 8 << 20;

/// What a line is judged by that depends on the run.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Events after this moment are refused.
    pub newest: Timestamp,
    /// Events before this hour are refused.
    pub oldest: Option<Hour>,
    /// Times without an offset are UTC; else they are refused.
    pub assumes_utc: bool,
    /// Gives the categories of items whose line has none.
    pub catalog: Option<&'a ItemCatalog>,
}

impl<'a> Limits<'a> {
    /// Returns the limits at a moment.
    pub fn at(now: Timestamp, options: &Options, settings: LakeSettings, reading: Reading<'a>) -> Limits<'a> {
        Limits {
            newest: now.plus_seconds(options.max_skew_seconds),
            oldest: settings.oldest_kept(now),
            assumes_utc: reading.mapping.assumes_utc(),
            catalog: reading.catalog,
        }
    }
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

/// The events and rejects of one batch, or of a part of one, as they are read.
pub struct Builder<'a> {
    file: String,
    limits: Limits<'a>,
    read: Read,
    path_sets: PathSets,
    days: Days,
    types: HashMap<String, u32>,
    /// The type of the event before: mostly there is but one.
    last_type: u32,
    /// For the catalog's numbers of sets those of this batch.
    filed_under: HashMap<u32, u32>,
    held_bytes: usize,
    /// Bytes that are held before what was read is to be handed on.
    most_bytes: u64,
}

/// What has been read of one batch.
#[derive(Default)]
pub struct Read {
    pub events: Events,
    pub rejects: Vec<Reject>,
    /// Events whose categories the catalog gave.
    pub filed: u64,
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

impl Builder<'_> {
    /// Returns an empty batch of the named input, in a lake with slices of so many bytes.
    pub fn new<'a>(file: &str, limits: Limits<'a>, slice_bytes: u64) -> Builder<'a> {
        Builder {
            file: file.to_owned(),
            limits,
            read: Read::default(),
            path_sets: PathSets::default(),
            days: Days::default(),
            types: HashMap::new(),
            last_type: 0,
            filed_under: HashMap::new(),
            held_bytes: 0,
            most_bytes: slice_bytes.saturating_mul(SLICES_PER_PART).max(MIN_PART_BYTES),
        }
    }

    /// Tells whether no line was read, good or bad.
    pub fn is_empty(&self) -> bool {
        self.read.events.is_empty() && self.read.rejects.is_empty()
    }

    /// Tells whether more of the batch would be more than is to be held in memory.
    pub fn is_full(&self) -> bool {
        self.held_bytes as u64 >= self.most_bytes
    }

    /// Returns what has been read.
    pub fn finish(mut self) -> Read {
        self.path_sets.shrink();
        self.read.events.path_sets = self.path_sets;
        self.read
    }

    /// Returns the set of paths that another line has written in the same way.
    pub fn written(&self, categories: &str) -> Option<u32> {
        self.path_sets.written(categories)
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
        let path_set = self.path_set(&raw.categories, item_id)?;
        self.held_bytes += BYTES_PER_EVENT + item_id.len() + event_id.map_or(0, str::len);
        self.read.events.push(&Event { ts, event_id, item_id, path_set, event_type, quantity, amount });
        Ok(())
    }

    /// Keeps a line that is no event.
    pub fn reject(&mut self, line: u64, refusal: Refusal, text: &[u8]) {
        let kept = &text[..text.len().min(MAX_KEPT_BYTES)];
        let utf8 = std::str::from_utf8(kept).ok();
        self.held_bytes += BYTES_PER_REJECT + utf8.map_or(2 * kept.len(), str::len);
        self.read.rejects.push(Reject {
            file: self.file.clone(),
            line: Some(line),
            column: refusal.column,
            reason: refusal.reason,
            text: utf8.map(str::to_owned),
            bytes_hex: utf8.is_none().then(|| kept.iter().map(|byte| format!("{byte:02x}")).collect()),
        });
    }

    fn time(&mut self, raw: RawTime<'_>) -> Result<Timestamp, Refusal> {
        let ts = match raw {
            RawTime::Text(text) if self.limits.assumes_utc => Timestamp::parse_assuming_utc(text),
            RawTime::Text(text) => self.days.parse(text),
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
        if self.read.events.event_types.get(self.last_type as usize).is_some_and(|last| last == name) {
            return Ok(self.last_type);
        }
        if let Some(&code) = self.types.get(name) {
            self.last_type = code;
            return Ok(code);
        }
        if name.len() > MAX_EVENT_TYPE_BYTES {
            let reason =
                format!("event_type is {} bytes long; at most {MAX_EVENT_TYPE_BYTES} are taken", name.len());
            return Err(Refusal::of("event_type", reason));
        }
        let code = self.read.events.event_types.len() as u32;
        self.read.events.event_types.push(name.to_owned());
        self.types.insert(name.to_owned(), code);
        Ok(code)
    }

    fn path_set(&mut self, raw: &RawCategories<'_>, item_id: &str) -> Result<u32, Refusal> {
        let code = self
            .path_sets
            .read(raw)
            .map_err(|error| Refusal::of("category", format!("{} {error}", raw.shown())))?;
        let Some(catalog) = self.limits.catalog else { return Ok(code) };
        if !self.path_sets.members(code).is_empty() {
            return Ok(code);
        }
        let Some(filed) = catalog.find(item_id) else { return Ok(code) };
        self.read.filed += 1;
        let code = self.filed_under.entry(filed).or_insert_with(|| self.path_sets.code(catalog.paths(filed)));
        Ok(*code)
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
    if let Some([digit @ b'0'..=b'9']) = raw.map(str::as_bytes) {
        return Ok(i64::from(digit - b'0'));
    }
    let Some(text) = raw.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(1) };
    let refuse = |what: String| Refusal::of("quantity", format!("quantity `{}` {what}", shown(text)));
    // Other programs turn integers with gaps into decimals: `1.0`.
    let text = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    };
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
