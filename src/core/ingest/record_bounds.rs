//! Where records end: at a newline outside a quoted field.
//!
//! A quote opens a field only at the start of the field, and closes it unless it is doubled or escaped; any
//! other quote is literal, as in `5" pipe`.

use crate::input_format::{CsvDialect, Quotes};

/// How far a quoted field may extend beyond the line in which it opened, or after which the input was
/// to be cut.
pub(super) const MAX_RECORD_BYTES: usize = 1 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What encloses fields, and what separates them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quoting {
    delimiter: u8,
    quotes: Quotes,
}

impl Quoting {
    /// Returns the quoting of a dialect; `None` where every newline ends a record.
    pub fn of(dialect: Option<CsvDialect>) -> Option<Quoting> {
        let dialect = dialect?;
        Some(Quoting { delimiter: dialect.delimiter, quotes: dialect.quotes? })
    }
}

/// Tracks whether a quoted field is open, quote by quote.
#[derive(Clone, Copy)]
struct OpenQuote {
    quoting: Quoting,
    is_open: bool,
    /// Where the field that is open starts.
    opened_at: usize,
    /// Where the last field was closed: a quote right after that was doubled and reopens it.
    closed_at: Option<usize>,
}

impl OpenQuote {
    fn of(quoting: Quoting) -> OpenQuote {
        OpenQuote { quoting, is_open: false, opened_at: 0, closed_at: None }
    }

    /// Takes the quote at a position in bytes that start at a record.
    fn take(&mut self, bytes: &[u8], at: usize) {
        if self.is_open {
            if !self.is_escaped(bytes, at) {
                (self.is_open, self.closed_at) = (false, Some(at));
            }
            return;
        }
        let is_first = match at.checked_sub(1) {
            None => true,
            Some(before) => {
                let before_it = bytes[before];
                before_it == self.quoting.delimiter
                    || before_it == b'\n'
                    || before_it == b'\r'
                    || bytes[..at] == *BOM
            }
        };
        let is_doubled = at.checked_sub(1).is_some_and(|before| self.closed_at == Some(before));
        self.is_open = is_first || is_doubled;
        if self.is_open {
            self.opened_at = at;
        }
    }

    /// Returns whether an odd number of escape characters precedes a quote in the open field.
    fn is_escaped(&self, bytes: &[u8], at: usize) -> bool {
        let Some(escape) = self.quoting.quotes.escape else { return false };
        let before = bytes[self.opened_at + 1..at].iter().rev().take_while(|byte| **byte == escape);
        before.count() % 2 == 1
    }
}

/// Counts the lines of pending bytes, and reads each byte once.
pub(super) struct LineCounter {
    /// `None` where every newline ends a record.
    open_quote: Option<OpenQuote>,
    /// The number of header lines, which are not counted.
    header: u64,
    lines: u64,
    scanned: usize,
    /// Where the last requested line ends, inside a quoted field.
    end_in_quotes: Option<usize>,
}

impl LineCounter {
    /// Returns a counter that skips the given number of header lines.
    pub fn of(quoting: Option<Quoting>, header: u64) -> LineCounter {
        let open_quote = quoting.map(OpenQuote::of);
        LineCounter { open_quote, header, lines: 0, scanned: 0, end_in_quotes: None }
    }

    /// Starts behind bytes that are not counted.
    #[must_use]
    pub fn starting_at(self, at: usize) -> LineCounter {
        LineCounter { scanned: at, ..self }
    }

    /// Returns where the given number of lines ends, once they are complete: at the end of the record
    /// that the last of them is in or, where that is too far away, at the end of the line.
    pub fn end_of(&mut self, lines: u64, pending: &[u8]) -> Option<usize> {
        let wanted = lines.saturating_add(self.header);
        let is_near = |last: Option<usize>, at: usize| last.is_none_or(|last| at - last <= MAX_RECORD_BYTES);
        let quote = self.open_quote.map_or(b'\n', |open| open.quoting.quotes.quote);
        let start = self.scanned.min(pending.len());
        for at in memchr::memchr2_iter(b'\n', quote, &pending[start..]) {
            let at = self.scanned + at;
            if let Some(open) = self.open_quote.as_mut().filter(|_| pending[at] != b'\n') {
                open.take(pending, at);
                continue;
            }
            self.lines += 1;
            if self.lines < wanted || !is_near(self.end_in_quotes, at) {
                continue;
            }
            if !self.open_quote.is_some_and(|open| open.is_open) {
                return Some(at + 1);
            }
            self.end_in_quotes.get_or_insert(at + 1);
        }
        self.scanned = self.scanned.max(pending.len());
        self.end_in_quotes.filter(|&last| !is_near(Some(last), pending.len()))
    }
}

/// Returns where the last complete record ends or, where a quote is never closed, the last line.
pub(super) fn last_record_end(bytes: &[u8], quoting: Option<Quoting>) -> Option<usize> {
    last_complete_record_end(bytes, quoting).or_else(|| memchr::memrchr(b'\n', bytes).map(|at| at + 1))
}

