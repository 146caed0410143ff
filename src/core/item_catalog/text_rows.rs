//! The rows of an item catalog in CSV or TSV, in the dialect that is found as that of a log is.
//!
//! A row is one line: a quoted field that extends beyond the end of the line is an unclosed quote, which
//! would otherwise hide the items after it.

use std::io::{BufRead, BufReader, Read};

use crate::input_format::{
    CsvDialect, FieldSplitter, MAX_COLUMNS, QuoteFault, SourceError, SplitError, read_error,
};
use crate::item_catalog::error::CatalogError;

/// The maximum length of a line.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// A row that cannot be read.
pub(super) enum TextRowError {
    Source(SourceError),
    Row { line: u64, reason: String },
}

impl TextRowError {
    /// Returns the error with the name of the file.
    pub fn in_file(self, file: &str) -> CatalogError {
        let file = file.to_owned();
        match self {
            TextRowError::Source(source) => CatalogError::Source { file, source },
            TextRowError::Row { line, reason } => CatalogError::Row { file, line, reason },
        }
    }
}

/// The rows of a text file, each split into fields.
pub(super) struct TextRows {
    reader: BufReader<Box<dyn Read>>,
    fields: FieldSplitter,
    /// The length of the lines in front of the header that are not read yet.
    preamble_bytes: usize,
    line: Vec<u8>,
    number: u64,
    width: usize,
}

impl TextRows {
    /// Returns the rows of a reader in a dialect.
    pub fn of(reader: Box<dyn Read>, dialect: CsvDialect) -> TextRows {
        TextRows {
            reader: BufReader::with_capacity(1 << 16, reader),
            fields: FieldSplitter::of(dialect),
            preamble_bytes: dialect.preamble_bytes,
            line: Vec::new(),
            number: 0,
            width: 0,
        }
    }

    /// Returns the fields of the header, while it is the current line.
    pub fn header(&self) -> Vec<String> {
        (0..self.width).map(|at| String::from_utf8_lossy(self.fields.field(at)).trim().to_owned()).collect()
    }

    /// Returns the number of the current line.
    pub fn line_number(&self) -> u64 {
        self.number
    }

    /// Reads the next line that is not blank, and returns its number.
    pub fn advance(&mut self) -> Result<Option<u64>, TextRowError> {
        loop {
            self.line.clear();
            self.number += 1;
            let number = self.number;
            let bounded = self.reader.by_ref().take(MAX_LINE_BYTES + 1);
            let read = { bounded }.read_until(b'\n', &mut self.line);
            if read.map_err(|e| TextRowError::Source(read_error(e)))? == 0 {
                return Ok(None);
            }
            if self.line.len() as u64 > MAX_LINE_BYTES {
                let reason = format!("line is longer than {MAX_LINE_BYTES} bytes");
                return Err(TextRowError::Row { line: number, reason });
            }
            if self.preamble_bytes > 0 {
                self.preamble_bytes = self.preamble_bytes.saturating_sub(self.line.len());
                continue;
            }
            if number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            if self.line.iter().all(|byte| matches!(byte, b'\n' | b'\r' | b' ')) {
                continue;
            }
            let width = self.split().map_err(|reason| TextRowError::Row { line: number, reason })?;
            if self.width != 0 && self.width != width {
                let reason = format!("row has {width} fields, but the header has {}", self.width);
                return Err(TextRowError::Row { line: number, reason });
            }
            self.width = width;
            return Ok(Some(number));
        }
    }

    /// Splits the line, and returns its number of fields.
    fn split(&mut self) -> Result<usize, String> {
        if !self.line.ends_with(b"\n") {
            self.line.push(b'\n');
        }
        let max = if self.width == 0 { MAX_COLUMNS } else { self.width };
        match self.fields.split(&self.line, self.line.len(), max) {
            Ok(length) if self.line[length..].trim_ascii().is_empty() => Ok(self.fields.width()),
            Err(SplitError::TooManyFields) if self.width == 0 => {
                Err(format!("the header has more than {MAX_COLUMNS} columns"))
            }
            Err(SplitError::TooManyFields) => {
                Err(format!("row has more fields than the header, which has {}", self.width))
            }
            Ok(_) | Err(SplitError::UnclosedQuote) => {
                Err("row has an unclosed quote; a row must be on one line".to_owned())
            }
        }
    }

    /// Returns a field of the current line as text.
    pub fn text(&self, column: usize) -> Result<&str, String> {
        match self.fields.fault(column) {
            Some(QuoteFault::TextBehind) => Err("row has text behind a closing quote".to_owned()),
            Some(QuoteFault::SpaceBefore) => Err("row has a space before an opening quote".to_owned()),
            None => std::str::from_utf8(self.fields.field(column)).map_err(|_| {
                "row is not UTF-8; name the encoding in a file for --catalog-map, as in encoding = \"windows-1252\""
                    .to_owned()
            }),
        }
    }
}
