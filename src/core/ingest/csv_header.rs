//! The header of a CSV or TSV log, and the columns of each field by it.

use std::collections::HashSet;

use crate::ingest::fields::{CATEGORIES, CATEGORY, FIELDS, REQUIRED};
use crate::ingest::notices::NoticeKind;
use crate::ingest::raw_event::HEADER_NOT_UTF8;
use crate::ingest::unread_columns::unread_columns;
use crate::input_format::{
    FieldColumns, FieldSplitter, MAX_COLUMNS, Mapping, SplitError, lines_before_header,
};
use crate::model::shown;

/// A header.
pub(super) struct CsvHeader {
    pub names: Vec<String>,
    /// The columns of each field.
    pub columns: Vec<Option<FieldColumns>>,
    /// Where it ends, from the start of the bytes.
    pub end: usize,
    pub notices: Vec<HeaderNotice>,
}

/// Something noticed in a header.
pub(super) struct HeaderNotice {
    pub kind: NoticeKind,
    pub line: u64,
    pub detail: String,
}

/// Parses the header at the start of bytes, which is the given line of the input; `None` where the bytes are
/// blank.
///
/// # Errors
/// Returns what is wrong with the header.
pub(super) fn parse_header(
    bytes: &[u8],
    line: u64,
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
    let line = line + memchr::memchr_iter(b'\n', &bytes[..start]).count() as u64;
    let length =
        fields.split(&bytes[start..], bytes.len() - start, MAX_COLUMNS).map_err(|error| match error {
            SplitError::UnclosedQuote => format!("line {line}: the header has an unclosed quote"),
            SplitError::TooManyFields => {
                format!("line {line}: the header has more than {MAX_COLUMNS} columns")
            }
        })?;
    let names = fields.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned());
    let mut names: Vec<String> = names.collect();
    let written = names.clone();
    let renamed = match_case(&mut names, mapping);
    refuse_categories(&names, mapping).map_err(|reason| format!("line {line}: {reason}"))?;
    let columns = refuse_duplicates(&names).and_then(|()| mapping.columns(&names, REQUIRED));
    let columns = columns.map_err(|reason| {
        // Named as they are in the file.
        let reason = mapping.columns(&written, REQUIRED).err().unwrap_or(reason);
        let remedy = lines_before_header(&bytes[start..], fields.dialect, mapping, REQUIRED).map(|lines| {
            let (header, skip) = (line + lines as u64, line - 1 + lines as u64);
            format!("; line {header} seems to be the header: pass --skip-lines {skip}")
        });
        let is_text = std::str::from_utf8(&bytes[start..start + length]).is_ok();
        let remedy = remedy.unwrap_or_else(|| if is_text { "" } else { HEADER_NOT_UTF8 }.to_owned());
        format!("line {line}: the header {reason}{remedy}")
    })?;
    let mut notices = Vec::new();
    if fields.dialect.is_delimiter_inferred {
        let kind = NoticeKind::Delimiter(fields.dialect.delimiter);
        notices.push(HeaderNotice { kind, line, detail: String::new() });
    }
    if !renamed.is_empty() {
        let detail = renamed.join(", ");
        notices.push(HeaderNotice { kind: NoticeKind::ColumnCase, line, detail });
    }
    let unread = unread_columns(&names, mapping).into_iter();
    notices.extend(unread.map(|(kind, detail)| HeaderNotice { kind, line, detail }));
    Ok(Some(CsvHeader { names, columns, end: start + length, notices }))
}

/// Gives columns the names of fields that are not mapped, where they differ from them in upper and lower case only,
/// and returns which.
fn match_case(names: &mut [String], mapping: &Mapping) -> Vec<String> {
    let mut renamed = Vec::new();
    for field in mapping.unmapped() {
        if names.iter().any(|name| name == field) {
            continue;
        }
        let mut found = names.iter_mut().filter(|name| name.eq_ignore_ascii_case(field));
        if let (Some(name), None) = (found.next(), found.next()) {
            renamed.push(format!("{name} is read as {field}"));
            field.clone_into(name);
        }
    }
    renamed
}

/// Refuses a name that two columns have: it is not known which of them is meant.
fn refuse_duplicates(names: &[String]) -> Result<(), String> {
    let mut seen = HashSet::new();
    match names.iter().filter(|name| !name.is_empty()).find(|name| !seen.insert(*name)) {
        Some(name) => Err(format!("has two columns `{}`; give one of them another name", shown(name))),
        None => Ok(()),
    }
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
        return Err("categories is for NDJSON and Parquet; map category instead".to_owned());
    }
    if has(CATEGORIES) && !has(CATEGORY) && !is_mapped(CATEGORY) {
        let what =
            "the header has a column `categories`, which is for NDJSON and Parquet; call it `category`";
        return Err(what.to_owned());
    }
    Ok(())
}
