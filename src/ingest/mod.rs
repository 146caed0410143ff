//! Purchase logs into the lake: found, cut into batches, read, checked, appended.
//!
//! Invariant: every line read is accepted, a duplicate, or rejected with a reason; a bad line
//! costs that line, a bad file that file.

mod builder;
mod json;
mod lines;
mod rows;
mod slices;
mod sources;
mod writer;

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::lake::{DEFAULT_SLICE_BYTES, Doing, Known, Lake, LakeError, LakeSettings, Reject};
use crate::source::{Format, RowFile, Source, SourceError};
use crate::time::Timestamp;
use crate::trace::{Count, Run, Stage};

use builder::{Builder, Limits};
use slices::Slices;
use writer::{Parsed, Writer};

pub use sources::{BadBatchId, Input, Plan, plan};

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
}

/// Batches that wait to be written while the next one is read; bounds the memory used.
const WAITING: usize = 1;

/// Reads the planned inputs into the lake, in their order, reading one batch while the one before
/// is written. Without a lake there is nothing to write into, and nothing is known.
///
/// # Errors
/// Fails where the lake does. What is wrong with an input stands in the summary.
pub fn ingest(lake: Option<&Lake>, plan: &Plan, options: Options, run: &Run) -> Result<Summary, LakeError> {
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
    let mut failures = plan.failures.clone();
    let target = lake.filter(|_| options.doing == Doing::Applying);
    let settings = lake.map_or(Ok(LakeSettings::default()), Lake::settings)?;
    let writer = Writer::new(target, plan, options, run);
    let mut summary = thread::scope(|scope| {
        let (send, receive) = sync_channel(WAITING);
        let writing = scope.spawn(move || writer.write_all(receive));
        for (number, input) in plan.inputs.iter().enumerate() {
            match (Intake { lake, settings, plan, input, number, options, run, send: &send }).take() {
                Ok(()) => {}
                Err(Stop::Input(reason)) => failures.push(failure(&input.name, reason)),
                Err(Stop::Lake(error)) => return Err(error),
                // The writer says why.
                Err(Stop::Writer) => break,
            }
        }
        drop(send);
        writing.join().expect("the writer does not panic")
    })?;
    summary.inputs = (plan.inputs.len() + plan.failures.len()) as u64;
    summary.passed_over.clone_from(&plan.passed_over);
    run.count(Count::FilesFailed, failures.len() as u64);
    if let Some(lake) = target.filter(|_| !failures.is_empty()) {
        lake.keep_failures(&failures)?;
    }
    summary.failures = failures;
    run.end(Stage::Ingest);
    Ok(summary)
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
    options: Options,
    run: &'a Run,
    send: &'a SyncSender<Parsed>,
}

impl Intake<'_> {
    fn take(&self) -> Result<(), Stop> {
        match self.input.open(self.run)? {
            Source::Text { format, reader } => {
                self.take_text(format, Slices::of(reader, format, self.slice_bytes()))
            }
            Source::Rows(file) => self.take_rows(file),
        }
    }

    fn take_text(&self, format: Format, slices: Slices<'_>) -> Result<(), Stop> {
        let mut reader = lines::LineReader::of(format);
        let mut at = 0;
        for slice in slices {
            let slice = slice?;
            reader.read_header(&slice).map_err(Stop::Input)?;
            let id = self.plan.batch_id.as_ref().map_or(slice.id.clone(), |id| numbered(id, at));
            at += 1;
            match self.known_batch(&id)? {
                Some(lines) => self.hand_over(Parsed::Known { input: self.number, lines })?,
                None => {
                    let mut builder = self.builder();
                    reader.read(&slice, &mut builder);
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
            let (events, rejects) = self.builder().finish();
            self.hand_over(Parsed::Batch {
                input: self.number,
                id: numbered(batch_id, at),
                events,
                rejects,
            })?;
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

    fn builder(&self) -> Builder {
        let newest = self.options.now.plus_seconds(self.options.max_skew_seconds);
        let oldest = self.settings.oldest_kept(self.options.now);
        Builder::new(&self.input.name, Limits { newest, oldest })
    }

    fn hand_over_batch(&self, id: String, builder: Builder) -> Result<(), Stop> {
        let (events, rejects) = builder.finish();
        if events.is_empty() && rejects.is_empty() {
            return Ok(());
        }
        self.hand_over(Parsed::Batch { input: self.number, id, events, rejects })
    }

    fn hand_over(&self, parsed: Parsed) -> Result<(), Stop> {
        self.send.send(parsed).map_err(|_| Stop::Writer)
    }
}
