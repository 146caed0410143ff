//! Messages on standard input that are acknowledged after their commit, as rsyslog's omprog expects.
//!
//! ```text
//! <= OK                      ready
//! => {"ts":…}                <= OK, after the commit
//! => BEGIN TRANSACTION       <= OK
//! => {"ts":…}                <= DEFER_COMMIT
//! => COMMIT TRANSACTION      <= OK, after the commit of all messages since BEGIN
//! ```
//!
//! After any other answer the sender waits and sends the messages again.
//!
//! Invariant: each message that was answered OK is in the lake or in its rejects, once. The id of a
//! batch is the hash of its messages. Only a batch that may have been sent before, the first one after
//! the start or after a failure, is skipped where its id is already ingested; later messages with the
//! same bytes are other purchases.

use std::io::{self, BufRead, BufReader};

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::input::Input;
use crate::ingest::kept_rejects::RejectRoom;
use crate::ingest::limits::Limits;
use crate::ingest::line_parser::LineParser;
use crate::ingest::options::{Options, ParseOptions};
use crate::ingest::parsed::ParsedBatch;
use crate::ingest::plan::Plan;
use crate::ingest::slices::Slice;
use crate::ingest::stdin_stream::StdinStream;
use crate::ingest::summary::Summary;
use crate::ingest::writer::Writer;
use crate::input_format::Format;
use crate::lake::{DuplicatePolicy, Lake, LakeError, LakeSettings, Reject};
use crate::model::Currency;
use crate::progress::Progress;

const OK: &str = "OK";
const DEFERRED: &str = "DEFER_COMMIT";
const BEGIN: &[u8] = b"BEGIN TRANSACTION";
const COMMIT: &[u8] = b"COMMIT TRANSACTION";
/// The number of bytes of a message that are held: one more than the maximum length of a line, so that
/// a longer one is rejected.
const MAX_HELD_BYTES: usize = (16 << 20) + 1;

/// Ingests messages until the input ends, a stop is requested, or nobody reads the acknowledgements.
///
/// # Errors
/// Fails where the lake cannot be written to before the first message; later errors are answers.
pub fn acknowledge(
    lake: &Lake,
    stdin: &StdinStream,
    options: Options,
    parse_options: ParseOptions<'_>,
    progress: &Progress,
) -> Result<Summary, LakeError> {
    let plan = Plan { inputs: vec![Input::stdin(Some(Format::Ndjson))], ..Plan::default() };
    let writer = Writer::start(Some(lake), &plan, options, parse_options.catalog.is_some(), progress);
    let mut session = Session {
        stdin,
        settings: lake.settings()?,
        options,
        max_transaction_bytes: lake.slice_bytes(),
        parse_options,
        parser: LineParser::of(None, parse_options.mapping),
        writer,
        transaction: None,
        currency: lake.currency()?,
        duplicates: DuplicatePolicy::Skip,
        messages: 0,
        reject_room: RejectRoom::of_run(options.max_reject_bytes),
    };
    if let Err(reason) = session.parser.read_header(&Slice::empty()) {
        session.writer.fail(Reject::of_input("-", reason));
        return session.writer.finish();
    }
    let mut lines = StreamLines { stdin, reader: BufReader::new(stdin), incomplete: Vec::new() };
    let mut is_read = stdin.acknowledge(OK).is_ok();
    while is_read {
        match lines.next() {
            Ok(Some(line)) => is_read = stdin.acknowledge(&session.answer(&line)).is_ok(),
            Ok(None) => break,
            Err(error) => {
                session.writer.fail(Reject::of_input("-", format!("cannot be read: {error}")));
                break;
            }
        }
    }
    let in_transaction = session.transaction.map_or(0, |transaction| transaction.messages);
    let mut summary = session.writer.finish()?;
    summary.unacknowledged = in_transaction + u64::from(!lines.incomplete.is_empty());
    summary.was_stopped = stdin.was_stopped();
    Ok(summary)
}

/// The state between two messages.
struct Session<'a> {
    stdin: &'a StdinStream,
    settings: LakeSettings,
    options: Options,
    max_transaction_bytes: u64,
    parse_options: ParseOptions<'a>,
    parser: LineParser<'a>,
    writer: Writer<'a>,
    transaction: Option<Transaction<'a>>,
    /// The currency of the lake's amounts; messages in another one are rejected.
    currency: Option<Currency>,
    /// What to do with the next batch where its id is already ingested.
    duplicates: DuplicatePolicy,
    messages: u64,
    reject_room: RejectRoom,
}

