//! The fast path for common lines of CSV: no quotes, and as many fields as the header.
//!
//! Invariant: each line that is accepted here would be accepted as the same event by the parser of all
//! lines, which gets the others.

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::csv_dialect::CsvDialect;
use crate::ingest::fields::{
    AMOUNT, CATEGORY, CURRENCY, EVENT_ID, EVENT_TYPE, ITEM_ID, QUANTITY, TS, VERSION,
};
use crate::ingest::raw_event::{RawEvent, RawTime};
use crate::input_format::FieldColumns;
use crate::model::RawCategories;

/// The maximum number of fields of a line.
const MAX_WIDTH: usize = 64;
/// The maximum length of a line.
const MAX_LINE_BYTES: usize = 1 << 16;

/// Parses such lines.
pub(super) struct CsvFastPath {
    delimiter: u8,
    /// Lines with a quote are left to the parser of all lines; a newline where there are no quotes.
    quote: u8,
    width: usize,
    /// The column of each field.
    columns: Vec<Option<usize>>,
    ends: [usize; MAX_WIDTH],
}

impl CsvFastPath {
    /// Returns the fast path for lines below a header, where it supports all of the header's fields.
    pub fn of(dialect: CsvDialect, width: usize, columns: &[Option<FieldColumns>]) -> Option<CsvFastPath> {
        let column = |columns: &Option<FieldColumns>| match columns {
            None => Some(None),
            Some(FieldColumns::One(column)) => Some(Some(*column)),
            Some(_) => None,
        };
        let columns = columns.iter().map(column).collect::<Option<_>>()?;
        // A line of one field may be blank, and blank lines are ignored.
        (2..=MAX_WIDTH).contains(&width).then_some(CsvFastPath {
            delimiter: dialect.delimiter,
            quote: dialect.quote_or_newline(),
            width,
            columns,
            ends: [0; MAX_WIDTH],
        })
    }

    /// Adds the event of the first line of a text to a batch, and returns the length of the line with its
    /// newline; `None` where the line was not accepted.
    pub fn parse(&mut self, text: &str, into: &mut BatchBuilder<'_>) -> Option<usize> {
        let bytes = text.as_bytes();
        let bytes = &bytes[..bytes.len().min(MAX_LINE_BYTES)];
        let mut width = 0;
        let line_end = memchr::memchr3_iter(b'\n', self.delimiter, self.quote, bytes).find(|&at| {
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
            let at = self.columns[field]?;
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
            currency: field(CURRENCY),
            version: field(VERSION).map_or(RawTime::Missing, RawTime::Text),
        };
        into.accept(&event).is_ok().then_some(line_end + 1)
    }
}
