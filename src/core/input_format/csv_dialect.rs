//! The dialect of a CSV or TSV input: what separates fields, and what encloses them.

use crate::input_format::format::Format;
use crate::input_format::read_options::{Quoting, ReadOptions};

/// A dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvDialect {
    pub delimiter: u8,
    /// `None` where a quote is a character like any other.
    pub quotes: Option<Quotes>,
    /// Whether the quoting was given, and not assumed.
    pub is_quoting_given: bool,
    /// Whether the delimiter was inferred from the content.
    pub is_delimiter_inferred: bool,
    /// Where the header starts, behind lines that are skipped.
    pub preamble_bytes: usize,
}

/// What encloses a field; in it a quote is doubled, or behind the escape character where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotes {
    pub quote: u8,
    pub escape: Option<u8>,
}

const STANDARD: Quotes = Quotes { quote: b'"', escape: None };

impl CsvDialect {
    /// Returns the dialect of an input by its format and options; `None` where the format has no header.
    pub fn of(format: Format, options: &ReadOptions) -> Option<CsvDialect> {
        let (delimiter, quotes) = match format {
            Format::Csv => (b',', Some(STANDARD)),
            Format::Tsv => (b'\t', None),
            Format::Ndjson | Format::Parquet => return None,
        };
        let quotes = match options.quoting {
            None => quotes,
            Some(Quoting::None) => None,
            Some(Quoting::Standard) => Some(STANDARD),
            Some(Quoting::Backslash) => Some(Quotes { escape: Some(b'\\'), ..STANDARD }),
            Some(Quoting::Single) => Some(Quotes { quote: b'\'', escape: None }),
        };
        let delimiter = options.delimiter.unwrap_or(delimiter);
        Some(CsvDialect {
            delimiter,
            quotes,
            is_quoting_given: options.quoting.is_some(),
            is_delimiter_inferred: false,
            preamble_bytes: 0,
        })
    }

    /// Returns the dialect with a delimiter that was inferred. Only with tabs is it usual not to quote.
    pub fn with_inferred(self, delimiter: u8) -> CsvDialect {
        let is_unquoted = self.is_quoting_given || delimiter == self.delimiter;
        let quotes = if is_unquoted { self.quotes } else { Some(self.quotes.unwrap_or(STANDARD)) };
        CsvDialect { delimiter, quotes, is_delimiter_inferred: true, ..self }
    }
}
