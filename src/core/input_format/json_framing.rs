//! Whether JSON is one object a line already, told by its first value.
//!
//! Plain NDJSON, also with a first line that is broken, is passed on as it is.

use std::io::{self, Read};

use crate::input_format::head::Head;
use crate::input_format::json_records::JsonRecords;
use crate::input_format::json_scanner::{JsonScanner, Scanned};

/// How much is read to tell; a first line that is longer goes through the reader of records.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Returns JSON of any framing as one object a line; `record_key` is that of [`JsonRecords::of`].
pub(super) fn one_object_a_line<'a>(
    reader: Box<dyn Read + 'a>,
    record_key: Option<&str>,
) -> Box<dyn Read + 'a> {
    let head = Head::read(reader, MAX_HEAD_BYTES, is_enough);
    if is_plain(head.seen(), record_key) {
        Box::new(head)
    } else {
        Box::new(JsonRecords::of(Box::new(head), record_key))
    }
}

/// Returns whether these bytes tell the framing.
fn is_enough(head: &[u8]) -> bool {
    let text = trimmed(head);
    match text.first() {
        Some(b'{') => match first_value(text) {
            Some((end, Scanned::End)) => text[end..].contains(&b'\n') || !text[end..].trim_ascii().is_empty(),
            Some(_) => true,
            None => false,
        },
        Some(b'[') => !text[1..].trim_ascii().is_empty(),
        Some(_) => text.contains(&b'\n'),
        None => false,
    }
}

/// Returns where the first value ends, or where it is invalid.
fn first_value(text: &[u8]) -> Option<(usize, Scanned)> {
    let mut scanner = JsonScanner::new();
    text.iter().enumerate().find_map(|(at, &byte)| match scanner.push(byte) {
        Scanned::More => None,
        end => Some((at + 1, end)),
    })
}

fn is_plain(head: &[u8], record_key: Option<&str>) -> bool {
    let text = trimmed(head);
    match text.first() {
        Some(b'[') => {
            return !matches!(text[1..].trim_ascii_start().first(), Some(b'{' | b'[' | b']') | None);
        }
        Some(b'{') => {}
        Some(0x1e) => return false,
        _ => return true,
    }
    let line_end = memchr::memchr(b'\n', text).map_or(text.len(), |at| at + 1);
    let is_whole_line = matches!(first_value(&text[..line_end]), Some((_, Scanned::End)));
    let text = if is_whole_line { &text[..line_end] } else { text };
    let mut records = Vec::new();
    let mut reader = JsonRecords::of(Box::new(io::Cursor::new(text.to_vec())), record_key);
    if reader.read_to_end(&mut records).is_err() {
        return true;
    }
    let records = records.trim_ascii_start();
    let (first_line, first_record) = (line_of(text), line_of(records));
    let is_cut = head.len() >= MAX_HEAD_BYTES;
    first_line == first_record && !(is_cut && first_line.len() == text.len())
        || !is_cut
            && !records.is_empty()
            && serde_json::from_slice::<serde::de::IgnoredAny>(first_record).is_err()
}

/// Returns the first line without the whitespace around it.
fn line_of(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == b'\n').next().unwrap_or(text).trim_ascii()
}

fn trimmed(head: &[u8]) -> &[u8] {
    head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut out = String::new();
        let mut reader = one_object_a_line(Box::new(text.as_bytes()), Some("id"));
        reader.read_to_string(&mut out).expect("memory can be read");
        assert_eq!(out, expected, "{text}");
    }

    fn check_plain(text: &str) {
        check(text, text);
    }

    #[test]
    fn plain_lines_are_passed_on_as_they_are() {
        check_plain("{\"id\":1}\r\n\n {\"id\":2}\n");
        check_plain("{\"id\":1}");
        check_plain("{\"id\":1\n{\"id\":2}\n");
        check_plain("{\"id\":\n{\"id\":2}\n{\"id\":3}\n");
        check_plain("{\"id\":[\n{\"id\":2}\n{\"id\":3}\n");
        check_plain("x\n{\"id\":2}{\"id\":3}\n");
        check_plain("[1] x {\"id\":2}\n");
        check_plain("tag: [1, {\"id\":2}]\n");
        check_plain("");
    }

    #[test]
    fn other_framings_are_split() {
        check("{\"id\":1}{\"id\":2}", "{\"id\":1}\n{\"id\":2}\n");
        check("{\n\"id\":1}\n", "{ \"id\":1}\n\n");
        check("[\n{\"id\":1}\n]", "\n{\"id\":1}\n");
        check("\u{feff}[{\"id\":1}]", "{\"id\":1}\n");
        check("{\"records\":[{\"id\":1}]}\n", "{\"id\":1}\n");
        check("{\"records\":[]}\n", "\n");
        check("{\"id\":1} x\n{\"id\":2}\n", "{\"id\":1}\nx\n{\"id\":2}\n");
        let long = format!("{{\"id\":1,\"x\":\"{}\"}}{{\"id\":2}}", "y".repeat(MAX_HEAD_BYTES));
        check(&long, &long.replace("}{", "}\n{").replace("2}", "2}\n"));
    }
}
