//! A text log, cut into slices: pieces of bounded size that end at the end of a record.
//!
//! The id of a slice is the BLAKE3 hash of all uncompressed bytes from the start of the input to the
//! end of the slice. So a file that fits in one slice is identified by its content, whatever its name
//! or compression; of a file that has grown, only what is new is ingested; and two slices of one
//! stream never share an id, even with the same lines.

use std::io::{self, Read};
use std::ops::Range;

use crate::ingest::options::StreamOptions;
use crate::ingest::record_bounds::{LineCounter, Quoting, last_complete_record_end, last_record_end};
use crate::ingest::stdin_stream::StopHandle;
use crate::input_format::{CsvDialect, SourceError, read_error};

/// The number of bytes that are kept of a line longer than a slice.
const SHOWN_BYTES: usize = 65_536;
/// The maximum size of one read.
const READ_BYTES: usize = 64 << 10;

/// A piece of a text log that consists of whole lines.
pub(super) struct Slice {
    pub bytes: Vec<u8>,
    /// The number of its first line in the input, from 1.
    pub first_line: u64,
    pub id: String,
    /// The uncompressed size of the part of the input that the slice covers.
    pub consumed_bytes: u64,
    /// Whether the slice is a line longer than a slice, of which `bytes` is the beginning.
    pub is_beginning_of_line: bool,
    /// Where the slice starts in the uncompressed input, and the hash of what comes before it.
    pub start: u64,
    pub before: blake3::Hasher,
    /// Whether the input is known to end with the slice.
    pub is_last: bool,
}

impl Slice {
    /// Returns lines that are no part of a longer input.
    pub fn of_lines(bytes: Vec<u8>, first_line: u64) -> Slice {
        Slice {
            first_line,
            id: String::new(),
            consumed_bytes: bytes.len() as u64,
            is_beginning_of_line: false,
            start: 0,
            before: blake3::Hasher::new(),
            is_last: false,
            bytes,
        }
    }

    /// Returns where the slice ends in the uncompressed input.
    pub fn end(&self) -> u64 {
        self.start + self.consumed_bytes
    }

    /// Returns the hashes of the input up to some offsets in the slice, which are in order.
    pub fn ids_at(&self, offsets: &[usize]) -> Vec<String> {
        let (mut hasher, mut at) = (self.before.clone(), 0);
        let id_at = |&offset: &usize| {
            hasher.update(&self.bytes[at..offset]);
            at = offset;
            hasher.finalize().to_hex().to_string()
        };
        offsets.iter().map(id_at).collect()
    }

    /// Returns a part of the slice.
    pub fn part(&self, range: Range<usize>, id: String) -> Slice {
        let lines = memchr::memchr_iter(b'\n', &self.bytes[..range.start]).count() as u64;
        Slice {
            first_line: self.first_line + lines,
            id,
            consumed_bytes: range.len() as u64,
            is_beginning_of_line: false,
            start: self.start + range.start as u64,
            before: self.before.clone(),
            is_last: self.is_last,
            bytes: self.bytes[range].to_vec(),
        }
    }

    /// Removes a last line without a newline, and returns it. In CSV a truncated line may look complete.
    pub fn cut_last_line(&mut self) -> Vec<u8> {
        if self.is_beginning_of_line || self.bytes.ends_with(b"\n") {
            return Vec::new();
        }
        self.bytes.split_off(memchr::memrchr(b'\n', &self.bytes).map_or(0, |at| at + 1))
    }

    /// Returns the slice of an input that has not begun.
    pub fn empty() -> Slice {
        Slice::of_lines(Vec::new(), 1)
    }
}

/// The slices of one input.
pub(super) struct Slices<'a> {
    reader: Box<dyn Read + 'a>,
    /// `None` where every newline ends a record.
    quoting: Option<Quoting>,
    /// The length of the lines in front of the header, until the slice with them is cut.
    preamble_bytes: usize,
    limit: usize,
    hasher: blake3::Hasher,
    /// Where the next slice starts.
    start: u64,
    pending: Vec<u8>,
    /// Where bytes are read to first: `pending` would have to be cleared for each read.
    scratch: Vec<u8>,
    next_line: u64,
    at_end: bool,
    options: StreamOptions,
    /// Whether the stream is to end, so that all that has arrived is one slice.
    stop: StopHandle,
    counter: LineCounter,
    /// Whether the last tick found only a record whose quotes are open.
    has_waited: bool,
    /// Why the input broke off, to be returned after the bytes before it.
    read_error: Option<SourceError>,
}

/// Why reading paused.
enum Filled {
    /// The slice is full, or the input has ended.
    All,
    /// The batch has its number of lines, which end here.
    Lines(usize),
    /// What has arrived is to be committed.
    Tick,
}

