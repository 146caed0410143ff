//! What the first lines of a CSV or TSV input tell: where its header is, and the delimiter.
//!
//! In front of the header may be lines that the options skip, then a line `sep=;` as spreadsheets write it,
//! then lines without any text, as exports of sales platforms begin.

use std::io::Read;

use crate::input_format::csv_dialect::CsvDialect;
use crate::input_format::csv_fields::{FieldSplitter, without_line_end};
use crate::input_format::format::Format;
use crate::input_format::head::Head;
use crate::input_format::mapping::{MAX_COLUMNS, Mapping};

/// How many bytes are looked at; no slice is smaller.
const HEAD_BYTES: usize = 64 << 10;
/// How many lines are looked at for a header behind other lines.
const HEADER_LINES: usize = 20;
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Returns the dialect of an input by its first bytes, and its reader; none where the format has no header. The
/// header is the line with the columns of the required fields.
pub fn with_dialect<'r>(
    reader: Box<dyn Read + 'r>,
    format: Format,
    mapping: &Mapping,
    required: &[usize],
) -> (Option<CsvDialect>, Box<dyn Read + 'r>) {
    let Some(dialect) = CsvDialect::of(format, mapping.options()) else { return (None, reader) };
    let head = Head::read(reader, HEAD_BYTES, |head| has_header(head, mapping.options().skip_lines));
    (Some(dialect.with_head(head.seen(), mapping, required)), Box::new(head))
}

/// Returns whether the header is complete in the first bytes.
fn has_header(bytes: &[u8], skip_lines: u64) -> bool {
    let start = header_start(bytes, skip_lines).at;
    memchr::memchr(b'\n', &bytes[start..]).is_some()
}

/// Where the header starts, and the delimiter that a line in front of it names.
#[derive(Debug, PartialEq, Eq)]
struct HeaderStart {
    at: usize,
    delimiter: Option<u8>,
}

fn header_start(bytes: &[u8], skip_lines: u64) -> HeaderStart {
    let bom = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut start = HeaderStart { at: bom, delimiter: None };
    let mut skipped = 0;
    while let Some(length) = memchr::memchr(b'\n', &bytes[start.at..]).map(|at| at + 1) {
        let line = without_line_end(&bytes[start.at..start.at + length]);
        let named = named_delimiter(line);
        if skipped >= skip_lines && named.is_none() && has_text(line) {
            break;
        }
        start.delimiter = start.delimiter.or(named);
        start.at += length;
        skipped += 1;
    }
    if skipped < skip_lines {
        start.at = bytes.len();
    }
    if start.at == bom { HeaderStart { at: 0, ..start } } else { start }
}

/// Returns whether a line has more than delimiters, quotes and spaces.
fn has_text(line: &[u8]) -> bool {
    line.iter().any(|byte| !byte.is_ascii_whitespace() && *byte != b'"' && !DELIMITERS.contains(byte))
}

/// Returns the delimiter of a line `sep=;`.
fn named_delimiter(line: &[u8]) -> Option<u8> {
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line.strip_prefix(b"sep=").or_else(|| line.strip_prefix(b"SEP="))? {
        [delimiter] => Some(*delimiter),
        _ => None,
    }
}

impl CsvDialect {
    /// Returns the dialect with what the first bytes of the input tell.
    pub fn with_head(self, bytes: &[u8], mapping: &Mapping, required: &[usize]) -> CsvDialect {
        let HeaderStart { at, delimiter } = header_start(bytes, mapping.options().skip_lines);
        let dialect = CsvDialect { preamble_bytes: at, ..self };
        if mapping.options().delimiter.is_some() {
            return dialect;
        }
        let delimiter = delimiter.or_else(|| inferred_delimiter(&bytes[at..], dialect, mapping, required));
        match delimiter {
            Some(delimiter) if delimiter != self.delimiter => dialect.with_inferred(delimiter),
            _ => dialect,
        }
    }
}

