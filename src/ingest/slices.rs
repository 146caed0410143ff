//! A text log in slices: bounded pieces that end where a line does.
//!
//! A slice's id is the BLAKE3 hash of all unpacked bytes from the input's beginning to the
//! slice's end. So a file that fits in one slice is known by its content, whatever its name or
//! compression; a longer one that was cut off half-way is taken up where it ended when it comes
//! again whole; and two slices of one stream never share an id, even with the same lines.

use std::io::Read;

use crate::source::{Format, SourceError, reading_failed};

/// Bytes of an endless line that are kept to show.
const SHOWN_BYTES: usize = 65_536;

/// A piece of a text log, made of whole lines.
pub struct Slice {
    pub bytes: Vec<u8>,
    /// Number of its first line in the input, from 1.
    pub first_line: u64,
    pub id: String,
    /// Bytes of the input it covers, unpacked.
    pub consumed_bytes: u64,
    /// It is one line too long to hold, of which `bytes` has the beginning.
    pub is_endless_line: bool,
}

/// The slices of one input.
pub struct Slices<'a> {
    reader: Box<dyn Read + 'a>,
    quotes: bool,
    limit: usize,
    hasher: blake3::Hasher,
    pending: Vec<u8>,
    next_line: u64,
    at_end: bool,
}

impl<'a> Slices<'a> {
    /// Cuts what the reader gives into slices of at most `limit` bytes.
    pub fn of(reader: Box<dyn Read + 'a>, format: Format, limit: u64) -> Slices<'a> {
        Slices {
            reader,
            quotes: format != Format::Ndjson,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            hasher: blake3::Hasher::new(),
            pending: Vec::new(),
            next_line: 1,
            at_end: false,
        }
    }

    fn advance(&mut self) -> Result<Option<Slice>, SourceError> {
        self.fill()?;
        if self.pending.is_empty() {
            return Ok(None);
        }
        let end = if self.at_end && self.pending.len() <= self.limit {
            Some(self.pending.len())
        } else {
            last_record_end(&self.pending[..self.limit.min(self.pending.len())], self.quotes)
        };
        match end {
            Some(end) => Ok(Some(self.cut(end))),
            None => self.endless_line().map(Some),
        }
    }

    /// Reads until the slice is full or the input at its end.
    fn fill(&mut self) -> Result<(), SourceError> {
        while !self.at_end && self.pending.len() < self.limit {
            let missing = (self.limit - self.pending.len()).min(1 << 20);
            let read = self
                .reader
                .by_ref()
                .take(missing as u64)
                .read_to_end(&mut self.pending)
                .map_err(reading_failed)?;
            self.at_end = read == 0;
        }
        Ok(())
    }

    fn cut(&mut self, end: usize) -> Slice {
        let rest = self.pending.split_off(end);
        let bytes = std::mem::replace(&mut self.pending, rest);
        self.hasher.update(&bytes);
        let lines = memchr::memchr_iter(b'\n', &bytes).count() as u64 + u64::from(!bytes.ends_with(b"\n"));
        let first_line = self.next_line;
        self.next_line += lines;
        Slice { consumed_bytes: end as u64, id: self.id(), bytes, first_line, is_endless_line: false }
    }

    /// Reads on to the end of a line that fills a whole slice, keeping only its beginning.
    fn endless_line(&mut self) -> Result<Slice, SourceError> {
        let mut consumed_bytes = 0;
        let mut shown = Vec::new();
        loop {
            let end = memchr::memchr(b'\n', &self.pending).map(|at| at + 1);
            let rest = self.pending.split_off(end.unwrap_or(self.pending.len()));
            let piece = std::mem::replace(&mut self.pending, rest);
            self.hasher.update(&piece);
            consumed_bytes += piece.len() as u64;
            shown.extend_from_slice(&piece[..piece.len().min(SHOWN_BYTES - shown.len())]);
            if end.is_some() || (self.at_end && self.pending.is_empty()) {
                break;
            }
            self.fill()?;
        }
        let first_line = self.next_line;
        self.next_line += 1;
        Ok(Slice { bytes: shown, first_line, id: self.id(), consumed_bytes, is_endless_line: true })
    }

    fn id(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}

impl Iterator for Slices<'_> {
    type Item = Result<Slice, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// Returns where the last whole record ends: after a newline outside quotes, or after any newline
/// where the quotes do not pair up.
fn last_record_end(bytes: &[u8], quotes: bool) -> Option<usize> {
    let last_newline = memchr::memrchr(b'\n', bytes)?;
    let quotes_in = |piece: &[u8]| memchr::memchr_iter(b'"', piece).count();
    if !quotes {
        return Some(last_newline + 1);
    }
    let mut open = quotes_in(&bytes[..last_newline]) % 2 == 1;
    let mut at = last_newline;
    while open {
        let Some(before) = memchr::memrchr(b'\n', &bytes[..at]) else { return Some(last_newline + 1) };
        open ^= quotes_in(&bytes[before..at]) % 2 == 1;
        at = before;
    }
    Some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(text: &str, format: Format, limit: u64) -> Vec<(String, u64)> {
        let reader = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
        let cut = Slices::of(reader, format, limit).map(|slice| slice.expect("memory can be read"));
        cut.map(|slice| (String::from_utf8_lossy(&slice.bytes).into_owned(), slice.first_line)).collect()
    }

    #[test]
    fn slices_end_where_records_do() {
        let two = [("a\nb\n".to_owned(), 1), ("c\n".to_owned(), 3)];
        assert_eq!(slices("a\nb\nc\n", Format::Csv, 5), two);
        assert_eq!(slices("a\nb\nc", Format::Csv, 100), [("a\nb\nc".to_owned(), 1)]);
        assert_eq!(slices("", Format::Csv, 100), []);
        let quoted = [("a\n".to_owned(), 1), ("\"b\nc\"\n".to_owned(), 2)];
        assert_eq!(slices("a\n\"b\nc\"\n", Format::Csv, 7), quoted);
    }

    #[test]
    fn an_endless_line_is_one_slice_and_the_rest_goes_on() {
        let cut = slices(&format!("{}\nb\n", "x".repeat(100)), Format::Ndjson, 10);
        assert_eq!(cut.last(), Some(&("b\n".to_owned(), 2)));
        assert_eq!(cut.len(), 2);
    }

    #[test]
    fn ids_follow_content_and_place() {
        let id = |text: &str, limit| {
            let reader = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
            Slices::of(reader, Format::Csv, limit)
                .map(|s| s.expect("memory can be read").id)
                .collect::<Vec<_>>()
        };
        assert_eq!(id("a\na\n", 2).len(), 2);
        assert_ne!(id("a\na\n", 2)[0], id("a\na\n", 2)[1]);
        assert_eq!(id("a\na\n", 2)[1], id("a\na\n", 100)[0]);
        assert_eq!(id("a\nb\n", 100)[0], blake3::hash(b"a\nb\n").to_hex().to_string());
    }
}
