//! The first records of an input, read once more for their columns.

use std::io::Read;

use crate::ingest::csv_dialect::CsvDialect;
use crate::ingest::csv_fields::FieldSplitter;
use crate::ingest::explain::column::Column;
use crate::ingest::explain::column_sample::{SAMPLED_RECORDS, sample_delimited, sample_json};
use crate::ingest::explain::explanation::{Explanation, explain};
use crate::ingest::fields::ITEM_ID;
use crate::ingest::input::Input;
use crate::input_format::{Format, MAX_COLUMNS, Mapping, ParquetSource, Source};
use crate::parquet_format::{ExternalFile, WantedColumn};
use crate::progress::Progress;
use crate::storage::local_files;

/// The number of bytes that the sampled records may have.
const SAMPLED_BYTES: u64 = 1 << 20;

/// Returns the explanation of an input, not yet of its events; without columns where it is a stream, which
/// can be read only once, or a file that cannot be read, which the ingest itself says.
pub(in crate::ingest) fn explain_input(input: &Input, mapping: &Mapping) -> Explanation {
    let (format, columns) = sample(input, mapping).unwrap_or_default();
    explain(&input.name, format, columns, mapping)
}

fn sample(input: &Input, mapping: &Mapping) -> Option<(Vec<String>, Vec<Column>)> {
    if !input.can_be_read_twice() {
        return None;
    }
    let progress = Progress::ignored();
    match input.open(None, mapping.text_options(ITEM_ID), &progress).ok()? {
        Source::Text { format, reader } => {
            let (mut described, columns) = text_columns(format, reader, mapping)?;
            described.push(encoding(input, mapping));
            Some((described, columns))
        }
        Source::Parquet(source) => Some((vec!["Parquet".to_owned()], parquet_columns(source))),
    }
}

/// Returns the character encoding that was given, or that the first bytes tell.
fn encoding(input: &Input, mapping: &Mapping) -> String {
    if let Some(encoding) = &mapping.options().encoding {
        return encoding.to_string();
    }
    let mut head = [1_u8; 2];
    let opened = input.path().and_then(|path| local_files::open(path).ok());
    let _ = opened.and_then(|mut file| file.read_exact(&mut head).ok());
    let name = match head {
        [0xff, 0xfe] | [_, 0] => "UTF-16LE",
        [0xfe, 0xff] | [0, _] => "UTF-16BE",
        _ => "UTF-8",
    };
    name.to_owned()
}

fn text_columns(format: Format, reader: impl Read, mapping: &Mapping) -> Option<(Vec<String>, Vec<Column>)> {
    let mut bytes = Vec::new();
    reader.take(SAMPLED_BYTES).read_to_end(&mut bytes).ok()?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let dialect = CsvDialect::of(format, mapping.options()).map(|dialect| dialect.with_head(text, mapping));
    let Some(dialect) = dialect else {
        let lines = text.split(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        return Some((vec!["NDJSON".to_owned()], sample_json(lines)));
    };
    let name = if format == Format::Tsv { "TSV" } else { "CSV" };
    let quoting = if dialect.quotes.is_some() { "quoted fields" } else { "no quoting" };
    let delimiter = match dialect.delimiter {
        b'\t' => "tab".to_owned(),
        delimiter => format!("`{}`", char::from(delimiter)),
    };
    let described = vec![name.to_owned(), format!("delimiter {delimiter}"), quoting.to_owned()];
    Some((described, delimited_columns(&text[dialect.preamble_bytes..], dialect)))
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

fn parquet_columns(source: ParquetSource) -> Vec<Column> {
    let Ok(file) = ExternalFile::open(source.file) else { return Vec::new() };
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
