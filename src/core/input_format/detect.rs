//! The format of a stream, detected by its first bytes.

use std::io::Read;

use crate::input_format::container_log::container_log_line;
use crate::input_format::fluent_bit::fluent_bit_record;
use crate::input_format::format::Format;
use crate::input_format::head::Head;

/// The maximum number of bytes by which a format is detected.
const MAX_HEAD_BYTES: usize = 4_096;

/// Detects the format by no more than the first line: a stream that is still being written may have no
/// second line for hours.
pub(super) fn detect_format<'a>(reader: Box<dyn Read + 'a>) -> (Format, Box<dyn Read + 'a>) {
    let head = Head::read(reader, MAX_HEAD_BYTES, |head| without_bom(head).contains(&b'\n'));
    (format_of_head(without_bom(head.seen())), Box::new(head))
}

fn format_of_head(text: &[u8]) -> Format {
    let first_line = text.split(|&byte| byte == b'\n').next().unwrap_or(text);
    // A field of a header that begins with a bracket goes on with a name.
    let is_array =
        text.starts_with(b"[") && matches!(text[1..].trim_ascii_start().first(), Some(b'{' | b']') | None);
    let line = String::from_utf8_lossy(first_line);
    let is_wrapped = fluent_bit_record(&line).is_some() || container_log_line(&line).is_some();
    if text.starts_with(b"{") || is_array || is_wrapped {
        Format::Ndjson
    } else if text.starts_with(b"PAR1") {
        Format::Parquet
    } else if first_line.contains(&b'\t') {
        Format::Tsv
    } else {
        Format::Csv
    }
}

fn without_bom(head: &[u8]) -> &[u8] {
    head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start()
}
