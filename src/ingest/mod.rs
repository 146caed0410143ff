//! Purchase logs into the lake: found, cut into batches, read, checked, appended.
//!
//! Invariant: every line read is accepted, a duplicate, or rejected with a reason; a bad line
//! costs that line, a bad file that file.

mod acknowledge;
mod builder;
mod feed;
mod json;
mod lines;
mod rows;
mod slices;
mod sources;
mod spool;
mod writer;

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::lake::{DEFAULT_SLICE_BYTES, Doing, Known, Lake, LakeError, LakeSettings, Reject};
use crate::source::{Format, RowFile, Source, SourceError};
use crate::time::Timestamp;
use crate::trace::{Count, Run, Stage};

use builder::{Builder, Limits, Refusal};
use slices::{Slice, Slices, last_whole_record_end};
use writer::{Brought, Outcome, Parsed, Writer};

pub use acknowledge::acknowledge;
pub use feed::{Feed, Pulse};
pub use slices::Pieces;
pub use sources::{BadBatchId, Input, Plan, plan};
pub use spool::{Place, Spool, Spooled, plan_spool};

/// What an ingest is told besides its inputs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The moment of the run.
    pub now: Timestamp,
    /// How far ahead of it an event may lie.
    pub max_skew_seconds: i64,
    /// Whether to write, or only to read and report.
    pub doing: Doing,
    /// What to do with batches that are in already.
    pub known: Known,
    /// Where standard input is cut, besides where a slice is full.
    pub pieces: Pieces,
}

/// What an ingest has done. `read = accepted + duplicate + rejected`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub read: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub rejected: u64,
    /// Files, folders' files and streams that were to be read.
    pub inputs: u64,
    /// Batches that were committed.
    pub batches: u64,
    /// Batches that were committed instead of what they had brought before.
    pub replaced: u64,
    /// Inputs that brought nothing because every batch of theirs was in already.
    pub known_inputs: Vec<String>,
    /// Inputs that failed as a whole, and why.
    pub failures: Vec<Reject>,
    /// The first few rejected lines.
    pub first_rejects: Vec<Reject>,
    /// What folders hold that is no log, and why.
    pub passed_over: Vec<String>,
    /// What has become of a spool's files.
    pub spooled: Option<Spooled>,
    /// Whether standard input was left because someone wished the run to end.
    pub was_stopped: bool,
    /// Messages that were not answered and are not in: whoever sent them sends them again.
    pub unanswered: u64,
}

/// Batches that wait to be written while the next one is read; bounds the memory used.
const WAITING: usize = 1;
/// Why the last line of a stream that broke off is none.
const TORN: &str = "the input ends in the middle of this line, or without a newline";

/// Reads the planned inputs into the lake, in their order, reading one batch while the one before
/// is written. Without a lake there is nothing to write into, and nothing is known.
///
/// # Errors
/// Fails where the lake does. What is wrong with an input stands in the summary.
pub fn ingest(
    lake: Option<&Lake>,
    plan: &Plan,
    feed: Option<&Feed>,
    options: Options,
    run: &Run,
) -> Result<Summary, LakeError> {
    begin(plan, run);
    let target = lake.filter(|_| options.doing == Doing::Applying);
    let settings = lake.map_or(Ok(LakeSettings::default()), Lake::settings)?;
    let writer = Writer::new(target, plan, run);
    let mut summary = thread::scope(|scope| {
        let (send, receive) = sync_channel(WAITING);
        let writing = scope.spawn(move || writer.write_all(receive));
        for (number, input) in plan.inputs.iter().enumerate() {
            let intake = Intake { lake, settings, plan, input, number, feed, options, run, send: &send };
            let outcome = match intake.take() {
                Ok(()) => Outcome::Read,
                Err(Stop::Changed) => Outcome::Changed,
                Err(Stop::Input(_)) if plan.spool.is_some() && input.has_changed() => Outcome::Changed,
                // Another run was first.
                Err(Stop::Input(_)) if plan.spool.is_some() && input.is_gone() => Outcome::Read,
                Err(Stop::Input(reason)) => Outcome::Failed(reason),
                Err(Stop::Lake(error)) => return Err(error),
                // The writer says why.
                Err(Stop::Writer) => break,
            };
            if send.send(Parsed::End { input: number, outcome }).is_err() {
                break;
            }
        }
        drop(send);
        writing.join().expect("the writer does not panic")
    })?;
    summary.inputs = (plan.inputs.len() + plan.failures.len()) as u64;
    summary.passed_over.clone_from(&plan.passed_over);
    summary.was_stopped = feed.is_some_and(Feed::was_stopped);
    let failures = [plan.failures.clone(), summary.failures].concat();
    run.count(Count::FilesFailed, failures.len() as u64);
    // Those of a spool are kept by now, each before its file was moved.
    if let Some(lake) = target.filter(|_| !failures.is_empty() && plan.spool.is_none()) {
        lake.keep_failures(&failures)?;
    }
    summary.failures = failures;
    run.end(Stage::Ingest);
    Ok(summary)
}

