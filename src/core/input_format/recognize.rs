//! The format of a file whose name does not tell it, recognized by content that no other format has.
//!
//! Invariant: CSV is never recognized, since nearly any text could be CSV.

use std::io::Read;
use std::path::Path;

use crate::input_format::decompress::{Opened, decompress};
use crate::input_format::error::SourceError;
use crate::input_format::fluent_bit::fluent_bit_record;
use crate::input_format::format::Format;
use crate::input_format::head::Head;
use crate::storage::local_files;

/// The number of bytes by which a format is recognized.
const HEAD_BYTES: usize = 4_096;

/// Returns the format of a file by its first bytes, where they are unmistakable; that of a zip archive
/// is decided when it is read.
///
/// # Errors
/// Fails where the file cannot be read or decompressed.
pub fn recognize(path: &Path) -> Result<Option<Format>, SourceError> {
    match decompress(Box::new(local_files::open(path)?))? {
        Opened::Plain(head) | Opened::Decompressed(head) => Ok(recognized(Box::new(head)).0),
        Opened::Zip(_) => Ok(None),
    }
}

/// Returns the format that unmistakable first bytes have, and the reader with all of them.
pub(super) fn recognized<'a>(reader: Box<dyn Read + 'a>) -> (Option<Format>, Head<'a>) {
    let head = Head::read(reader, HEAD_BYTES, |head| format_of_head(head).is_some());
    (format_of_head(head.seen()), head)
}

fn format_of_head(head: &[u8]) -> Option<Format> {
    if head.starts_with(b"PAR1") {
        return Some(Format::Parquet);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let first_line = text.split(|&byte| byte == b'\n').next().unwrap_or(text);
    let is_json = starts_object(text) || text.strip_prefix(b"[").is_some_and(starts_object);
    let is_fluent_bit = || fluent_bit_record(&String::from_utf8_lossy(first_line)).is_some();
    (is_json || is_fluent_bit()).then_some(Format::Ndjson)
}

/// Returns whether a JSON object begins, `{"` or `{}`, with any white space.
fn starts_object(text: &[u8]) -> bool {
    let inside = text.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    inside.is_some_and(|inside| inside.starts_with(b"\"") || inside.starts_with(b"}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unmistakable_content_is_recognized() {
        let check = |head: &str, expected: Option<Format>| {
            assert_eq!(format_of_head(head.as_bytes()), expected, "{head:?}");
        };
        check("{\"ts\":1", Some(Format::Ndjson));
        check("\u{feff}\n { \"ts\":1", Some(Format::Ndjson));
        check("[\n  {\"ts\":1", Some(Format::Ndjson));
        check("shop: [1669213434.5, {\"a\":1}]\n", Some(Format::Ndjson));
        check("PAR1\x15", Some(Format::Parquet));
        for other in ["", "ts,item_id\n", "{a}", "[section]\nkey=1", "%PDF-1.4", "# README\n{\"a\":1}"] {
            check(other, None);
        }
    }
}
