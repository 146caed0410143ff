//! The first records of an input, kept for its columns while it is read.
//!
//! Invariant: nothing is read for them: of a stream, when a record is read decides which batch it is in.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

use crate::ingest::explain::column::Column;
use crate::ingest::explain::column_sample::{SAMPLED_RECORDS, sample_delimited, sample_json};
use crate::ingest::explain::explanation::{Explanation, explain};
use crate::ingest::fields::REQUIRED;
use crate::input_format::{
    CsvDialect, FieldSplitter, Format, MAX_COLUMNS, Mapping, ParquetSource, Source, TextEncoding,
};
use crate::parquet_format::{ExternalFile, WantedColumn};

/// The number of bytes that the sampled records may have.
const SAMPLED_BYTES: usize = 1 << 20;

/// What is kept of an input.
pub(in crate::ingest) enum InputSample {
    Text { format: Format, encoding: TextEncoding, bytes: Rc<RefCell<Vec<u8>>> },
    Parquet { columns: Vec<Column> },
}

impl InputSample {
    /// Returns an input of which the first bytes are kept while it is read, and what is kept.
    pub fn of(source: Source<'_>) -> (Source<'_>, InputSample) {
        match source {
            Source::Text { format, encoding, reader } => {
                let bytes = Rc::default();
                let reader = Box::new(Sampled { reader, bytes: Rc::clone(&bytes) });
                (Source::Text { format, encoding, reader }, InputSample::Text { format, encoding, bytes })
            }
            Source::Parquet(source) => {
                let columns = parquet_columns(&source);
                (Source::Parquet(source), InputSample::Parquet { columns })
            }
        }
    }

    /// Returns the explanation of the named input, not yet of its events.
    pub fn explain(self, input: &str, mapping: &Mapping) -> Explanation {
        match self {
            InputSample::Text { format, encoding, bytes } => {
                let bytes = bytes.borrow();
                let (mut described, columns) = text_columns(format, &bytes, mapping);
                described.push(encoding.to_string());
                if line_count(&bytes) > SAMPLED_RECORDS + 1 || bytes.len() == SAMPLED_BYTES {
                    described.push(format!("columns by the first {SAMPLED_RECORDS} records"));
                }
                explain(input, described, columns, mapping)
            }
            InputSample::Parquet { columns } => explain(input, vec!["Parquet".to_owned()], columns, mapping),
        }
    }
}

/// A reader that keeps the first bytes that it returns.
struct Sampled<'a> {
    reader: Box<dyn Read + 'a>,
    bytes: Rc<RefCell<Vec<u8>>>,
}

impl Read for Sampled<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        let mut bytes = self.bytes.borrow_mut();
        let room = SAMPLED_BYTES - bytes.len();
        bytes.extend_from_slice(&into[..read.min(room)]);
        Ok(read)
    }
}

fn line_count(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

fn text_columns(format: Format, bytes: &[u8], mapping: &Mapping) -> (Vec<String>, Vec<Column>) {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let dialect =
        CsvDialect::of(format, mapping.options()).map(|dialect| dialect.with_head(text, mapping, REQUIRED));
    let Some(dialect) = dialect else {
        let lines = text.split(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        return (vec!["NDJSON".to_owned()], sample_json(lines));
    };
    let name = if format == Format::Tsv { "TSV" } else { "CSV" };
    let quoting = if dialect.quotes.is_some() { "quoted fields" } else { "no quoting" };
    let delimiter = match dialect.delimiter {
        b'\t' => "tab".to_owned(),
        delimiter => format!("`{}`", char::from(delimiter)),
    };
    let described = vec![name.to_owned(), format!("delimiter {delimiter}"), quoting.to_owned()];
    (described, delimited_columns(&text[dialect.preamble_bytes..], dialect))
}

fn delimited_columns(text: &[u8], dialect: CsvDialect) -> Vec<Column> {
    let mut fields = FieldSplitter::of(dialect);
    let mut rest = text;
    let records = std::iter::from_fn(|| {
        while rest.first().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            rest = &rest[1..];
        }
        if rest.is_empty() {
            return None;
        }
        let Ok(length) = fields.split(rest, rest.len(), MAX_COLUMNS) else {
            rest = &[];
            return None;
        };
        rest = &rest[length..];
        Some(fields.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect())
    });
    sample_delimited(records)
}

fn parquet_columns(source: &ParquetSource) -> Vec<Column> {
    // What cannot be read, the ingest itself says.
    let opened = source.file.try_clone().ok().and_then(|file| ExternalFile::open(file).ok());
    let Some(file) = opened else { return Vec::new() };
    let mut columns: Vec<Column> = file.columns().iter().map(|name| Column::named(name)).collect();
    let wanted: Vec<WantedColumn> = (0..columns.len()).map(WantedColumn::Text).collect();
    let Some(Ok(batch)) = file.rows(&wanted).ok().and_then(|mut rows| rows.next()) else { return columns };
    for row in 0..batch.rows().min(SAMPLED_RECORDS) {
        for (at, column) in columns.iter_mut().enumerate() {
            if let Ok(Some(text)) = batch.text(at, row) {
                column.add(text);
            }
        }
    }
    columns
}
