//! The format of a stream, detected by its first bytes.

use std::io::{self, Read};

use crate::input_format::decompress::is_transient;
use crate::input_format::error::{SourceError, read_error};
use crate::input_format::fluent_bit::fluent_bit_record;
use crate::input_format::format::Format;

/// The maximum number of bytes by which a format is detected.
const MAX_HEAD_BYTES: usize = 4_096;

/// Detects the format by no more than the first line: a stream that is still being written may have no
/// second line for hours.
pub(super) fn detect_format<'a>(
    mut reader: Box<dyn Read + 'a>,
) -> Result<(Format, Box<dyn Read + 'a>), SourceError> {
    let mut head = Vec::new();
    while head.len() < MAX_HEAD_BYTES && !without_bom(&head).contains(&b'\n') {
        let filled = head.len();
        head.resize(MAX_HEAD_BYTES, 0);
        let read = reader.read(&mut head[filled..]);
        head.truncate(filled + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => break,
            Err(e) if !is_transient(&e) => return Err(read_error(e)),
            _ => {}
        }
    }
    let format = format_of_head(without_bom(&head));
    Ok((format, Box::new(io::Cursor::new(head).chain(reader))))
}

fn format_of_head(text: &[u8]) -> Format {
    let first_line = text.split(|&byte| byte == b'\n').next().unwrap_or(text);
    if text.starts_with(b"{") || fluent_bit_record(&String::from_utf8_lossy(first_line)).is_some() {
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
