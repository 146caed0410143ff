//! The header of a CSV or TSV log, and the columns of each field by it.

use crate::ingest::csv_fields::{FieldSplitter, SplitError};
use crate::ingest::fields::{CATEGORIES, CATEGORY, FIELDS, REQUIRED};
use crate::input_format::{FieldColumns, MAX_COLUMNS, Mapping};

/// A header.
pub(super) struct CsvHeader {
    pub names: Vec<String>,
    /// The columns of each field.
    pub columns: Vec<Option<FieldColumns>>,
    /// Where it ends, from the start of the input.
    pub end: usize,
}

/// Parses the header at the start of an input; `None` where the bytes are blank.
///
/// # Errors
/// Returns what is wrong with the header.
pub(super) fn parse_header(
    bytes: &[u8],
    mapping: &Mapping,
    fields: &mut FieldSplitter,
) -> Result<Option<CsvHeader>, String> {
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    if bytes.starts_with(b"{") || bytes.starts_with(b"[{") {
        return Err("looks like NDJSON; pass --format ndjson".to_owned());
    }
    let start = first_line_start(bytes);
    let length =
        fields.split(&bytes[start..], bytes.len() - start, MAX_COLUMNS).map_err(|error| match error {
            SplitError::UnclosedQuote => "line 1: the header has an unclosed quote".to_owned(),
            SplitError::TooManyFields => format!("line 1: the header has more than {MAX_COLUMNS} columns"),
        })?;
    let names = fields.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned());
    let names: Vec<String> = names.collect();
    refuse_categories(&names, mapping)?;
    let columns = mapping.columns(&names, REQUIRED);
    let columns = columns.map_err(|reason| format!("line 1: the header {reason}"))?;
    Ok(Some(CsvHeader { names, columns, end: start + length }))
}

/// Returns where the first line starts that is not blank.
fn first_line_start(bytes: &[u8]) -> usize {
    let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    memchr::memrchr(b'\n', &bytes[..blank]).map_or(0, |at| at + 1)
}

/// Refuses a header with `categories`, which would be ignored.
fn refuse_categories(names: &[String], mapping: &Mapping) -> Result<(), String> {
    let is_mapped = |field: usize| mapping.column(field).is_some();
    let has = |field: usize| names.iter().any(|name| name == FIELDS[field]);
    if is_mapped(CATEGORIES) {
        return Err("line 1: categories is for NDJSON and Parquet; map category instead".to_owned());
    }
    if has(CATEGORIES) && !has(CATEGORY) && !is_mapped(CATEGORY) {
        let what =
            "the header has a column `categories`, which is for NDJSON and Parquet; call it `category`";
        return Err(format!("line 1: {what}"));
    }
    Ok(())
}
