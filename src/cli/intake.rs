//! What is meant by `topsell ingest`: which logs, how standard input is cut, who is answered.

use std::path::Path;
use std::time::Duration;

use crate::args::{Ingest, LogFormat, Sender};
use crate::door::Opening;
use crate::failure::Failure;
use crate::settings::{Task, catalog_file, mapping};
use crate::size::parse_bytes;
use topsell_core::ingest::{self, Pieces, Plan};
use topsell_core::input_format::Format;
use topsell_core::lake::{DryRun, Known};
use topsell_core::model::{Timestamp, parse_seconds};
use topsell_core::pipeline::Step;
use topsell_core::storage::LockTimeout;

/// The smallest slice: a few long lines must fit.
const MIN_SLICE_BYTES: u64 = 64 << 10;
/// The largest slice: it is held in memory whole.
const MAX_SLICE_BYTES: u64 = 1 << 30;

/// How long a spool's file must not have changed unless said otherwise.
const MIN_AGE: &str = "10s";

/// How often standard input is committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Every {
    time: Option<Duration>,
    lines: Option<u64>,
}

/// Checks what was typed.
///
/// # Errors
/// Says which word is wrong and what to write.
pub fn ingest_task(typed: &Ingest, now: Timestamp) -> Result<Task, Failure> {
    let format = typed.format.map(|format| match format {
        LogFormat::Csv => Format::Csv,
        LogFormat::Tsv => Format::Tsv,
        LogFormat::Ndjson => Format::Ndjson,
        LogFormat::Parquet => Format::Parquet,
    });
    let skew = seconds("--max-skew", &typed.max_skew)?;
    let slice_bytes = typed.slice_size.as_deref().map(slice_bytes).transpose()?;
    let every = commit_every(&typed.commit_every)?;
    let is_stdin = |path: &Path| path.as_os_str() == "-";
    let reads_stdin = typed.inputs.iter().any(|path| is_stdin(path));
    if every != Every::default() && !reads_stdin {
        return Err(Failure::misused(
            "--commit-every is for standard input; name it with `-`, or leave --commit-every out: a file is \
             committed when it is read"
                .to_owned(),
        ));
    }
    let pieces = Pieces { lines: every.lines, keeps_broken_off: every != Every::default() };
    let known = if typed.force { Known::Replace } else { Known::Skip };
    let max_skew_seconds = skew.cast_signed();
    let options =
        ingest::Options { now, max_skew_seconds, dry_run: DryRun::from(typed.dry_run), known, pieces };
    let mut mapping = mapping("--map", ingest::FIELDS, &typed.map)?;
    if typed.assume_utc {
        mapping.assume_utc();
    }
    let catalog = catalog_file(&typed.catalog)?;
    if let Some(Sender::Rsyslog) = typed.ack {
        check_ack(format, typed.inputs.len() == 1 && reads_stdin)?;
        let stdin = Some(Opening { every: None, answers: true });
        let step = Step::Acknowledge { options, mapping, catalog, slice_bytes };
        return Ok(Task::Step { step, lock_timeout: LockTimeout::NoWait, stdin });
    }
    let plan = plan(typed, format, now)?;
    let stdin = reads_stdin.then_some(Opening { every: every.time, answers: false });
    let step = Step::Ingest { plan, options, mapping, catalog, slice_bytes };
    Ok(Task::Step { step, lock_timeout: LockTimeout::NoWait, stdin })
}

fn plan(typed: &Ingest, format: Option<Format>, now: Timestamp) -> Result<Plan, Failure> {
    let plan = match (&typed.spool, &typed.min_age) {
        (Some(folder), min_age) => {
            let min_age = seconds("--min-age", min_age.as_deref().unwrap_or(MIN_AGE))?;
            ingest::plan_spool(folder, format, now, min_age)
        }
        (None, Some(_)) => {
            return Err(Failure::misused(
                "--min-age is for --spool; files that are named are taken however lately they changed"
                    .to_owned(),
            ));
        }
        (None, None) => ingest::plan(&typed.inputs, format),
    };
    match &typed.batch_id {
        Some(id) => plan.called(id).map_err(|e| Failure::misused(format!("--batch-id `{id}` {e}"))),
        None => Ok(plan),
    }
}

fn check_ack(format: Option<Format>, is_stdin_alone: bool) -> Result<(), Failure> {
    if !is_stdin_alone {
        return Err(Failure::misused(
            "--ack answers standard input alone; name `-` and nothing else".to_owned(),
        ));
    }
    match format {
        None | Some(Format::Ndjson) => Ok(()),
        Some(_) => Err(Failure::misused(
            "--ack takes messages of NDJSON, a line each; leave --format out".to_owned(),
        )),
    }
}

fn seconds(option: &str, text: &str) -> Result<u64, Failure> {
    parse_seconds(text).map_err(|e| Failure::misused(format!("{option}: {e}")))
}

fn commit_every(typed: &[String]) -> Result<Every, Failure> {
    let mut every = Every::default();
    for text in typed {
        let refuse = |what: &str| Failure::misused(format!("--commit-every `{text}` {what}"));
        let is_again = if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let lines = text.parse().ok().filter(|&lines: &u64| lines > 0);
            let lines = lines.ok_or_else(|| refuse("is no number of lines; write at least 1"))?;
            every.lines.replace(lines).is_some()
        } else {
            match seconds("--commit-every", text)? {
                0 => return Err(refuse("is no time at all; write at least 1s")),
                seconds => every.time.replace(Duration::from_secs(seconds)).is_some(),
            }
        };
        if is_again {
            return Err(refuse("is the second of its kind; give one time and one number of lines at most"));
        }
    }
    Ok(every)
}

fn slice_bytes(text: &str) -> Result<u64, Failure> {
    let bytes = parse_bytes(text).filter(|bytes| (MIN_SLICE_BYTES..=MAX_SLICE_BYTES).contains(bytes));
    bytes.ok_or_else(|| {
        Failure::misused(format!("--slice-size `{text}` is no size from 64KiB to 1GiB, such as 64MiB"))
    })
}