/// Returns where the last complete record ends.
pub(super) fn last_complete_record_end(bytes: &[u8], quoting: Option<Quoting>) -> Option<usize> {
    let Some(quoting) = quoting else {
        return memchr::memrchr(b'\n', bytes).map(|at| at + 1);
    };
    let mut open_quote = OpenQuote::of(quoting);
    let mut end = None;
    // Where the current stretch outside quoted fields starts.
    let mut outside = 0;
    let last_line = |from: usize, to: usize| memchr::memrchr(b'\n', &bytes[from..to]).map(|at| from + at + 1);
    for at in memchr::memchr_iter(quoting.quotes.quote, bytes) {
        let was_open = open_quote.is_open;
        open_quote.take(bytes, at);
        match (was_open, open_quote.is_open) {
            (false, true) => end = last_line(outside, at).or(end),
            (true, false) => outside = at,
            _ => {}
        }
    }
    if open_quote.is_open { end } else { last_line(outside, bytes.len()).or(end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoting(delimiter: u8, escape: Option<u8>) -> Option<Quoting> {
        Some(Quoting { delimiter, quotes: Quotes { quote: b'"', escape } })
    }

    /// Returns where every record ends, by a state machine over single bytes.
    fn ends(bytes: &[u8]) -> Vec<usize> {
        let (mut ends, mut is_open, mut at) = (Vec::new(), false, 0);
        let mut is_first = true;
        while at < bytes.len() {
            match (bytes[at], is_open) {
                (b'"', true) if bytes.get(at + 1) == Some(&b'"') => at += 1,
                (b'"', true) => is_open = false,
                (b'"', false) => is_open = is_first,
                (b'\n', false) => ends.push(at + 1),
                _ => {}
            }
            is_first = matches!(bytes[at], b',' | b'\n' | b'\r') && !is_open;
            at += 1;
        }
        ends
    }

    fn check(text: &str, expected: Option<usize>) {
        assert_eq!(last_complete_record_end(text.as_bytes(), quoting(b',', None)), expected, "{text:?}");
        assert_eq!(ends(text.as_bytes()).last().copied(), expected, "{text:?}");
    }

    /// Every quote used to toggle the state, so that a record with a newline in it was cut in two where
    /// an earlier line had the inches of a pipe.
    #[test]
    fn a_quote_inside_a_field_is_literal() {
        check("5\" pipe,1\na,\"b\nc\"\n", Some(18));
        check("5\" pipe,1\na,\"b\nc\n", Some(10));
        check("a,\"5\"\" pipe\nx\"\nb", Some(15));
        check("a,\"\"\n", Some(5));
        check("a,\"\"\"\n\"\n", Some(8));
        check("\"a\n\"x\"y\"\nb\n", Some(11));
        check("a,b\"\nc", Some(5));
        assert_eq!(last_complete_record_end(b"\xef\xbb\xbf\"t\ns\",x\ny", quoting(b',', None)), Some(11));
        assert_eq!(last_complete_record_end(b"a\t\"b\nc\"\nd", quoting(b'\t', None)), Some(8));
        assert_eq!(last_complete_record_end(b"a,\"b\nc", None), Some(5));
        let escaped = quoting(b',', Some(b'\\'));
        assert_eq!(last_complete_record_end(b"a,\"5\\\" pipe\nx\"\nb", escaped), Some(15));
        assert_eq!(last_complete_record_end(b"a,\"5\\\\\" pipe\nx\"\nb", escaped), Some(16));
        assert_eq!(last_record_end(b"\"a\nb", quoting(b',', None)), Some(3));
    }

    proptest::proptest! {
        #[test]
        fn records_end_where_a_state_machine_over_bytes_finds_their_ends(text in "[a\",\n\r]{0,24}", lines in 1_u64..5, piece in 1_usize..9) {
            let expected = ends(text.as_bytes());
            let last = last_complete_record_end(text.as_bytes(), quoting(b',', None));
            proptest::prop_assert_eq!(last, expected.last().copied());
            let mut counter = LineCounter::of(quoting(b',', None), 0);
            let mut found = None;
            for end in (0..text.len()).step_by(piece).chain([text.len()]) {
                found = found.or_else(|| counter.end_of(lines, &text.as_bytes()[..end]));
            }
            let is_late = |end: &&usize| text[..**end].matches('\n').count() as u64 >= lines;
            proptest::prop_assert_eq!(found, expected.iter().find(is_late).copied());
        }
    }

    #[test]
    fn a_quote_that_is_not_closed_soon_is_cut_off_at_its_line() {
        let mut counter = LineCounter::of(quoting(b',', None), 0);
        let mut pending = b"a\n\"b\n".to_vec();
        assert_eq!(counter.end_of(2, &pending), None);
        pending.extend(b"c\n".repeat(MAX_RECORD_BYTES / 2));
        assert_eq!(counter.end_of(2, &pending), None);
        pending.extend(b"\"\n");
        assert_eq!(counter.end_of(2, &pending), Some(5), "whatever the next read returns");
    }
}
