//! A record of CSV or TSV, split into fields.
//!
//! Where the dialect has quotes, a field in them may contain delimiters and newlines. A quote that is never
//! closed affects its own line only.

use csv_core::ReadRecordResult;

use crate::input_format::csv_dialect::{CsvDialect, Quotes};
use crate::input_format::csv_quotes::{QuoteFault, QuoteFaults, quote_faults};

/// Why a record cannot be split into fields.
pub enum SplitError {
    /// A quote is never closed.
    UnclosedQuote,
    TooManyFields,
}

/// Splits records into fields, with buffers that are reused from one record to the next.
pub struct FieldSplitter {
    pub dialect: CsvDialect,
    /// Splits records with quotes; made when the first one comes.
    reader: Option<Box<csv_core::Reader>>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    width: usize,
    /// What is wrong with the quotes of the last record.
    faults: QuoteFaults,
}

impl FieldSplitter {
    /// Returns a splitter for a dialect.
    pub fn of(dialect: CsvDialect) -> FieldSplitter {
        FieldSplitter {
            dialect,
            reader: None,
            bytes: Vec::new(),
            ends: Vec::new(),
            width: 0,
            faults: QuoteFaults::default(),
        }
    }

    /// Returns the number of fields of the last record.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns a field of the last record.
    pub fn field(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    /// Returns the fields of the last record.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.width).map(|at| self.field(at))
    }

    /// Returns whether anything is wrong with the quotes of the last record.
    pub fn has_faults(&self) -> bool {
        !self.faults.fields.is_empty()
    }

    /// Returns what is wrong with the quotes of a field of the last record.
    pub fn fault(&self, field: usize) -> Option<QuoteFault> {
        self.faults.fields.iter().find(|(at, _)| *at == field).map(|(_, fault)| *fault)
    }

    /// Splits a line without quotes; it counts all fields, and keeps up to `max`.
    pub fn split_unquoted(&mut self, line: &[u8], max: usize) {
        self.ends.clear();
        self.bytes.clear();
        self.width = 0;
        self.faults.fields.clear();
        let mut start = 0;
        for end in memchr::memchr_iter(self.dialect.delimiter, line).chain(std::iter::once(line.len())) {
            if self.width < max {
                self.bytes.extend_from_slice(&line[start..end]);
                self.ends.push(self.bytes.len());
            }
            start = end + 1;
            self.width += 1;
        }
    }

    /// Splits the first record of `input`, which is all or the first part of the `available` bytes, and
    /// returns the record's length. A record with more than `max` fields is not read to its end:
    /// otherwise lines that each leave a quote open would all be read again for each of them.
    pub fn split(&mut self, input: &[u8], available: usize, max: usize) -> Result<usize, SplitError> {
        let first_line = memchr::memchr(b'\n', input).map(|at| at + 1);
        let line_end = first_line.unwrap_or(input.len());
        let line = without_line_end(&input[..line_end]);
        let is_whole = first_line.is_some() || input.len() == available;
        let quotes = match self.dialect.quotes {
            Some(quotes) if !(is_whole && is_unquoted(line, quotes)) => quotes,
            _ => {
                self.split_unquoted(line, max);
                return if self.width > max { Err(SplitError::TooManyFields) } else { Ok(line_end) };
            }
        };
        let reader = self.reader.get_or_insert_with(|| reader_of(self.dialect.delimiter, quotes));
        reader.reset();
        self.bytes.resize(self.bytes.capacity().max(4_096), 0);
        self.ends.resize(max + 1, 0);
        let (mut consumed, mut written, mut ended) = (0, 0, 0);
        loop {
            let (result, read, wrote, ends) =
                reader.read_record(&input[consumed..], &mut self.bytes[written..], &mut self.ends[ended..]);
            consumed += read;
            written += wrote;
            ended += ends;
            match result {
                ReadRecordResult::OutputFull => self.bytes.resize(self.bytes.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if input[..consumed].contains(&b'\n') => {
                    return Err(SplitError::UnclosedQuote);
                }
                ReadRecordResult::OutputEndsFull => return Err(SplitError::TooManyFields),
                // Without a newline at its end, the end of the input is that of the record.
                ReadRecordResult::InputEmpty
                    if input.len() == available
                        && !input.ends_with(b"\n")
                        && !quote_faults(input, self.dialect.delimiter, quotes).is_unclosed => {}
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {
                    return Err(SplitError::UnclosedQuote);
                }
                ReadRecordResult::Record => break,
            }
        }
        self.width = ended;
        let is_one_line = memchr::memchr(b'\n', &input[..consumed]).is_none_or(|at| at + 1 >= consumed);
        self.faults = quote_faults(&input[..consumed], self.dialect.delimiter, quotes);
        // In a record of several lines, an unclosed quote may have been paired with one of a later line.
        if !is_one_line && self.faults.has_open_end() {
            return Err(SplitError::UnclosedQuote);
        }
        // A line end may be two bytes, of which csv-core consumed one.
        if input[..consumed].ends_with(b"\r") && input.get(consumed) == Some(&b'\n') {
            consumed += 1;
        }
        Ok(consumed)
    }
}

fn reader_of(delimiter: u8, quotes: Quotes) -> Box<csv_core::Reader> {
    let mut builder = csv_core::ReaderBuilder::new();
    builder.delimiter(delimiter).quote(quotes.quote).escape(quotes.escape);
    Box::new(builder.build())
}

/// Returns whether a line is split alike with quotes and without: csv-core passes over blank lines and a byte
/// order mark, and ends records at carriage returns too.
fn is_unquoted(line: &[u8], quotes: Quotes) -> bool {
    !line.is_empty() && !line.starts_with(b"\xef") && memchr::memchr2(quotes.quote, b'\r', line).is_none()
}

/// Returns a line without the newline at its end.
pub fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
