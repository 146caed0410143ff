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

use crate::event::Events;
use crate::lake::{Appended, Batch, Lake, LakeError, Reject};
use crate::time::Timestamp;
use crate::trace::{Count, Run, Stage};

use builder::{Builder, Limits};
use slices::Slices;
use sources::{Source, SourceError};

pub use sources::{Format, Input, Plan, plan};

/// What an ingest is told besides its inputs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The moment of the run.
    pub now: Timestamp,
    /// How far ahead of it an event may lie.
    pub max_skew_seconds: i64,
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
    /// Inputs that brought nothing because every batch of theirs was in already.
    pub known_inputs: Vec<String>,
    /// Inputs that failed as a whole, and why.
    pub failures: Vec<Reject>,
    /// The first few rejected lines.
    pub first_rejects: Vec<Reject>,
    /// Files of folders whose names say nothing of a log.
    pub passed_over: Vec<String>,
}

/// Rejected lines that a summary repeats.
const FIRST_REJECTS: usize = 5;

/// Reads the planned inputs into the lake, one after another.
///
/// # Errors
/// Fails where the lake does. What is wrong with an input stands in the summary.
pub fn ingest(lake: &Lake, plan: &Plan, options: Options, run: &Run) -> Result<Summary, LakeError> {
    let mut summary = Summary {
        inputs: (plan.inputs.len() + plan.failures.len()) as u64,
        failures: plan.failures.clone(),
        passed_over: plan.passed_over.clone(),
        ..Summary::default()
    };
    run.begin(Stage::Ingest, plan.known_bytes());
    for input in &plan.inputs {
        let mut intake = Intake { lake, input, options, run, summary: &mut summary, known: 0, new: 0 };
        match intake.take() {
            Ok(()) => {
                if intake.known > 0 && intake.new == 0 {
                    summary.known_inputs.push(input.name.clone());
                }
            }
            Err(Stop::Input(reason)) => summary.failures.push(Reject {
                file: input.name.clone(),
                line: None,
                column: None,
                reason,
                text: None,
                bytes_hex: None,
            }),
            Err(Stop::Lake(error)) => return Err(error),
        }
    }
    run.count(Count::FilesFailed, summary.failures.len() as u64);
    if !summary.failures.is_empty() {
        lake.keep_failures(&summary.failures)?;
    }
    run.end(Stage::Ingest);
    Ok(summary)
}

/// Why an input was not read to its end.
enum Stop {
    /// The input is bad; the next one may be good.
    Input(String),
    Lake(LakeError),
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
    lake: &'a Lake,
    input: &'a Input,
    options: Options,
    run: &'a Run,
    summary: &'a mut Summary,
    /// Batches that were in already, and that came in.
    known: u64,
    new: u64,
}

impl Intake<'_> {
    fn take(&mut self) -> Result<(), Stop> {
        match self.input.open()? {
            Source::Text { format, reader } => {
                self.take_text(format, Slices::of(reader, format, self.lake.slice_bytes()))
            }
            Source::Rows(file) => self.take_rows(file),
        }
    }

    fn take_text(&mut self, format: Format, slices: Slices) -> Result<(), Stop> {
        let mut reader = lines::LineReader::of(format);
        for slice in slices {
            let slice = slice?;
            self.run.advance(Stage::Ingest, slice.consumed_bytes);
            if slice.first_line == 1 {
                reader.read_header(&slice).map_err(Stop::Input)?;
            }
            match self.lake.known_batch(&slice.id)? {
                Some(lines) => self.account_known(lines),
                None => {
                    let mut builder = self.builder();
                    reader.read(&slice, &mut builder);
                    self.append(&slice.id, builder)?;
                }
            }
        }
        Ok(())
    }

    fn take_rows(&mut self, file: sources::RowFile) -> Result<(), Stop> {
        let per_slice = rows::rows_per_slice(self.lake.slice_bytes());
        let mut reader = rows::RowReader::open(file.file).map_err(Stop::Input)?;
        let mut at = 0;
        while !reader.is_done() {
            let id = if at == 0 { file.id.clone() } else { format!("{}-{at}", file.id) };
            at += 1;
            if let Some(lines) = self.lake.known_batch(&id)? {
                reader.skip(per_slice).map_err(Stop::Input)?;
                self.account_known(lines);
                continue;
            }
            let mut builder = self.builder();
            reader.read(per_slice, &mut builder).map_err(Stop::Input)?;
            self.append(&id, builder)?;
        }
        self.run.advance(Stage::Ingest, self.input.size_bytes.unwrap_or(0));
        Ok(())
    }

    fn builder(&self) -> Builder {
        let newest = self.options.now.plus_seconds(self.options.max_skew_seconds);
        Builder::new(&self.input.name, Limits { newest })
    }

    fn append(&mut self, id: &str, builder: Builder) -> Result<(), Stop> {
        let (events, rejects): (Events, Vec<Reject>) = builder.finish();
        let (accepted, rejected) = (events.len() as u64, rejects.len() as u64);
        if accepted + rejected == 0 {
            return Ok(());
        }
        let batch =
            Batch { id, events: &events, rejects: &rejects, now_ms: self.options.now.micros() / 1_000 };
        match self.lake.append(&batch)? {
            Appended::Known { lines } => self.account_known(lines),
            Appended::Committed => {
                self.new += 1;
                self.summary.batches += 1;
                self.summary.read += accepted + rejected;
                self.summary.accepted += accepted;
                self.summary.rejected += rejected;
                let room = FIRST_REJECTS.saturating_sub(self.summary.first_rejects.len());
                self.summary.first_rejects.extend(rejects.into_iter().take(room));
                self.run.count(Count::BatchesCommitted, 1);
                self.run.count(Count::LinesRead, accepted + rejected);
                self.run.count(Count::EventsAccepted, accepted);
                self.run.count(Count::LinesRejected, rejected);
            }
        }
        Ok(())
    }

    fn account_known(&mut self, lines: u64) {
        self.known += 1;
        self.summary.read += lines;
        self.summary.duplicate += lines;
        self.run.count(Count::BatchesKnown, 1);
        self.run.count(Count::LinesRead, lines);
        self.run.count(Count::LinesDuplicate, lines);
    }
}
