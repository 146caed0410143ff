//! Messages on standard input, each answered when it is on disk, as rsyslog's omprog asks.
//!
//! ```text
//! <= OK                      ready
//! => {"ts":…}                <= OK, after the commit
//! => BEGIN TRANSACTION       <= OK
//! => {"ts":…}                <= DEFER_COMMIT
//! => COMMIT TRANSACTION      <= OK, after the commit of all since BEGIN
//! ```
//!
//! Any other answer makes the sender wait and send again.
//!
//! Invariant: what was answered OK is in or among the rejects, once. A batch's id is the hash of
//! its messages alone; only what may have been sent before, the first after the start and after a
//! failure, is asked for by it, since later messages of the same bytes are other purchases.

use std::io::{self, BufRead, BufReader};

use crate::ingest::builder::{Builder, Limits};
use crate::ingest::lines::LineReader;
use crate::ingest::slices::Slice;
use crate::ingest::sources::{Input, Plan};
use crate::ingest::stdin_stream::StdinStream;
use crate::ingest::writer::{Brought, Writer};
use crate::ingest::{Options, Reading, Summary, begin, failure};
use crate::input_format::Format;
use crate::lake::{Known, Lake, LakeError, LakeSettings};
use crate::progress::{Count, Progress, Stage};

const OK: &str = "OK";
const DEFERRED: &str = "DEFER_COMMIT";
const BEGIN: &[u8] = b"BEGIN TRANSACTION";
const COMMIT: &[u8] = b"COMMIT TRANSACTION";
/// Bytes of a message that are held: one more than a line may have, so that it is told too long.
const MAX_HELD_BYTES: usize = (16 << 20) + 1;

/// Takes messages until no more come, or someone wishes the run to end, or nobody hears the
/// answers.
///
/// # Errors
/// Fails where the lake cannot be written to before the first message; later failures are answered.
pub fn acknowledge(
    lake: &Lake,
    stdin: &StdinStream,
    options: Options,
    reading: Reading<'_>,
    progress: &Progress,
) -> Result<Summary, LakeError> {
    let plan = Plan { inputs: vec![Input::standard(Some(Format::Ndjson))], ..Plan::default() };
    begin(&plan, reading, progress);
    let mut desk = Desk {
        stdin,
        settings: lake.settings()?,
        options,
        limit: lake.slice_bytes(),
        reading,
        reader: LineReader::of(Format::Ndjson, reading.mapping),
        writer: Writer::new(Some(lake), &plan, options, progress),
        open: None,
        known: Known::Skip,
        messages: 0,
    };
    let mut lines = Lines { stdin, reader: BufReader::new(stdin), rest: Vec::new() };
    let mut failed = Vec::new();
    let mut is_heard = stdin.answer(OK).is_ok();
    while is_heard {
        match lines.next() {
            Ok(Some(line)) => is_heard = stdin.answer(&desk.take(&line)).is_ok(),
            Ok(None) => break,
            Err(error) => {
                failed.push(failure("-", format!("cannot be read: {error}")));
                break;
            }
        }
    }
    let unanswered = desk.open.map_or(0, |open| open.messages) + u64::from(!lines.rest.is_empty());
    progress.count(Count::FilesFailed, failed.len() as u64);
    let mut summary = desk.writer.finish();
    if !failed.is_empty() {
        lake.keep_failures(&failed)?;
    }
    summary.inputs = 1;
    summary.filed = reading.catalog.map(|_| summary.filed.unwrap_or(0));
    summary.failures = failed;
    summary.unanswered = unanswered;
    summary.was_stopped = stdin.was_stopped();
    progress.end(Stage::Ingest);
    Ok(summary)
}

/// Where messages are taken in.
struct Desk<'a> {
    stdin: &'a StdinStream,
    settings: LakeSettings,
    options: Options,
    /// Bytes that a transaction may have.
    limit: u64,
    reading: Reading<'a>,
    reader: LineReader<'a>,
    writer: Writer<'a>,
    open: Option<Open<'a>>,
    /// What to do with the next batch if its id is known.
    known: Known,
    messages: u64,
}

