//! A text log in slices: bounded pieces that end where a line does.
//!
//! A slice's id is the BLAKE3 hash of all unpacked bytes from the input's beginning to the
//! slice's end. So a file that fits in one slice is known by its content, whatever its name or
//! compression; a longer one that was cut off half-way is taken up where it ended when it comes
//! again whole; and two slices of one stream never share an id, even with the same lines.

use std::io::{self, Read};

use crate::ingest::records::{LineCounter, delimiter_of, last_record_end, last_whole_record_end};
use crate::input_format::{Format, SourceError, reading_failed};

/// Bytes of an endless line that are kept to show.
const SHOWN_BYTES: usize = 65_536;
/// Bytes that are read at once at most.
const READ_BYTES: usize = 256 << 10;

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

/// Where an input is cut, besides where a slice is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    /// After so many lines, the header not counted.
    pub lines: Option<u64>,
    /// Whether what was read before the input broke off is a slice too.
    pub keeps_broken_off: bool,
}

/// The slices of one input.
pub struct Slices<'a> {
    reader: Box<dyn Read + 'a>,
    /// None where quotes mean nothing.
    delimiter: Option<u8>,
    limit: usize,
    hasher: blake3::Hasher,
    pending: Vec<u8>,
    /// Where bytes are read to first: to make room in `pending` would clear it each time.
    scratch: Vec<u8>,
    next_line: u64,
    at_end: bool,
    pieces: Pieces,
    counter: LineCounter,
    /// A tick has found nothing to cut off but a record whose quotes are open.
    has_waited: bool,
    /// Why the input broke off, to be told after what came before.
    broken_off: Option<SourceError>,
}

/// What there is to cut off.
enum Filled {
    /// A whole slice, or all that is left.
    All,
    /// The lines that were asked for, which end here.
    Lines(usize),
    /// What there is at a tick.
    Tick,
}

impl<'a> Slices<'a> {
    /// Cuts what the reader gives into slices of at most `limit` bytes, and into smaller pieces
    /// where that is asked for or the reader would block.
    pub fn of(reader: Box<dyn Read + 'a>, format: Format, limit: u64, pieces: Pieces) -> Slices<'a> {
        let delimiter = delimiter_of(format);
        Slices {
            reader,
            delimiter,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            hasher: blake3::Hasher::new(),
            pending: Vec::new(),
            scratch: vec![0; READ_BYTES],
            next_line: 1,
            at_end: false,
            pieces,
            // A format with quotes is one with a header.
            counter: LineCounter::of(delimiter, u64::from(delimiter.is_some())),
            has_waited: false,
            broken_off: None,
        }
    }

    /// Tells whether the input ended before its end, so that its last line may be a part of one.
    pub fn has_broken_off(&self) -> bool {
        self.broken_off.is_some()
    }

    fn advance(&mut self) -> Result<Option<Slice>, SourceError> {
        let end = loop {
            let filled = match self.fill() {
                Err(error) if self.pieces.keeps_broken_off => {
                    (self.at_end, self.broken_off) = (true, Some(error));
                    Filled::All
                }
                filled => filled?,
            };
            match filled {
                Filled::Lines(end) => break Some(end),
                Filled::All if self.pending.is_empty() => {
                    return self.broken_off.take().map_or(Ok(None), Err);
                }
                Filled::All if self.at_end && self.pending.len() <= self.limit => {
                    break Some(self.pending.len());
                }
                Filled::All => {
                    break last_record_end(
                        &self.pending[..self.limit.min(self.pending.len())],
                        self.delimiter,
                    );
                }
                Filled::Tick => {
                    if let Some(end) = self.end_at_tick() {
                        break Some(end);
                    }
                }
            }
        };
        match end {
            Some(end) => Ok(Some(self.cut(end))),
            None => self.endless_line().map(Some),
        }
    }

    /// Reads until the slice is full, has its lines or must wait, or the input is at its end.
    fn fill(&mut self) -> Result<Filled, SourceError> {
        loop {
            if let Some(end) = self.pieces.lines.and_then(|lines| self.counter.end_of(lines, &self.pending)) {
                return Ok(Filled::Lines(end));
            }
            if self.at_end || self.pending.len() >= self.limit {
                return Ok(Filled::All);
            }
            match self.read_some() {
                Ok(read) => self.at_end = read == 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Filled::Tick),
                Err(error) => return Err(reading_failed(error)),
            }
        }
    }

    /// Reads what comes first, not waiting for more.
    fn read_some(&mut self) -> io::Result<usize> {
        let room = READ_BYTES.min(self.limit - self.pending.len());
        let read = self.reader.read(&mut self.scratch[..room])?;
        self.pending.extend_from_slice(&self.scratch[..read]);
        Ok(read)
    }

    /// Returns where the last whole record ends. One whose quotes are open gets a tick's time to
    /// close them; after that they are taken for strays, which must not keep all else waiting.
    fn end_at_tick(&mut self) -> Option<usize> {
        let whole = last_whole_record_end(&self.pending, self.delimiter);
        let end = if self.has_waited { last_record_end(&self.pending, self.delimiter) } else { whole };
        self.has_waited = end.is_none() && self.pending.contains(&b'\n');
        end
    }