fn begin(plan: &Plan, run: &Run) {
    run.begin(Stage::Ingest, plan.known_bytes());
    // Told even where they stay at nothing: the record must add up by itself.
    for count in [
        Count::LinesRead,
        Count::EventsAccepted,
        Count::LinesDuplicate,
        Count::LinesRejected,
        Count::BatchesCommitted,
        Count::BatchesKnown,
    ] {
        run.count(count, 0);
    }
}

fn failure(file: &str, reason: String) -> Reject {
    Reject { file: file.to_owned(), line: None, column: None, reason, text: None, bytes_hex: None }
}

/// Returns the id of one slice of an input that is known by a single id.
fn numbered(id: &str, at: usize) -> String {
    if at == 0 { id.to_owned() } else { format!("{id}#{at}") }
}

/// Why an input was not read to its end.
enum Stop {
    /// The input is bad; the next one may be good.
    Input(String),
    /// The input is another than it was when it was found.
    Changed,
    Lake(LakeError),
    /// The writer has ended.
    Writer,
}

impl From<LakeError> for Stop {
    fn from(error: LakeError) -> Stop {
        Stop::Lake(error)
    }
}

impl From<SourceError> for Stop {
    fn from(error: SourceError) -> Stop {
        Stop::Input(error.to_string())
    }
}

/// One input on its way in.
struct Intake<'a> {
    lake: Option<&'a Lake>,
    settings: LakeSettings,
    plan: &'a Plan,
    input: &'a Input,
    /// The input's place in the plan.
    number: usize,
    feed: Option<&'a Feed>,
    options: Options,
    run: &'a Run,
    send: &'a SyncSender<Parsed>,
}

