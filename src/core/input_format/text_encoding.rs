//! Text of any encoding, decoded to UTF-8.
//!
//! A byte order mark wins over what is said. UTF-16 without one is recognised where every other byte is
//! zero, which no other text has.
//!
//! Invariant: no character is replaced in silence. Bytes that are invalid in their encoding become a byte
//! that is invalid in UTF-8, so that the lines that use them are rejected.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::input_format::content_kind::Unsupported;
use crate::input_format::error::SourceError;
use crate::input_format::head::Head;

const READ_BYTES: usize = 64 << 10;
/// How many characters must look like UTF-16 where nothing says so.
const MIN_WIDE_CHARACTERS: usize = 4;
const UTF_32: Unsupported = Unsupported {
    what: "UTF-32 text",
    remedy: "convert it: iconv -f UTF-32 -t UTF-8 FILE | topsell ingest -",
};
/// A byte that no UTF-8 contains.
const INVALID: u8 = 0xff;

/// A character encoding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextEncoding(&'static Encoding);

/// The name of the WHATWG standard, such as `windows-1252`.
impl std::fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

impl TextEncoding {
    /// Returns the encoding of a name, in the spelling of the WHATWG standard or a usual one.
    ///
    /// # Errors
    /// Says that there is none.
    pub fn named(name: &str) -> Result<TextEncoding, String> {
        let plain = name.trim().to_ascii_lowercase().replace('_', "-");
        let spelled = match plain.as_str() {
            "utf8" | "utf-8-sig" => "utf-8".to_owned(),
            "utf16" => "utf-16".to_owned(),
            "utf16le" | "utf16-le" | "utf-16-le" => "utf-16le".to_owned(),
            "utf16be" | "utf16-be" | "utf-16-be" => "utf-16be".to_owned(),
            "latin-1" => "latin1".to_owned(),
            "shift-jis" | "shiftjis" | "cp932" => "shift_jis".to_owned(),
            "gb-18030" => "gb18030".to_owned(),
            _ => plain,
        };
        // Pages of Windows have several spellings.
        let page = spelled.strip_prefix("cp-").or_else(|| spelled.strip_prefix("cp"));
        let page = page.map(|number| format!("windows-{number}"));
        let found = Encoding::for_label(spelled.as_bytes())
            .or_else(|| Encoding::for_label(page.unwrap_or_default().as_bytes()));
        found.map(TextEncoding).ok_or_else(|| {
            format!(
                "`{name}` is not a known encoding, such as windows-1252, iso-8859-15, utf-16le or shift_jis"
            )
        })
    }
}

/// Returns a reader's text as UTF-8, and its encoding; by default, it is UTF-8 or UTF-16.
///
/// # Errors
/// Fails where the text is UTF-32.
pub(super) fn decoded<'a>(
    head: Head<'a>,
    encoding: Option<TextEncoding>,
) -> Result<(Box<dyn Read + 'a>, TextEncoding), SourceError> {
    let seen = head.seen();
    if seen.starts_with(&[0xff, 0xfe, 0, 0]) || seen.starts_with(&[0, 0, 0xfe, 0xff]) {
        return Err(UTF_32.into());
    }
    let of_mark = Encoding::for_bom(seen).map(|(encoding, _)| encoding);
    let encoding = of_mark.or(encoding.map(|encoding| encoding.0)).or_else(|| wide(seen));
    Ok(match encoding {
        Some(encoding) if encoding != UTF_8 => {
            (Box::new(Decoded::of(head, encoding)), TextEncoding(encoding))
        }
        _ => (Box::new(head), TextEncoding(UTF_8)),
    })
}