    fn cut(&mut self, end: usize) -> Slice {
        let rest = self.pending.split_off(end);
        let bytes = std::mem::replace(&mut self.pending, rest);
        self.counter = LineCounter::of(self.delimiter, 0);
        self.has_waited = false;
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
            match self.read_some() {
                Ok(read) => self.at_end = read == 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(reading_failed(error)),
            }
        }
        self.counter = LineCounter::of(self.delimiter, 0);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(text: &str, format: Format, limit: u64) -> Vec<(String, u64)> {
        let reader = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
        let cut = Slices::of(reader, format, limit, Pieces::default())
            .map(|slice| slice.expect("memory can be read"));
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

    /// Gives one piece at each read, and blocks where there is none.
    struct Pulsing(Vec<String>);

    impl Read for Pulsing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            let read = piece.as_bytes().read(into)?;
            match &piece[read..] {
                "" if read == 0 => return Err(io::ErrorKind::WouldBlock.into()),
                "" => {}
                rest => self.0.insert(0, rest.to_owned()),
            }
            Ok(read)
        }
    }

    fn check_pieces(read: &[&str], lines: Option<u64>, expected: &[&str]) {
        let pieces = Pieces { lines, keeps_broken_off: false };
        let cut = Slices::of(
            Box::new(Pulsing(read.iter().map(|&piece| piece.to_owned()).collect())),
            Format::Csv,
            100,
            pieces,
        );
        let cut = cut.map(|slice| slice.expect("it can be read").bytes);
        let cut: Vec<String> = cut.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
        assert_eq!(cut, expected, "{read:?}");
    }

    #[test]
    fn at_a_tick_whole_records_are_cut_off_and_the_rest_waits() {
        check_pieces(&["", "a\nb", "", "", "c\n", ""], None, &["a\n", "bc\n"]);
        check_pieces(&["a\n\"b\n", "", "c\"\nd", ""], None, &["a\n", "\"b\nc\"\n", "d"]);
        // A quote that does not close holds back what is behind it for one tick.
        check_pieces(&["a\n\"b\n", "", "c\n", "", "", "d"], None, &["a\n", "\"b\nc\n", "d"]);
        check_pieces(&["\"b\n", "", "c\n", "", "d"], None, &["\"b\nc\n", "d"]);
    }

    #[test]
    fn so_many_lines_are_cut_off_wherever_the_reads_end() {
        let expected = ["h\na\nb\n", "c\nd\n", "e"];
        check_pieces(&["h\na\nb\nc\nd\ne"], Some(2), &expected);
        check_pieces(&["h", "\n", "a\nb", "\nc", "\nd\n", "e"], Some(2), &expected);
        check_pieces(&["h\na\n\"b\nc\"\nd\n"], Some(2), &["h\na\n\"b\nc\"\n", "d\n"]);
        check_pieces(&["h\na\n\"b\nc\nd\n"], Some(2), &["h\na\n\"b\nc\nd\n"]);
    }

    proptest::proptest! {
        #[test]
        fn no_byte_is_lost_wherever_reads_end_and_ticks_come(
            read in proptest::collection::vec("[a\n\"]{0,6}", 0..20),
            lines in proptest::option::of(1_u64..4),
            limit in 4_u64..40,
        ) {
            let whole = read.concat();
            let pieces = Pieces { lines, keeps_broken_off: false };
            // An endless line shows but its beginning, which here is all of it.
            let cut = Slices::of(Box::new(Pulsing(read)), Format::Csv, limit, pieces);
            let cut: Vec<Slice> = cut.map(|slice| slice.expect("it can be read")).collect();
            let bytes: Vec<u8> = cut.iter().flat_map(|slice| slice.bytes.clone()).collect();
            proptest::prop_assert_eq!(String::from_utf8_lossy(&bytes), &*whole);
            let mut next_line = 1;
            for slice in &cut {
                proptest::prop_assert_eq!(slice.first_line, next_line);
                next_line += memchr::memchr_iter(b'\n', &slice.bytes).count() as u64;
            }
            if let Some(last) = cut.last() {
                proptest::prop_assert_eq!(&last.id, &blake3::hash(whole.as_bytes()).to_hex().to_string());
            }
        }
    }

    #[test]
    fn ids_follow_content_and_place() {
        let id = |text: &str, limit| {
            let reader = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
            Slices::of(reader, Format::Csv, limit, Pieces::default())
                .map(|s| s.expect("memory can be read").id)
                .collect::<Vec<_>>()
        };
        assert_eq!(id("a\na\n", 2).len(), 2);
        assert_ne!(id("a\na\n", 2)[0], id("a\na\n", 2)[1]);
        assert_eq!(id("a\na\n", 2)[1], id("a\na\n", 100)[0]);
        assert_eq!(id("a\nb\n", 100)[0], blake3::hash(b"a\nb\n").to_hex().to_string());
    }
}
