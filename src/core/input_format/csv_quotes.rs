//! The quotes of a record of CSV: whether they enclose whole fields.
//!
//! Where they do not, a line was written without quoting, or in another dialect: what is read of such a field
//! is not what was written.

use crate::input_format::csv_dialect::{CsvDialect, Quotes};

/// How the quotes of a record deviate from RFC 4180.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct QuoteFaults {
    /// Whether a quoted field does not end.
    pub is_unclosed: bool,
    /// The fields with a fault, and which.
    pub fields: Vec<(usize, QuoteFault)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuoteFault {
    /// A closing quote is followed by text.
    TextBehind,
    /// An opening quote follows spaces, so that it is read as text.
    SpaceBefore,
}

impl QuoteFaults {
    /// Returns whether a field has text behind its closing quote, or does not end.
    pub fn has_open_end(&self) -> bool {
        self.is_unclosed || self.fields.iter().any(|(_, fault)| *fault == QuoteFault::TextBehind)
    }
}

/// Finds the faults of one record.
pub fn quote_faults(record: &[u8], delimiter: u8, quotes: Quotes) -> QuoteFaults {
    let mut faults = QuoteFaults::default();
    let is_end = |byte: u8| byte == delimiter || byte == b'\n' || byte == b'\r';
    let (mut at, mut field) = (0, 0);
    loop {
        if record.get(at) == Some(&quotes.quote) {
            let Some(end) = end_of_quoted(record, at, quotes) else {
                faults.is_unclosed = true;
                return faults;
            };
            at = end;
            if record.get(at).is_some_and(|&byte| !is_end(byte)) {
                faults.fields.push((field, QuoteFault::TextBehind));
            }
        } else {
            let spaces = record[at..].iter().take_while(|byte| **byte == b' ').count();
            if spaces > 0 && record.get(at + spaces) == Some(&quotes.quote) {
                faults.fields.push((field, QuoteFault::SpaceBefore));
            }
        }
        at += record[at..].iter().take_while(|byte| !is_end(**byte)).count();
        match record.get(at) {
            Some(&byte) if byte == delimiter => at += 1,
            _ => return faults,
        }
        field += 1;
    }
}

/// Returns where the quoted field that starts at a position ends, behind its closing quote.
fn end_of_quoted(record: &[u8], start: usize, quotes: Quotes) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match (*record.get(at)?, record.get(at + 1)) {
            (byte, _) if Some(byte) == quotes.escape => at += 2,
            (byte, Some(&next)) if byte == quotes.quote && next == quotes.quote => at += 2,
            (byte, _) if byte == quotes.quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// Returns which quoting a line may have instead, as an addition to the reason why it was rejected.
pub fn quoting_hint(line: &[u8], dialect: CsvDialect) -> &'static str {
    let has = |text: &[u8]| memchr::memmem::find(line, text).is_some();
    match dialect.quotes {
        None if has(b"\"") && !dialect.is_quoting_given => {
            "; if quotes enclose fields, pass --quoting standard"
        }
        Some(Quotes { quote: b'"', escape: None }) if has(b"\\\"") => {
            "; if \\\" stands for a quote, pass --quoting backslash"
        }
        Some(Quotes { quote: b'"', .. }) if has(b"\"") && !dialect.is_quoting_given => {
            "; if quotes are part of the text, pass --quoting none"
        }
        Some(Quotes { quote: b'"', .. }) if has(&[dialect.delimiter, b'\'']) || line.starts_with(b"'") => {
            "; if single quotes enclose fields, pass --quoting single"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &str, escape: Option<u8>, expected: &[(usize, QuoteFault)], is_unclosed: bool) {
        let faults = quote_faults(record.as_bytes(), b',', Quotes { quote: b'"', escape });
        assert_eq!(faults, QuoteFaults { is_unclosed, fields: expected.to_vec() }, "{record}");
    }

    #[test]
    fn quotes_enclose_whole_fields_or_are_faults() {
        check("a,\"b, c\",d\n", None, &[], false);
        check("a,5\" pipe,\"x\"\"y\"\r\n", None, &[], false);
        check("\"a\"b,c\n", None, &[(0, QuoteFault::TextBehind)], false);
        check("a, \"b\"\n", None, &[(1, QuoteFault::SpaceBefore)], false);
        check("a,\"b", None, &[], true);
        check("a,\"5\\\" pipe\",c", None, &[(1, QuoteFault::TextBehind)], false);
        check("a,\"5\\\" pipe\",c", Some(b'\\'), &[], false);
        check("a,\"\\", Some(b'\\'), &[], true);
        check("", None, &[], false);
    }
}
