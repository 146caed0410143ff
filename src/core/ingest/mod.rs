//! Purchase logs into the lake: found, cut into batches, read, checked, appended.
//!
//! Invariant: every line read is accepted, a duplicate, or rejected with a reason; a bad line
//! costs that line, a bad file that file.
//!
//! # Where the time goes
//!
//! Of the CPU time of three million purchases in 150 logs, which become 7,500 files by 3 commits,
//! 30 % encodes Parquet; 26 % creates and writes the files, a third of that making their folders,
//! and more where many files were deleted just before, since the file system then looks long for
//! an inode; 13 % numbers items and paths; 9 % reads and hashes the logs and cuts them into fields;
//! 4 % checks fields; 3 % places events by category and hour. Syncing and making the commits take
//! 10 %, nearly all of it the log's rows about files: a commit for each log would take 30 %.
//!
//! ```text
//! topsell datagen --purchases 3000000 --items 300000 --leaves 1000 --tops 50 logs
//! perf record --call-graph dwarf,16384 topsell --threads 1 --lake lake ingest logs
//! perf report --no-inline --children
//! ```

mod accounts;
mod acknowledge;
mod builder;
mod fields;
mod input_reader;
mod json;
mod lines;
mod plain;
mod records;
mod rows;
mod slices;
mod sources;
mod spool;
mod stdin_stream;
mod writer;

use std::sync::mpsc::sync_channel;
use std::thread;

use crate::input_format::Mapping;
use crate::item_catalog::ItemCatalog;
use crate::lake::{DryRun, Known, Lake, LakeError, LakeSettings, Reject};
use crate::model::Timestamp;
use crate::progress::{Count, Progress, Stage};

use input_reader::{InputReader, Stop};
use writer::{Outcome, Parsed, Writer};

pub use acknowledge::acknowledge;
pub use fields::FIELDS;
pub use slices::Pieces;
pub use sources::{BadBatchId, Input, Plan, plan};
pub use spool::{Place, Spool, Spooled, plan_spool};
pub use stdin_stream::{StdinEvent, StdinStream};

/// What an ingest is told besides its inputs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The moment of the run.
    pub now: Timestamp,
    /// How far ahead of it an event may lie.
    pub max_skew_seconds: i64,
    /// Whether to write, or only to read and report.
    pub dry_run: DryRun,
    /// What to do with batches that are in already.
    pub known: Known,
    /// Where standard input is cut, besides where a slice is full.
    pub pieces: Pieces,
}

/// How lines are read.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Of [`FIELDS`].
    pub mapping: &'a Mapping,
    /// Gives the categories of items whose line has none.
    pub catalog: Option<&'a ItemCatalog>,
}

/// What an ingest has done. `read = accepted + duplicate + rejected`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub read: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub rejected: u64,
    /// Events whose categories the catalog gave, where there is one.
    pub filed: Option<u64>,
    /// Files, folders' files and streams that were to be read.
    pub inputs: u64,
    /// Batches that were committed.
    pub batches: u64,
    /// Batches that were committed instead of what they had brought before.
    pub replaced: u64,
    /// Whether batches were to take the place of what they had brought before.
    pub replaces: bool,
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

/// Reads the planned inputs into the lake, in their order, reading one batch while the one before
/// is written. Without a lake there is nothing to write into, and nothing is known.
///
/// # Errors
/// Fails where the lake does. What is wrong with an input stands in the summary.
pub fn ingest(
    lake: Option<&Lake>,
    plan: &Plan,
    stdin: Option<&StdinStream>,
    options: Options,
    reading: Reading<'_>,
    progress: &Progress,
) -> Result<Summary, LakeError> {
    begin(plan, reading, progress);
    let target = lake.filter(|_| options.dry_run == DryRun::No);
    let settings = lake.map_or(Ok(LakeSettings::default()), Lake::settings)?;
    let writer = Writer::new(lake, plan, options, progress);
    let mut summary = thread::scope(|scope| {
        let (send, receive) = sync_channel(WAITING);
        let writing = scope.spawn(move || writer.write_all(receive));
        for (number, input) in plan.inputs.iter().enumerate() {
            let reader = InputReader {
                lake,
                settings,
                plan,
                input,
                number,
                stdin,
                options,
                reading,
                progress,
                send: &send,
            };
            let outcome = match reader.take() {
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
    summary.filed = reading.catalog.map(|_| summary.filed.unwrap_or(0));
    summary.inputs = (plan.inputs.len() + plan.failures.len()) as u64;
    summary.passed_over.clone_from(&plan.passed_over);
    summary.replaces = options.known == Known::Replace;
    summary.was_stopped = stdin.is_some_and(StdinStream::was_stopped);
    let failures = [plan.failures.clone(), summary.failures].concat();
    progress.count(Count::FilesFailed, failures.len() as u64);
    // Those of a spool are kept by now, each before its file was moved.
    if let Some(lake) = target.filter(|_| !failures.is_empty() && plan.spool.is_none()) {
        lake.keep_failures(&failures)?;
    }
    summary.failures = failures;
    progress.end(Stage::Ingest);
    Ok(summary)
}

fn begin(plan: &Plan, reading: Reading<'_>, progress: &Progress) {
    progress.begin(Stage::Ingest, plan.known_bytes());
    // Told even where they stay at nothing: the record must add up by itself.
    for count in [
        Count::LinesRead,
        Count::EventsAccepted,
        Count::LinesDuplicate,
        Count::LinesRejected,
        Count::BatchesCommitted,
        Count::BatchesSkipped,
    ] {
        progress.count(count, 0);
    }
    if reading.catalog.is_some() {
        progress.count(Count::EventsCategorized, 0);
    }
}

fn failure(file: &str, reason: String) -> Reject {
    Reject { file: file.to_owned(), line: None, column: None, reason, text: None, bytes_hex: None }
}