/// Returns the byte order of UTF-16 that has no mark.
fn wide(seen: &[u8]) -> Option<&'static Encoding> {
    let (pairs, _) = seen.as_chunks::<2>();
    let count = |zero: usize| pairs.iter().filter(|pair| pair[zero] == 0 && pair[1 - zero] != 0).count();
    let is_it = |many: usize, few: usize| few == 0 && many >= MIN_WIDE_CHARACTERS && many * 2 >= pairs.len();
    match (count(1), count(0)) {
        (little, big) if is_it(little, big) => Some(UTF_16LE),
        (little, big) if is_it(big, little) => Some(UTF_16BE),
        _ => None,
    }
}

/// A reader that decodes.
struct Decoded<'a> {
    inner: Head<'a>,
    decoder: Decoder,
    input: Vec<u8>,
    output: Vec<u8>,
    given: usize,
    at_end: bool,
}

impl<'a> Decoded<'a> {
    fn of(inner: Head<'a>, encoding: &'static Encoding) -> Decoded<'a> {
        Decoded {
            inner,
            decoder: encoding.new_decoder(),
            input: vec![0; READ_BYTES],
            output: Vec::new(),
            given: 0,
            at_end: false,
        }
    }

    fn advance(&mut self) -> io::Result<()> {
        let length = self.inner.read(&mut self.input)?;
        self.at_end = length == 0;
        self.output.clear();
        self.given = 0;
        let mut at = 0;
        loop {
            let filled = self.output.len();
            let room = self.decoder.max_utf8_buffer_length_without_replacement(length - at);
            self.output.resize(filled + room.unwrap_or(READ_BYTES).max(16), 0);
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
                &self.input[at..length],
                &mut self.output[filled..],
                self.at_end,
            );
            at += read;
            self.output.truncate(filled + written);
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.output.push(INVALID),
            }
        }
    }
}

impl Read for Decoded<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.output.len() {
            if self.at_end {
                return Ok(0);
            }
            self.advance()?;
        }
        let read = (&self.output[self.given..]).read(into)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], encoding: Option<&str>, expected: &[u8]) {
        let encoding = encoding.map(|name| TextEncoding::named(name).expect("it is known"));
        let head = Head::read(Box::new(bytes), 512, |_| false);
        let mut text = Vec::new();
        let (mut reader, _) = decoded(head, encoding).expect("it is no UTF-32");
        reader.read_to_end(&mut text).expect("memory can be read");
        assert_eq!(text.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn text_of_any_encoding_is_utf8() {
        let wide =
            |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        check("ts,é\n".as_bytes(), None, "ts,é\n".as_bytes());
        check(b"caf\xe9", None, b"caf\xe9");
        check(b"caf\xe9 \x80", Some("cp1252"), "café €".as_bytes());
        check(b"caf\xe9 \xa4", Some("ISO-8859-15"), "café €".as_bytes());
        check(b"\x83\x65", Some("shift-jis"), "テ".as_bytes());
        check(&wide("\u{feff}ts,é\n", u16::to_le_bytes), None, "ts,é\n".as_bytes());
        check(&wide("\u{feff}ts,é\n", u16::to_be_bytes), Some("windows-1252"), "ts,é\n".as_bytes());
        check(&wide("ts,item\n2017,é", u16::to_le_bytes), None, "ts,item\n2017,é".as_bytes());
        check(&wide("ts,item\n2017,é", u16::to_be_bytes), None, "ts,item\n2017,é".as_bytes());
        check(b"a\0b", Some("utf16le"), b"a\xff");
        check(b"a\x81", Some("shift_jis"), b"a\xff");
        check("\u{feff}é".as_bytes(), Some("windows-1252"), "\u{feff}é".as_bytes());
    }

    #[test]
    fn unknown_names_are_refused() {
        let known =
            ["latin-1", "Latin1", "utf-16-le", "CP1251", "cp-1250", "ISO_8859-2", "gb18030", "utf-8-sig"];
        for name in known {
            assert!(TextEncoding::named(name).is_ok(), "{name}");
        }
        for name in ["ebcdic", "", "utf-32"] {
            assert!(TextEncoding::named(name).is_err(), "{name}");
        }
    }
}