/// Messages that are not committed yet.
struct Open<'a> {
    builder: Builder<'a>,
    hasher: blake3::Hasher,
    messages: u64,
    size_bytes: u64,
}

impl Open<'_> {
    /// Tells whether it may be held in memory; a single message always may.
    fn fits(&self, limit: u64) -> bool {
        self.messages <= 1 || (self.size_bytes <= limit && !self.builder.is_full())
    }
}

impl<'a> Desk<'a> {
    /// Takes one line and returns the answer to it.
    fn take(&mut self, line: &[u8]) -> String {
        let is_mark = |mark: &[u8]| line.trim_ascii_end() == mark;
        if is_mark(BEGIN) {
            // One that was open before was given up by the sender, who sends it again.
            self.open = Some(self.fresh());
            return OK.to_owned();
        }
        if is_mark(COMMIT) {
            return match self.open.take() {
                Some(open) => self.commit(open),
                None => "Error: there is no transaction to commit".to_owned(),
            };
        }
        let Some(mut open) = self.open.take() else {
            let mut single = self.fresh();
            self.read(line, &mut single);
            return self.commit(single);
        };
        if open.fits(self.limit) {
            self.read(line, &mut open);
        }
        let answer = if open.fits(self.limit) { DEFERRED.to_owned() } else { self.too_long() };
        // One that is too long stays open too, so that what is left of it is not taken for more.
        self.open = Some(open);
        answer
    }

    fn too_long(&self) -> String {
        format!("Error: a transaction of more than {} bytes; lower queue.dequeueBatchSize", self.limit)
    }

    fn fresh(&self) -> Open<'a> {
        let limits = Limits::at(self.stdin.arrived(), &self.options, self.settings, self.reading);
        let builder = Builder::new("-", limits, self.limit);
        Open { builder, hasher: blake3::Hasher::new(), messages: 0, size_bytes: 0 }
    }

    fn read(&mut self, line: &[u8], into: &mut Open<'a>) {
        self.messages += 1;
        into.messages += 1;
        into.size_bytes += line.len() as u64;
        into.hasher.update(line);
        let slice = Slice {
            bytes: line.to_vec(),
            first_line: self.messages,
            id: String::new(),
            consumed_bytes: line.len() as u64,
            is_endless_line: false,
        };
        self.reader.read(&slice, None, &mut into.builder);
    }

    fn commit(&mut self, open: Open<'a>) -> String {
        if !open.fits(self.limit) {
            return self.too_long();
        }
        if open.builder.is_empty() {
            return OK.to_owned();
        }
        let read = open.builder.finish();
        let id = open.hasher.finalize().to_hex().to_string();
        let brought = Brought { input: 0, id, read, at: self.stdin.arrived() };
        match self.writer.append(brought, self.known) {
            Ok(()) => {
                self.known = Known::AppendAgain;
                OK.to_owned()
            }
            Err(error) => {
                // Whether it is in or not, the sender sends it again.
                self.known = Known::Skip;
                format!("Error: {}", error.to_string().replace(['\n', '\r'], " "))
            }
        }
    }
}

/// The stream's lines, each with its end.
struct Lines<'a> {
    stdin: &'a StdinStream,
    reader: BufReader<&'a StdinStream>,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
}

impl Lines<'_> {
    /// Returns the next whole line; none where no more come or the end is wished for.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let bytes = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                bytes => bytes?,
            };
            if bytes.is_empty() || self.stdin.was_stopped() {
                return Ok(None);
            }
            let end = memchr::memchr(b'\n', bytes);
            let room = MAX_HELD_BYTES - self.rest.len();
            let piece = &bytes[..end.unwrap_or(bytes.len())];
            self.rest.extend_from_slice(&piece[..piece.len().min(room)]);
            let consumed = piece.len() + usize::from(end.is_some());
            self.reader.consume(consumed);
            if end.is_some() {
                self.rest.push(b'\n');
                return Ok(Some(std::mem::take(&mut self.rest)));
            }
        }
    }
}
