//! The events of one batch, built from the fields of its lines.
//!
//! Invariant: a line whose fields fail a check leaves the batch as it was.

use std::rc::Rc;

use hashbrown::HashMap;

use crate::ingest::currency_check::CurrencyCheck;
use crate::ingest::field_values::{ValueStyle, or_dropped, version};
use crate::ingest::fields::FIELDS;
use crate::ingest::folder_values::FolderValues;
use crate::ingest::kept_rejects::KeptRejects;
use crate::ingest::limits::Limits;
use crate::ingest::line_counts::LineCounts;
use crate::ingest::notices::NoticeKind;
use crate::ingest::number_styles::NumberStyles;
use crate::ingest::odd_ids::{other_case_of_purchase, suspicion_of_id};
use crate::ingest::parsed::ParsedLines;
use crate::ingest::raw_event::{RawEvent, RawTime, Rejection};
use crate::ingest::rejected_times::{check_limits, time_rejection};
use crate::input_format::BadField;
use crate::lake::BatchSize;
use crate::model::{Currency, Hour, NullMarkers};
use crate::model::{Event, MAX_EVENT_TYPE_BYTES, PURCHASE, PathSets, RawCategories, shown};
use crate::model::{EventTimes, Timestamp, TimestampError, read_event_time};

/// Approximate memory of an event besides its texts.
const BYTES_PER_EVENT: usize = 96;
/// The memory of a part of a batch, as a multiple of the slice size: only logs with uncommonly short
/// lines reach it.
const SLICES_PER_PART: u64 = 4;
/// The minimum memory of a part: smaller parts would be too many files.
const MIN_PART_BYTES: u64 = 8 << 20;

/// What to do with a line, or a part of it, that is not an event.
pub(super) type OnRejection<'a, 'b> = dyn FnMut(&mut BatchBuilder<'b>, Rejection, &[u8]) + 'a;

/// Builds one batch, or a part of one.
pub(super) struct BatchBuilder<'a> {
    file: String,
    /// The line that is being parsed.
    line: u64,
    limits: Limits<'a>,
    /// Values of records that have none of their own.
    folder_values: Option<Rc<FolderValues>>,
    lines: ParsedLines,
    path_sets: PathSets,
    times: EventTimes,
    event_types: HashMap<String, u32>,
    /// The event type of the previous event that names one, since most logs have only one.
    last_event_type: u32,
    /// The type of events that name none, once there is one.
    default_event_type: Option<u32>,
    /// Why fields of the current line are dropped.
    dropped: Vec<Rejection>,
    /// The batch's numbers of path sets by those of the item catalog.
    catalog_path_sets: HashMap<u32, u32>,
    style: ValueStyle,
    numbers: NumberStyles,
    currency: CurrencyCheck,
    /// Whether the items of one line are being added.
    is_nested: bool,
    held_bytes: usize,
    /// The memory at which a part of the batch is complete.
    max_bytes: u64,
}