/// Messages that are not committed yet.
struct Transaction<'a> {
    builder: BatchBuilder<'a>,
    hasher: blake3::Hasher,
    messages: u64,
    size_bytes: u64,
}

impl Transaction<'_> {
    /// Returns whether the transaction fits in memory; a single message always does.
    fn fits(&self, max_bytes: u64) -> bool {
        self.messages <= 1 || (self.size_bytes <= max_bytes && !self.builder.is_full())
    }
}

impl<'a> Session<'a> {
    /// Takes one line and returns the answer to it.
    fn answer(&mut self, line: &[u8]) -> String {
        let is_command = |command: &[u8]| line.trim_ascii_end() == command;
        if is_command(BEGIN) {
            // The sender has given up a transaction that is still open, and sends it again.
            self.transaction = Some(self.new_transaction());
            return OK.to_owned();
        }
        if is_command(COMMIT) {
            return match self.transaction.take() {
                Some(transaction) => self.commit(transaction),
                None => "Error: there is no transaction to commit".to_owned(),
            };
        }
        let Some(mut transaction) = self.transaction.take() else {
            let mut single = self.new_transaction();
            self.parse(line, &mut single);
            return self.commit(single);
        };
        if transaction.fits(self.max_transaction_bytes) {
            self.parse(line, &mut transaction);
        }
        let fits = transaction.fits(self.max_transaction_bytes);
        // One that is too large stays open, so that the rest of it is not taken for single messages.
        self.transaction = Some(transaction);
        if fits { DEFERRED.to_owned() } else { self.too_large() }
    }

    fn too_large(&self) -> String {
        let limit = self.max_transaction_bytes;
        format!("Error: the transaction is over the limit of {limit} bytes; lower queue.dequeueBatchSize")
    }

    fn new_transaction(&self) -> Transaction<'a> {
        let limits = Limits::at(self.stdin.arrived(), &self.options, self.settings, self.parse_options);
        let builder = BatchBuilder::new("-", limits, self.max_transaction_bytes)
            .with_currency(self.currency)
            .with_reject_room(self.reject_room.left());
        Transaction { builder, hasher: blake3::Hasher::new(), messages: 0, size_bytes: 0 }
    }

    fn parse(&mut self, line: &[u8], into: &mut Transaction<'a>) {
        self.messages += 1;
        into.messages += 1;
        into.size_bytes += line.len() as u64;
        into.hasher.update(line);
        let slice = Slice::of_lines(line.to_vec(), self.messages);
        self.parser.parse(&slice, None, &mut into.builder);
    }

    fn commit(&mut self, transaction: Transaction<'a>) -> String {
        if !transaction.fits(self.max_transaction_bytes) {
            return self.too_large();
        }
        if transaction.builder.is_empty() {
            return OK.to_owned();
        }
        let lines = transaction.builder.finish();
        self.reject_room.take(&lines.rejects);
        let id = transaction.hasher.finalize().to_hex().to_string();
        let currency = lines.currency;
        let batch = ParsedBatch { input: 0, id, lines, part: None, at: self.stdin.arrived() };
        match self.writer.write(batch, self.duplicates) {
            Ok(()) => {
                self.currency = currency;
                self.duplicates = DuplicatePolicy::AppendAgain;
                OK.to_owned()
            }
            Err(error) => {
                // The sender sends it again, whether or not it was committed.
                self.duplicates = DuplicatePolicy::Skip;
                // Another writer was first to name a currency: these messages are rejected when they come again.
                if let LakeError::OtherCurrency { lake, .. } = &error {
                    self.currency = Some(*lake);
                }
                format!("Error: {}", error.to_string().replace(['\n', '\r'], " "))
            }
        }
    }
}

/// The lines of the stream, each with its newline.
struct StreamLines<'a> {
    stdin: &'a StdinStream,
    reader: BufReader<&'a StdinStream>,
    /// The beginning of a line whose end has not arrived.
    incomplete: Vec<u8>,
}

impl StreamLines<'_> {
    /// Returns the next complete line; `None` at the end of the input or when a stop is requested.
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
            let room = MAX_HELD_BYTES - self.incomplete.len();
            let piece = &bytes[..end.unwrap_or(bytes.len())];
            self.incomplete.extend_from_slice(&piece[..piece.len().min(room)]);
            let consumed = piece.len() + usize::from(end.is_some());
            self.reader.consume(consumed);
            if end.is_some() {
                self.incomplete.push(b'\n');
                return Ok(Some(std::mem::take(&mut self.incomplete)));
            }
        }
    }
}
