//! Lines of CSV as most are: without a quote, and with as many fields as the header.
//!
//! Invariant: whatever is taken here would be taken as the same event by the reader of all lines,
//! to which everything else is left.

use crate::ingest::builder::{Builder, RawEvent, RawTime};
use crate::ingest::fields::{AMOUNT, CATEGORY, EVENT_ID, EVENT_TYPE, ITEM_ID, QUANTITY, TS};
use crate::input_format::Place;
use crate::model::RawCategories;

/// Fields that a line may have here.
const MAX_WIDTH: usize = 64;
/// Bytes that a line may have here.
const MAX_LINE_BYTES: usize = 1 << 16;

/// Reads such lines.
pub struct PlainLines {
    delimiter: u8,
    width: usize,
    /// For each field its place in the line.
    places: Vec<Option<usize>>,
    ends: [usize; MAX_WIDTH],
}

impl PlainLines {
    /// Returns a reader of lines below such a header; none where that has fields this cannot read.
    pub fn of(delimiter: u8, width: usize, places: &[Option<Place>]) -> Option<PlainLines> {
        let place = |place: &Option<Place>| match place {
            None => Some(None),
            Some(Place::Whole(at)) => Some(Some(*at)),
            Some(Place::Levels(_)) => None,
        };
        let places = places.iter().map(place).collect::<Option<_>>()?;
        // A line of one field may be blank, and would be no line.
        (2..=MAX_WIDTH).contains(&width).then_some(PlainLines {
            delimiter,
            width,
            places,
            ends: [0; MAX_WIDTH],
        })
    }

    /// Takes the line at the beginning of a text as an event, and returns how many bytes it has, its
    /// end included; none where it was not taken.
    pub fn take(&mut self, text: &str, into: &mut Builder<'_>) -> Option<usize> {
        let bytes = text.as_bytes();
        let bytes = &bytes[..bytes.len().min(MAX_LINE_BYTES)];
        let mut width = 0;
        let line_end = memchr::memchr3_iter(b'\n', self.delimiter, b'"', bytes).find(|&at| {
            let is_delimiter = bytes[at] == self.delimiter;
            if is_delimiter && width < MAX_WIDTH {
                self.ends[width] = at;
            }
            width += 1;
            !is_delimiter
        })?;
        if width != self.width || bytes[line_end] != b'\n' {
            return None;
        }
        self.ends[width - 1] = line_end - usize::from(bytes[..line_end].ends_with(b"\r"));
        let field = |field: usize| {
            let at = self.places[field]?;
            let start = if at == 0 { 0 } else { self.ends[at - 1] + 1 };
            text.get(start..self.ends[at])
        };
        let event = RawEvent {
            ts: field(TS).map_or(RawTime::Missing, RawTime::Text),
            event_id: field(EVENT_ID),
            item_id: field(ITEM_ID),
            categories: RawCategories::Text(field(CATEGORY).unwrap_or("")),
            event_type: field(EVENT_TYPE),
            quantity: field(QUANTITY),
            amount: field(AMOUNT),
        };
        into.accept(&event).is_ok().then_some(line_end + 1)
    }
}