impl BatchBuilder<'_> {
    /// Returns an empty batch of the named input, for a lake with the given slice size.
    pub fn new<'a>(file: &str, limits: Limits<'a>, slice_bytes: u64) -> BatchBuilder<'a> {
        let nulls = NullMarkers::with(&limits.read_options.nulls);
        BatchBuilder {
            file: file.to_owned(),
            line: 0,
            limits,
            folder_values: None,
            lines: ParsedLines { rejects: KeptRejects::within(u64::MAX), ..ParsedLines::default() },
            path_sets: PathSets::with_nulls(nulls.clone()).with_separators(limits.read_options.separators()),
            times: EventTimes::of(&limits.read_options.times),
            event_types: HashMap::new(),
            last_event_type: 0,
            default_event_type: None,
            dropped: Vec::new(),
            catalog_path_sets: HashMap::new(),
            style: ValueStyle { nulls, decimal: limits.read_options.decimal },
            numbers: NumberStyles::default(),
            currency: CurrencyCheck::of(limits.read_options.currency),
            is_nested: false,
            held_bytes: 0,
            max_bytes: slice_bytes.saturating_mul(SLICES_PER_PART).max(MIN_PART_BYTES),
        }
    }

    /// Takes values from the names of the input's folders where a record has none.
    pub fn take_from_folders(&mut self, values: Option<FolderValues>) {
        self.folder_values = values.map(Rc::new);
    }

    /// Returns the builder for a lake, or after events, with amounts in a currency.
    #[must_use]
    pub fn with_currency(mut self, known: Option<Currency>) -> Self {
        self.currency.known = known;
        self
    }

    /// Returns the builder with room for so many bytes of rejected lines; without it, there is no limit.
    #[must_use]
    pub fn with_reject_room(mut self, max_bytes: u64) -> Self {
        self.lines.rejects = KeptRejects::within(max_bytes);
        self
    }

    /// Returns the currency of the lake, or of the events that were added.
    ///
    /// # Errors
    /// Returns why the input cannot be read.
    pub fn currency(&self) -> Result<Option<Currency>, &str> {
        self.currency.conflict().map_or(Ok(self.currency.known), Err)
    }

    /// Returns whether no line was added, accepted or rejected.
    pub fn is_empty(&self) -> bool {
        self.lines.events.is_empty() && self.lines.rejects.count() == 0 && self.lines.counts().read == 0
    }

    /// Returns the number of events and lines that were added, accepted or rejected.
    pub fn size(&self) -> BatchSize {
        let events = self.lines.events.len() as u64 + self.lines.rejects.count();
        BatchSize { events, lines: self.lines.counts().read }
    }

    /// Returns the last hour of the events that were added.
    pub fn newest(&self) -> Option<Hour> {
        let events = &self.lines.events;
        (0..events.len()).map(|row| events.ts(row)).max().map(Timestamp::hour)
    }

    /// Returns whether the batch has reached its maximum memory.
    pub fn is_full(&self) -> bool {
        self.held_bytes as u64 >= self.max_bytes
    }

    /// Returns the parsed lines.
    pub fn finish(mut self) -> ParsedLines {
        if let Some((kind, count, detail)) = other_case_of_purchase(&self.lines.events) {
            self.lines.notices.add(kind, count, (&self.file, None), &detail);
        }
        self.numbers.add_to(&mut self.lines.notices, &self.file);
        self.path_sets.shrink();
        self.lines.events.path_sets = self.path_sets;
        self.lines.currency = self.currency.known;
        self.lines
    }

    /// Sets the line that notices are about.
    pub fn at_line(&mut self, number: u64) {
        self.line = number;
    }

    /// Notes something about the current line.
    pub fn notice(&mut self, kind: NoticeKind, count: u64, detail: &str) {
        self.lines.notices.add(kind, count, (&self.file, Some(self.line)), detail);
    }

    /// Returns whether a text is a time that would be accepted.
    pub fn is_time(&mut self, text: &str) -> bool {
        self.time(RawTime::Text(text)).is_ok()
    }

    /// Returns the number of the path set of an earlier line with the same text.
    pub fn path_set_of_text(&self, categories: &str) -> Option<u32> {
        self.path_sets.written(categories)
    }

    /// Adds a line's fields as an event. An optional field that cannot be read is dropped, unless the options
    /// say otherwise; without a quantity the event would count another number of units, so that it is
    /// rejected by default.
    ///
    /// # Errors
    /// Returns why the fields are not an event.
    pub fn accept(&mut self, raw: &RawEvent<'_>) -> Result<(), Rejection> {
        match self.folder_values.clone() {
            Some(values) => self.accept_filled(&values.fill(raw)),
            None => self.accept_filled(raw),
        }
    }

    fn accept_filled(&mut self, raw: &RawEvent<'_>) -> Result<(), Rejection> {
        let bad_field = self.limits.read_options.bad_field;
        let drops = bad_field != Some(BadField::Reject);
        if let Some(currency) = self.style.value(raw.currency)
            && !self.currency.takes(currency)?
        {
            if !self.is_nested {
                self.filter_line();
            }
            return Ok(());
        }
        let ts = self.time(raw.ts)?;
        let item_id = self.style.item_id(raw.item_id)?;
        self.dropped.clear();
        let event_id = match raw.event_id {
            None => None,
            id => or_dropped(self.style.identifier("event_id", id), drops, &mut self.dropped)?.flatten(),
        };
        let quantity = self.style.quantity(raw.quantity);
        let quantity = or_dropped(quantity, bad_field == Some(BadField::Drop), &mut self.dropped)?;
        let quantity = quantity.unwrap_or_default();
        let amount = or_dropped(self.style.amount(raw.amount), drops, &mut self.dropped)?.unwrap_or_default();
        let event_type = self.event_type(raw.event_type)?;
        let version = match raw.version {
            RawTime::Missing => None,
            // Without an id there is nothing to be a version of.
            raw => self.version(raw)?.filter(|_| event_id.is_some()),
        };
        let path_set = self.path_set(&raw.categories, item_id);
        let path_set = match or_dropped(path_set, drops, &mut self.dropped)? {
            Some(path_set) => path_set,
            None => self.path_set(&RawCategories::Text(""), item_id)?,
        };
        self.held_bytes += BYTES_PER_EVENT + item_id.len() + event_id.map_or(0, str::len);
        self.lines.events.push(&Event {
            ts,
            event_id,
            item_id,
            path_set,
            event_type,
            quantity: quantity.units,
            amount: amount.amount,
            version,
        });
        if !self.dropped.is_empty() {
            self.notice_dropped();
        }
        if quantity.is_rounded {
            self.notice(NoticeKind::RoundedQuantity, 1, &shown(raw.quantity.unwrap_or_default()));
        }
        if self.style.decimal.is_none() {
            self.numbers.take(quantity.marks, self.line, raw.quantity);
            self.numbers.take(amount.marks, self.line, raw.amount);
        }
        if let Some(currency) = amount.currency {
            self.numbers.take_currency(currency, self.line);
        }
        self.notice_id("item_id", item_id);
        if let Some(event_id) = event_id {
            self.notice_id("event_id", event_id);
        }
        if self.path_sets.have_arrows()
            && let RawCategories::Text(text) = raw.categories
        {
            self.notice_separator(text);
        }
        Ok(())
    }

    /// Notes the fields of the current line that are dropped.
    fn notice_dropped(&mut self) {
        for rejection in std::mem::take(&mut self.dropped) {
            let column = rejection.column.as_deref().unwrap_or_default();
            let field = FIELDS.iter().find(|field| **field == column).copied().unwrap_or("a field");
            let is_given = self.limits.read_options.bad_field.is_some();
            self.notice(NoticeKind::DroppedField { field, is_given }, 1, &rejection.reason);
        }
    }

    /// Notes a category that seems to have another separator, where none is given.
    fn notice_separator(&mut self, text: &str) {
        let has_arrow = memchr::memchr(b'>', text.as_bytes()).is_some_and(|at| text[..at].ends_with(' '));
        if has_arrow && self.limits.read_options.separators().is_none() {
            self.notice(NoticeKind::LevelSeparator, 1, &shown(text));
        }
    }

    /// Notes an id that seems not to be what was meant.
    #[inline]
    fn notice_id(&mut self, field: &'static str, id: &str) {
        if let Some(kind) = suspicion_of_id(field, id, self.limits.read_options.quoting.is_none()) {
            self.notice(kind, 1, &shown(id));
        }
    }

    /// Adds a rejected line.
    pub fn reject(&mut self, line: u64, mut rejection: Rejection, text: &[u8]) {
        if rejection.is_of_encoding() {
            let given = self.limits.read_options.encoding.map(|encoding| encoding.to_string());
            let (kind, detail) =
                (NoticeKind::Encoding { is_given: given.is_some() }, given.as_deref().unwrap_or_default());
            self.lines.notices.add(kind, 1, (&self.file, Some(line)), detail);
            if given.is_some() {
                rejection = rejection.of_given_encoding(detail);
            }
        }
        let before = self.lines.rejects.size_bytes();
        self.lines.rejects.push(&self.file, line, rejection, text);
        self.held_bytes += usize::try_from(self.lines.rejects.size_bytes() - before).unwrap_or(usize::MAX);
    }

    /// Notes a line without an event, by the filter or because it has no items.
    pub fn filter_line(&mut self) {
        self.lines.filtered += 1;
    }

    /// Calls a function that accepts and rejects the items of one line, which count as one line.
    pub fn nested_line(&mut self, items: impl FnOnce(&mut Self)) {
        let before = (self.lines.events.len(), self.lines.rejects.count());
        self.is_nested = true;
        items(self);
        self.is_nested = false;
        let events = (self.lines.events.len() - before.0) as u64;
        let rejects = self.lines.rejects.count() - before.1;
        self.lines.nested_events += events;
        self.lines.nested_rejects += rejects;
        let is_filtered = events == 0 && rejects == 0;
        self.lines.nested += LineCounts {
            read: 1,
            filtered: u64::from(is_filtered),
            rejected: u64::from(events == 0 && rejects > 0),
        };
    }

    fn time(&mut self, raw: RawTime<'_>) -> Result<Timestamp, Rejection> {
        let ts = match raw {
            RawTime::Text(text) => self.times.read(text),
            RawTime::ShipperDate(text) => Timestamp::parse_stamp(text),
            RawTime::Epoch(value) => Timestamp::from_epoch(value),
            RawTime::Micros(value) => Timestamp::from_micros(value),
            RawTime::Missing => Err(TimestampError::Empty),
        }
        .map_err(|error| match raw {
            RawTime::Text(text) if self.style.nulls.contains(text) => {
                time_rejection(&TimestampError::Empty, raw)
            }
            _ => time_rejection(&error, raw),
        })?;
        check_limits(ts, raw, &self.limits)?;
        Ok(ts)
    }

    fn version(&mut self, raw: RawTime<'_>) -> Result<Option<i64>, Rejection> {
        match raw {
            RawTime::Text(text) if self.style.nulls.contains(text) => Ok(None),
            raw => version(raw, |text| self.times.read(text).or_else(|_| read_event_time(text, None))),
        }
    }

    fn event_type(&mut self, raw: Option<&str>) -> Result<u32, Rejection> {
        if let Some(name) = self.style.value(raw) {
            return self.event_type_named(name);
        }
        if self.default_event_type.is_none() {
            self.default_event_type = Some(self.event_type_named(PURCHASE)?);
        }
        Ok(self.default_event_type.expect("it was set"))
    }

    fn event_type_named(&mut self, name: &str) -> Result<u32, Rejection> {
        let known = &self.lines.events.event_types;
        if known.get(self.last_event_type as usize).is_some_and(|last| last == name) {
            return Ok(self.last_event_type);
        }
        if let Some(&code) = self.event_types.get(name) {
            self.last_event_type = code;
            return Ok(code);
        }
        if name.len() > MAX_EVENT_TYPE_BYTES {
            let reason =
                format!("event_type is {} bytes long, over the limit of {MAX_EVENT_TYPE_BYTES}", name.len());
            return Err(Rejection::of_column("event_type", reason));
        }
        let code = self.lines.events.event_types.len() as u32;
        self.lines.events.event_types.push(name.to_owned());
        self.event_types.insert(name.to_owned(), code);
        Ok(code)
    }

    fn path_set(&mut self, raw: &RawCategories<'_>, item_id: &str) -> Result<u32, Rejection> {
        let code = self
            .path_sets
            .read(raw)
            .map_err(|error| Rejection::of_column("category", format!("{} {error}", raw.shown())))?;
        let Some(catalog) = self.limits.catalog else { return Ok(code) };
        if !self.path_sets.members(code).is_empty() {
            return Ok(code);
        }
        let Some(in_catalog) = catalog.find(item_id) else { return Ok(code) };
        self.lines.categorized += 1;
        let path_sets = &mut self.path_sets;
        let code = self.catalog_path_sets.entry(in_catalog);
        Ok(*code.or_insert_with(|| path_sets.code(catalog.paths(in_catalog))))
    }
}
