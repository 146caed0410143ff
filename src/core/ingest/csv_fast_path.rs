//! The fast path for common lines of CSV: no quotes, and as many fields as the header.
//!
//! Invariant: each line that is accepted here would be accepted as the same event by the parser of all
//! lines, which gets the others.

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::byte_search::{Needle, utf8_prefix};
use crate::ingest::fields::{
    AMOUNT, CATEGORY, CURRENCY, EVENT_ID, EVENT_TYPE, FIELDS, ITEM_ID, QUANTITY, TS, VERSION,
};
use crate::ingest::raw_event::{RawEvent, RawTime};
use crate::input_format::{CsvDialect, FieldColumns};
use crate::model::RawCategories;

/// The maximum number of fields of a line.
const MAX_WIDTH: usize = 64;
/// The maximum length of a line, and of the beginnings that are looked at.
const MAX_LINE_BYTES: usize = 1 << 16;

/// Parses such lines.
pub(super) struct CsvFastPath {
    delimiter: Needle,
    /// Lines with a quote are left to the parser of all lines; `None` where there are no quotes.
    quote: Option<u8>,
    width: usize,
    /// The column of each field.
    columns: [Option<usize>; FIELDS.len()],
    ends: [usize; MAX_WIDTH],
}

impl CsvFastPath {
    /// Returns the fast path for lines below a header, where it supports all of the header's fields.
    pub fn of(dialect: CsvDialect, width: usize, of_fields: &[Option<FieldColumns>]) -> Option<CsvFastPath> {
        let mut columns = [None; FIELDS.len()];
        for (column, of_field) in columns.iter_mut().zip(of_fields) {
            *column = match of_field {
                None => None,
                Some(FieldColumns::One(column)) => Some(*column),
                Some(_) => return None,
            };
        }
        let delimiter = Needle::of(dialect.delimiter)?;
        let quote = dialect.quotes.map(|quotes| quotes.quote);
        // A line of one field may be blank, and blank lines are ignored.
        let is_supported = (2..=MAX_WIDTH).contains(&width);
        is_supported.then_some(CsvFastPath { delimiter, quote, width, columns, ends: [0; MAX_WIDTH] })
    }

    /// Returns the beginning of some bytes that is text without quotes, up to a limit.
    pub fn beginning<'b>(&self, bytes: &'b [u8]) -> &'b str {
        let bytes = &bytes[..bytes.len().min(MAX_LINE_BYTES)];
        let quote = self.quote.and_then(|quote| memchr::memchr(quote, bytes));
        utf8_prefix(&bytes[..quote.unwrap_or(bytes.len())])
    }

    /// Adds the event of the first line of such a beginning to a batch, and returns the length of the line with its
    /// newline; `None` where the line was not accepted.
    pub fn parse(&mut self, text: &str, into: &mut BatchBuilder<'_>) -> Option<usize> {
        let line_end = self.split(text.as_bytes())?;
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

    /// Finds where the fields of the first line end, and returns where its newline is; `None` for a line of
    /// another width, and in the last seven bytes.
    fn split(&mut self, bytes: &[u8]) -> Option<usize> {
        let line_end = memchr::memchr(b'\n', bytes)?;
        let mut delimiters = 0;
        for (start, eight) in bytes.get(..line_end + 8)?.as_chunks().0.iter().enumerate() {
            for at in self.delimiter.hits(*eight) {
                let end = start * 8 + at;
                if end >= line_end {
                    break;
                }
                *self.ends.get_mut(delimiters)? = end;
                delimiters += 1;
            }
        }
        if delimiters + 1 != self.width {
            return None;
        }
        self.ends[delimiters] = line_end - usize::from(bytes[..line_end].ends_with(b"\r"));
        Some(line_end)
    }
}