impl Intake<'_> {
    fn take(&self) -> Result<(), Stop> {
        match self.input.open(self.feed, self.run)? {
            Source::Text { format, reader } => {
                let pieces = self.stream().map_or(Pieces::default(), |_| self.options.pieces);
                self.take_text(format, Slices::of(reader, format, self.slice_bytes(), pieces))
            }
            Source::Rows(file) => self.take_rows(file),
        }
    }

    fn take_text(&self, format: Format, mut slices: Slices<'_>) -> Result<(), Stop> {
        let mut reader = lines::LineReader::of(format);
        let mut at = 0;
        while let Some(slice) = slices.next() {
            let mut slice = slice?;
            let broke_off = slices.has_broken_off() || self.stream().is_some_and(Feed::was_stopped);
            let torn = if broke_off && format != Format::Ndjson { cut_torn(&mut slice) } else { Vec::new() };
            reader.read_header(&slice).map_err(Stop::Input)?;
            let id = self.plan.batch_id.as_ref().map_or(slice.id.clone(), |id| numbered(id, at));
            at += 1;
            match self.known_batch(&id)? {
                Some(lines) => self.hand_over(Parsed::Known { input: self.number, lines })?,
                None => {
                    let mut builder = self.builder();
                    reader.read(&slice, &mut builder);
                    if !torn.is_empty() {
                        let number =
                            slice.first_line + slice.bytes.iter().filter(|&&b| b == b'\n').count() as u64;
                        builder.reject(number, Refusal::line(TORN), &torn);
                    }
                    self.hand_over_batch(id, builder)?;
                }
            }
        }
        self.take_back_from(at)
    }

    fn take_rows(&self, file: RowFile) -> Result<(), Stop> {
        let per_slice = rows::rows_per_slice(self.slice_bytes());
        let mut reader = rows::RowReader::open(file.file).map_err(Stop::Input)?;
        let mut at = 0;
        while !reader.is_done() {
            let id = numbered(self.plan.batch_id.as_ref().unwrap_or(&file.id), at);
            at += 1;
            if let Some(lines) = self.known_batch(&id)? {
                reader.skip(per_slice).map_err(Stop::Input)?;
                self.hand_over(Parsed::Known { input: self.number, lines })?;
                continue;
            }
            let mut builder = self.builder();
            reader.read(per_slice, &mut builder).map_err(Stop::Input)?;
            self.hand_over_batch(id, builder)?;
        }
        self.take_back_from(at)
    }

    /// Takes back the slices that a named batch had further ones of when it came before.
    fn take_back_from(&self, mut at: usize) -> Result<(), Stop> {
        let (Some(batch_id), Some(lake), Known::Replace) =
            (&self.plan.batch_id, self.lake, self.options.known)
        else {
            return Ok(());
        };
        while lake.known_batch(&numbered(batch_id, at))?.is_some() {
            self.hand_over(self.brought(numbered(batch_id, at), self.builder()))?;
            at += 1;
        }
        Ok(())
    }

    fn slice_bytes(&self) -> u64 {
        self.lake.map_or(DEFAULT_SLICE_BYTES, Lake::slice_bytes)
    }

    fn known_batch(&self, id: &str) -> Result<Option<u64>, LakeError> {
        match (self.lake, self.options.known) {
            (Some(lake), Known::Skip) => lake.known_batch(id),
            _ => Ok(None),
        }
    }

    /// Returns the stream that the input is, if it is one.
    fn stream(&self) -> Option<&Feed> {
        self.feed.filter(|_| self.input.path().is_none())
    }

    /// Returns the present: of a stream, when its newest bytes came.
    fn now(&self) -> Timestamp {
        self.stream().map_or(self.options.now, Feed::arrived)
    }

    fn builder(&self) -> Builder {
        let now = self.now();
        let newest = now.plus_seconds(self.options.max_skew_seconds);
        Builder::new(&self.input.name, Limits { newest, oldest: self.settings.oldest_kept(now) })
    }

    fn hand_over_batch(&self, id: String, builder: Builder) -> Result<(), Stop> {
        if builder.is_empty() {
            return Ok(());
        }
        // Part of a file that someone is still writing would count again with the whole of it.
        if self.input.is_spooled() && self.input.has_changed() {
            return Err(Stop::Changed);
        }
        self.hand_over(self.brought(id, builder))
    }

    fn brought(&self, id: String, builder: Builder) -> Parsed {
        let (events, rejects) = builder.finish();
        let (input, at, known) = (self.number, self.now(), self.options.known);
        Parsed::Batch(Brought { input, id, events, rejects, at, known })
    }

    fn hand_over(&self, parsed: Parsed) -> Result<(), Stop> {
        self.send.send(parsed).map_err(|_| Stop::Writer)
    }
}

/// Takes a last line without its end off a slice. In CSV nothing else would tell it from a whole one.
fn cut_torn(slice: &mut Slice) -> Vec<u8> {
    if slice.is_endless_line || slice.bytes.ends_with(b"\n") {
        return Vec::new();
    }
    slice.bytes.split_off(last_whole_record_end(&slice.bytes, true).unwrap_or(0))
}