impl<'a> Slices<'a> {
    /// Returns the slices of a reader, of at most `limit` bytes; they are smaller where the options say
    /// so, and where the reader would block. A dialect has a header.
    pub fn of(
        reader: Box<dyn Read + 'a>,
        dialect: Option<CsvDialect>,
        limit: u64,
        options: StreamOptions,
    ) -> Slices<'a> {
        let quoting = Quoting::of(dialect);
        let preamble_bytes = dialect.map_or(0, |dialect| dialect.preamble_bytes);
        Slices {
            reader,
            quoting,
            preamble_bytes,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            hasher: blake3::Hasher::new(),
            start: 0,
            pending: Vec::new(),
            scratch: vec![0; READ_BYTES],
            next_line: 1,
            at_end: false,
            options,
            stop: StopHandle::default(),
            counter: LineCounter::of(quoting, u64::from(dialect.is_some())).starting_at(preamble_bytes),
            has_waited: false,
            read_error: None,
        }
    }

    /// Returns the slices of a stream, which are no longer small once its end is requested: to commit each
    /// line of what the pipe still holds would take minutes.
    #[must_use]
    pub fn stopped_by(mut self, stop: StopHandle) -> Self {
        self.stop = stop;
        self
    }

    /// Returns whether the input broke off, so that its last line may be incomplete.
    pub fn is_truncated(&self) -> bool {
        self.read_error.is_some()
    }

    fn advance(&mut self) -> Result<Option<Slice>, SourceError> {
        let end = loop {
            let filled = match self.fill() {
                Err(error) if self.options.keeps_truncated => {
                    (self.at_end, self.read_error) = (true, Some(error));
                    Filled::All
                }
                filled => filled?,
            };
            match filled {
                Filled::Lines(end) => break Some(end),
                Filled::All if self.pending.is_empty() => {
                    return self.read_error.take().map_or(Ok(None), Err);
                }
                Filled::All if self.at_end && self.pending.len() <= self.limit => {
                    break Some(self.pending.len());
                }
                Filled::All => {
                    break self.end_within(self.limit, last_record_end);
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
            None => self.overlong_line().map(Some),
        }
    }

    /// Reads until the slice is full or has its lines, the input ends, or the reader would block.
    fn fill(&mut self) -> Result<Filled, SourceError> {
        loop {
            let lines = self.options.lines_per_batch.filter(|_| !self.stop.is_requested());
            if let Some(end) = lines.and_then(|lines| self.counter.end_of(lines, &self.pending)) {
                return Ok(Filled::Lines(end));
            }
            if self.at_end || self.pending.len() >= self.limit {
                return Ok(Filled::All);
            }
            match self.read_some() {
                Ok(read) => self.at_end = read == 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Filled::Tick),
                Err(error) => return Err(read_error(error)),
            }
        }
    }

    /// Reads once.
    fn read_some(&mut self) -> io::Result<usize> {
        let room = READ_BYTES.min(self.limit - self.pending.len());
        let read = self.reader.read(&mut self.scratch[..room])?;
        self.pending.extend_from_slice(&self.scratch[..read]);
        Ok(read)
    }

    /// Returns where the last complete record ends. A record whose quotes are open has until the next
    /// tick to close them; then they count as literal, since a stray quote must not hold back the rest.
    fn end_at_tick(&mut self) -> Option<usize> {
        let find = if self.has_waited { last_record_end } else { last_complete_record_end };
        let end = self.end_within(self.pending.len(), find);
        self.has_waited = end.is_none() && self.pending.contains(&b'\n');
        end
    }

    /// Returns where the last record within a limit ends; the lines in front of the header have none.
    fn end_within(
        &self,
        limit: usize,
        find: impl Fn(&[u8], Option<Quoting>) -> Option<usize>,
    ) -> Option<usize> {
        let limit = limit.min(self.pending.len());
        let start = self.preamble_bytes.min(limit);
        let end = find(&self.pending[start..limit], self.quoting).map(|end| start + end);
        // Blank lines in front of the header may be more than a slice.
        end.or_else(|| (start == limit).then_some(limit).filter(|_| self.pending[..limit].ends_with(b"\n")))
    }

    fn cut(&mut self, end: usize) -> Slice {
        let rest = self.pending.split_off(end);
        let bytes = std::mem::replace(&mut self.pending, rest);
        self.counter = LineCounter::of(self.quoting, 0);
        (self.has_waited, self.preamble_bytes) = (false, 0);
        let before = self.hasher.clone();
        self.hasher.update(&bytes);
        let lines = memchr::memchr_iter(b'\n', &bytes).count() as u64 + u64::from(!bytes.ends_with(b"\n"));
        let first_line = self.next_line;
        self.next_line += lines;
        let start = self.start;
        self.start += end as u64;
        Slice {
            bytes,
            first_line,
            id: self.id(),
            consumed_bytes: end as u64,
            is_beginning_of_line: false,
            start,
            before,
            is_last: self.at_end && self.pending.is_empty(),
        }
    }

    /// Reads to the end of a line that is longer than a slice, and keeps its beginning.
    fn overlong_line(&mut self) -> Result<Slice, SourceError> {
        let before = self.hasher.clone();
        let mut consumed_bytes = 0;
        let mut shown = Vec::new();
        loop {
            let end = memchr::memchr(b'\n', &self.pending).map(|at| at + 1);
            let rest = self.pending.split_off(end.unwrap_or(self.pending.len()));
            let piece = std::mem::replace(&mut self.pending, rest);
            self.hasher.update(&piece);
            consumed_bytes += piece.len() as u64;
            shown.extend_from_slice(&piece[..piece.len().min(SHOWN_BYTES - shown.len())]);
            self.preamble_bytes = 0;
            if end.is_some() || (self.at_end && self.pending.is_empty()) {
                break;
            }
            match self.read_some() {
                Ok(read) => self.at_end = read == 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(read_error(error)),
            }
        }
        self.counter = LineCounter::of(self.quoting, 0);
        let first_line = self.next_line;
        self.next_line += 1;
        let start = self.start;
        self.start += consumed_bytes;
        Ok(Slice {
            bytes: shown,
            first_line,
            id: self.id(),
            consumed_bytes,
            is_beginning_of_line: true,
            start,
            before,
            is_last: false,
        })
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

    use crate::input_format::{Format, ReadOptions};

    fn dialect(format: Format) -> Option<CsvDialect> {
        CsvDialect::of(format, &ReadOptions::default())
    }

    fn slices(text: &str, format: Format, limit: u64) -> Vec<(String, u64)> {
        let reader = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
        let cut = Slices::of(reader, dialect(format), limit, StreamOptions::default())
            .map(|slice| slice.expect("memory can be read"));
        cut.map(|slice| (String::from_utf8_lossy(&slice.bytes).into_owned(), slice.first_line)).collect()
    }

    #[test]
    fn slices_end_where_records_do() {
        let two = [("a\nb\n".to_owned(), 1), ("c\n".to_owned(), 3)];
        assert_eq!(slices("a\nb\nc\n", Format::Csv, 5), two);
        assert_eq!(slices("a\nb\nc", Format::Csv, 100), [("a\nb\nc".to_owned(), 1)]);
        assert_eq!(slices("", Format::Csv, 100), []);
        let unquoted = [("a\n\"b\n".to_owned(), 1), ("c\"\n".to_owned(), 3)];
        assert_eq!(slices("a\n\"b\nc\"\n", Format::Tsv, 7), unquoted);
        let quoted = [("a\n".to_owned(), 1), ("\"b\nc\"\n".to_owned(), 2)];
        assert_eq!(slices("a\n\"b\nc\"\n", Format::Csv, 7), quoted);
    }

    #[test]
    fn a_line_longer_than_a_slice_is_one_slice_and_the_next_line_follows() {
        let cut = slices(&format!("{}\nb\n", "x".repeat(100)), Format::Ndjson, 10);
        assert_eq!(cut.last(), Some(&("b\n".to_owned(), 2)));
        assert_eq!(cut.len(), 2);
    }

    /// Returns one piece at each read, and would block at an empty one.
    struct Pieces(Vec<String>);

    impl Read for Pieces {
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
        let options = StreamOptions { lines_per_batch: lines, keeps_truncated: false };
        let cut = Slices::of(
            Box::new(Pieces(read.iter().map(|&piece| piece.to_owned()).collect())),
            dialect(Format::Csv),
            100,
            options,
        );
        let cut = cut.map(|slice| slice.expect("it can be read").bytes);
        let cut: Vec<String> = cut.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
        assert_eq!(cut, expected, "{read:?}");
    }

    #[test]
    fn a_tick_cuts_off_complete_records_and_keeps_the_rest() {
        check_pieces(&["", "a\nb", "", "", "c\n", ""], None, &["a\n", "bc\n"]);
        check_pieces(&["a\n\"b\n", "", "c\"\nd", ""], None, &["a\n", "\"b\nc\"\n", "d"]);
        // An unclosed quote holds back what follows for one tick.
        check_pieces(&["a\n\"b\n", "", "c\n", "", "", "d"], None, &["a\n", "\"b\nc\n", "d"]);
        check_pieces(&["\"b\n", "", "c\n", "", "d"], None, &["\"b\nc\n", "d"]);
    }

    #[test]
    fn batches_have_the_given_number_of_lines_wherever_reads_end() {
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
            let options = StreamOptions { lines_per_batch: lines, keeps_truncated: false };
            // All of an overlong line is kept here, since it is short enough to show.
            let cut = Slices::of(Box::new(Pieces(read)), dialect(Format::Csv), limit, options);
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
    fn ids_depend_on_content_and_position() {
        let id = |text: &str, limit| {
            let reader = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
            Slices::of(reader, dialect(Format::Csv), limit, StreamOptions::default())
                .map(|s| s.expect("memory can be read").id)
                .collect::<Vec<_>>()
        };
        assert_eq!(id("a\na\n", 2).len(), 2);
        assert_ne!(id("a\na\n", 2)[0], id("a\na\n", 2)[1]);
        assert_eq!(id("a\na\n", 2)[1], id("a\na\n", 100)[0]);
        assert_eq!(id("a\nb\n", 100)[0], blake3::hash(b"a\nb\n").to_hex().to_string());
    }
}