/// Returns the delimiter by which the header has the columns that are needed, or else the most columns.
fn inferred_delimiter(
    bytes: &[u8],
    dialect: CsvDialect,
    mapping: &Mapping,
    required: &[usize],
) -> Option<u8> {
    let columns = |delimiter: u8| {
        let names = names(bytes, dialect.with_inferred(delimiter))?;
        Some((mapping.columns(&names, required).is_ok(), names.len()))
    };
    // A header that cannot be split says so itself.
    let own = Some(columns(dialect.delimiter)?);
    if own.is_some_and(|(has_all, _)| has_all) {
        return None;
    }
    let header = &bytes[..memchr::memchr(b'\n', bytes).unwrap_or(bytes.len())];
    let is_other = |delimiter: &u8| *delimiter != dialect.delimiter && header.contains(delimiter);
    let others = DELIMITERS.into_iter().filter(is_other);
    let best = others.filter_map(|delimiter| Some((columns(delimiter)?, delimiter))).max();
    best.filter(|(columns, _)| Some(*columns) > own).map(|(_, delimiter)| delimiter)
}

/// Returns the names of the first line.
fn names(bytes: &[u8], dialect: CsvDialect) -> Option<Vec<String>> {
    // A longer header is not worth the memory of a copy for each delimiter.
    let bytes = &bytes[..bytes.len().min(HEAD_BYTES)];
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let line = bytes.split_inclusive(|byte| *byte == b'\n').next()?;
    let mut fields = FieldSplitter::of(dialect);
    fields.split(line, line.len(), MAX_COLUMNS).ok()?;
    Some(fields.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect())
}

/// Returns how many lines to skip, where the header seems to be one of the next lines.
pub fn lines_before_header(
    bytes: &[u8],
    dialect: CsvDialect,
    mapping: &Mapping,
    required: &[usize],
) -> Option<usize> {
    let lines = bytes[..bytes.len().min(HEAD_BYTES)].split_inclusive(|byte| *byte == b'\n');
    let is_header = |line: &[u8]| {
        DELIMITERS.into_iter().any(|delimiter| {
            let names = names(line, dialect.with_inferred(delimiter));
            names.is_some_and(|names| mapping.columns(&names, required).is_ok())
        })
    };
    lines.take(HEADER_LINES).position(is_header).filter(|lines| *lines > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[&str] = &["ts", "item_id"];

    fn check(text: &str, skip_lines: &str, expected: (u8, usize)) {
        let mut mapping = Mapping::none(FIELDS);
        mapping.set_option("skip_lines", skip_lines).expect("it is a number");
        let dialect = CsvDialect::of(Format::Csv, mapping.options()).expect("CSV has a dialect");
        let dialect = dialect.with_head(text.as_bytes(), &mapping, &[0, 1]);
        assert_eq!((dialect.delimiter, dialect.preamble_bytes), expected, "{text:?}");
    }

    #[test]
    fn the_delimiter_is_that_of_the_header_with_the_columns() {
        check("ts,item_id\n", "0", (b',', 0));
        check("ts;item_id;a,b,c\n", "0", (b';', 0));
        check("\"ts\"\t\"item_id\"\n", "0", (b'\t', 0));
        check("\u{feff}ts|item_id\n", "0", (b'|', 0));
        check("a;b\n", "0", (b';', 0));
        check("a\n", "0", (b',', 0));
        check("", "0", (b',', 0));
        check("\"a;b\",c\n", "0", (b',', 0));
    }

    #[test]
    fn lines_in_front_of_the_header_are_skipped() {
        check("sep=;\nts,x;item_id\n", "0", (b';', 6));
        check("\"sep=|\"\r\nts|item_id\n", "0", (b'|', 9));
        check("Report \"\n\nts;item_id\n", "2", (b';', 10));
        check("Report\nsep=;\nts;item_id\n", "1", (b';', 13));
        check("\n\nts;item_id\n", "0", (b';', 2));
        check(",,\n\"\",\nts,item_id\n", "0", (b',', 7));
        check("a\nb\n", "5", (b',', 4));
    }
}
