//! Ingest: purchase logs are planned, read, parsed into batches, written and committed.
//!
//! ```text
//! plan → input_reader → slices → line_parser, parquet_rows → batch_builder
//!      → stager → commit_group → committer → summary
//! ```
//!
//! Invariant: every line that is read is accepted, a duplicate, or rejected with a reason. A bad line
//! or a bad file does not affect the others.
//!
//! # Where the time goes
//!
//! Of the CPU time of three million purchases in 150 logs, which become 7,500 files in 3 commits, 30 %
//! is spent encoding Parquet; 26 % creating and writing files, a third of that making folders, and more
//! where many files were deleted just before, since the file system then searches long for an inode;
//! 13 % numbering items and paths; 9 % reading and hashing the logs and splitting them into fields; 4 %
//! checking fields; 3 % grouping events by category and hour. Syncing and committing take 10 %, nearly
//! all of it for the entries of files in the table's log: a commit for each log would take 30 %.
//!
//! ```text
//! topsell datagen --purchases 3000000 --items 300000 --leaves 1000 --tops 50 logs
//! perf record --call-graph dwarf,16384 topsell --threads 1 --lake lake ingest logs
//! perf report --no-inline --children
//! ```

mod acknowledge;
mod batch_builder;
mod byte_search;
mod commit_group;
mod committer;
mod conflicting_ids;
mod content_hash;
mod csv_fast_path;
mod csv_header;
mod csv_records;
mod currency_check;
mod currency_text;
mod event_record;
pub mod explain;
mod field_values;
mod fields;
mod file_history;
mod folder_values;
mod input;
mod input_reader;
mod json_fast_path;
mod json_lines;
mod json_paths;
mod json_text;
mod json_values;
mod kept_rejects;
mod known_version;
mod limits;
mod line_counts;
mod line_parser;
mod log_object;
mod ndjson;
mod nested_records;
mod notices;
mod number_styles;
mod number_text;
mod odd_ids;
mod options;
mod outliers;
mod parquet_input;
mod parquet_reader;
mod parquet_rows;
mod parsed;
mod plan;
mod plan_inputs;
mod planned_batches;
mod raw_event;
mod record_bounds;
mod record_mapper;
mod rejected_times;
mod request;
mod request_ids;
mod skipped;
mod slices;
mod split_slice;
mod spool;
mod spool_plan;
mod stager;
mod stdin_stream;
mod summary;
mod unread_columns;
mod writer;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::lake::{DryRun, Lake, LakeError, LakeSettings};
use crate::progress::Progress;

use explain::Explanation;
use input_reader::{InputReader, Stop};
use kept_rejects::RejectRoom;
use parsed::{Parsed, ReadOutcome};
use writer::{CHANNEL_CAPACITY, Writer};

pub use acknowledge::acknowledge;
pub use event_record::{decode_record, encode_record};
pub use fields::FIELDS;
pub use input::Input;
pub use line_counts::LineCounts;
pub use notices::{Notice, NoticeKind, NoticeLevel, Notices};
pub use options::{Options, ParseOptions, StreamOptions};
pub use outliers::Outliers;
pub use plan::{BadBatchId, Plan};
pub use plan_inputs::{plan, plan_objects};
pub use request::{ParsedRequest, RequestError, parse_request};
pub use request_ids::with_request_ids;
pub use skipped::{Skipped, SkippedKind};
pub use spool::Spool;
pub use spool_plan::plan_spool;
pub use stdin_stream::{StdinEvent, StdinStream, StopHandle};
pub use summary::{FileNote, NamedBatch, NotedFile, SpoolSummary, Summary};

/// Ingests the planned inputs into the lake, in their order; one batch is parsed while the previous one
/// is written. Without a lake nothing is written, and every batch is new.
///
/// # Errors
/// Fails where the lake cannot be read or written to. What is wrong with an input is in the summary.
pub fn ingest(
    lake: Option<&Lake>,
    plan: &Plan,
    stdin: Option<&StdinStream>,
    options: Options,
    parse_options: ParseOptions<'_>,
    progress: &Progress,
) -> Result<Summary, LakeError> {
    let writer = Writer::start(lake, plan, options, parse_options.catalog.is_some(), progress);
    let settings = lake.map_or(Ok(LakeSettings::default()), Lake::prepare_ingest)?;
    let explanations = RefCell::default();
    let reject_room = RejectRoom::of_run(options.max_reject_bytes);
    let currency = Cell::new(lake.map_or(Ok(None), Lake::currency)?);
    let committer = thread::scope(|scope| {
        let (send, receive) = sync_channel(CHANNEL_CAPACITY);
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
                parse_options,
                progress,
                currency: &currency,
                explanations: &explanations,
                reject_room: &reject_room,
                send: &send,
            };
            reject_room.begin_input();
            if !read_input(&reader, &send)? {
                break;
            }
        }
        drop(send);
        writing.join().expect("the writer does not panic")
    })?;
    let mut summary = committer.finish()?;
    if options.dry_run == DryRun::Yes {
        explain(plan, explanations.into_inner(), &mut summary);
    }
    summary.was_stopped = stdin.is_some_and(StdinStream::was_stopped);
    Ok(summary)
}

/// Adds to the summary of a dry run the explanation of each input, or that there is none.
fn explain(plan: &Plan, mut explanations: BTreeMap<usize, Explanation>, summary: &mut Summary) {
    let profiles = std::mem::take(&mut summary.profiles);
    summary.unexplained.extend(plan.failures.iter().map(|failure| failure.file.clone()));
    for ((number, input), events) in plan.inputs.iter().enumerate().zip(profiles) {
        match explanations.remove(&number) {
            Some(explanation) if !explanation.columns.is_empty() || !events.is_empty() => {
                summary.explanations.push(Explanation { events, ..explanation });
            }
            _ => summary.unexplained.push(input.name.clone()),
        }
    }
}

/// Reads one input to its end, and returns whether the writer is ready for the next one.
fn read_input(reader: &InputReader<'_>, send: &SyncSender<Parsed>) -> Result<bool, LakeError> {
    let is_spool = reader.plan.spool.is_some();
    let outcome = match reader.read() {
        Ok(content) => ReadOutcome::Complete { content },
        Err(Stop::Changed) => ReadOutcome::Changed,
        Err(Stop::Input(_)) if is_spool && reader.input.has_changed() => ReadOutcome::Changed,
        // Another run has ingested and moved the file.
        Err(Stop::Input(_)) if is_spool && reader.input.is_gone() => ReadOutcome::Complete { content: None },
        Err(Stop::Input(reason)) => ReadOutcome::Failed(reason),
        Err(Stop::Lake(error)) => return Err(error),
        // The writer returns why it has failed.
        Err(Stop::Writer) => return Ok(false),
    };
    Ok(send.send(Parsed::InputEnd { input: reader.number, outcome }).is_ok())
}
