//! `topsell ingest`: which logs to read, how standard input is cut into batches, who is acknowledged.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};

use crate::catalog_args::{Catalog, catalog_file, mapping};
use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use crate::size::parse_bytes;
use crate::stdin::Opening;
use crate::step_runner;
use crate::summary;
use topsell_core::ingest::{self, Plan, StreamOptions};
use topsell_core::input_format::Format;
use topsell_core::lake::{DryRun, DuplicatePolicy};
use topsell_core::model::{Timestamp, parse_seconds};
use topsell_core::pipeline::{Done, Step};
use topsell_core::storage::LockTimeout;

/// The smallest slice: a few long lines must fit.
const MIN_SLICE_BYTES: u64 = 64 << 10;
/// The largest slice: it is held in memory whole.
const MAX_SLICE_BYTES: u64 = 1 << 30;

/// How long a spool's file must not have changed unless said otherwise.
const MIN_AGE: &str = "10s";

/// Read purchase logs into the lake
///
/// Every input is one batch, long ones and streams are several; each is committed whole. The same
/// content again, under whatever name or compression, changes nothing.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell ingest purchases-2017-01-01.csv.gz
  topsell ingest /var/spool/shop/             every log below the folder, in name order
  topsell ingest --spool /var/spool/shop/     finished logs, moved away when they are in
  zcat *.ndjson.gz | topsell ingest --format ndjson -
  kcat -C -t purchases | topsell ingest --commit-every 10s -
  topsell ingest --map vendor.toml --catalog products.parquet sales.parquet
")]
#[command(after_help = "\
Columns, by the names in the header, in any order; others are dropped:
  ts          when: RFC 3339 with an offset, or an epoch number, whose unit is told by its
              size: below 10^11 seconds, below 10^14 milliseconds, else microseconds
  item_id     what was bought
  event_id    optional: the same id counts once a day
  category    optional: paths split by |, levels by /; inside a level %25 %2F %7C
  categories  NDJSON and Parquet, instead: an array of paths, or of arrays of levels
  event_type  optional: `purchase` unless given
  quantity    optional: a whole number, 1 unless given, negative for a return
  amount      optional: a decimal, kept to four places, halves rounded away from zero

Other names are mapped: --map ts=sold_at --map item_id=sku, or --map FILE with lines such as
ts = \"sold_at\", and assume_utc = true. category=department/group/type makes a path of one
column for each level; category=department/ takes one column as one level.

Lines that are no events are kept in the lake's rejects/ folder with the reason, and the exit
code is 4. Only ts and item_id are required; in NDJSON, `date` serves for ts, and so does the
time of a line such as Fluent Bit writes: `tag: [1483794300.25, {\"item_id\":\"7\"}]`.
")]
pub struct Ingest {
    /// Logs to read: files, folders, or - for standard input
    #[arg(required_unless_present = "spool", value_name = "FILE|DIR|-")]
    pub inputs: Vec<PathBuf>,
    /// Take in the finished logs directly in a folder, and move each to its done/ or failed/
    #[arg(long, value_name = "DIR", conflicts_with = "inputs")]
    pub spool: Option<PathBuf>,
    /// With --spool: leave files alone that changed less than this ago, 10s unless given; 0s to
    /// take them too
    #[arg(long, value_name = "TIME")]
    pub min_age: Option<String>,
    /// Commit what came on standard input so far every so often, such as 10s, or every so many
    /// lines, such as 50000; may be given once each
    #[arg(long, value_name = "TIME|LINES")]
    pub commit_every: Vec<String>,
    /// Answer each message on standard input when it is on disk, as the sender asks
    #[arg(long, value_enum, value_name = "SENDER", conflicts_with_all = ["commit_every", "spool", "min_age", "dry_run"])]
    pub ack: Option<Sender>,
    /// Exit with 0 where lines or some of the files were rejected; they are kept and told all the
    /// same
    #[arg(long)]
    pub allow_rejects: bool,
    /// Format of the inputs; told by their names unless given, of standard input by its content
    #[arg(long, value_enum)]
    pub format: Option<LogFormat>,
    /// Column to read a field from, or a TOML file of such pairs; may be given several times
    #[arg(long = "map", value_name = "FIELD=COLUMN|FILE")]
    pub map: Vec<String>,
    /// Take times without an offset as UTC, instead of rejecting them
    #[arg(long)]
    pub assume_utc: bool,
    #[command(flatten)]
    pub catalog: Catalog,
    /// How far ahead of the clock an event may lie
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub max_skew: String,
    /// Read and report, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What the batch of the only input is called; by its content unless given
    #[arg(long, value_name = "ID", conflicts_with_all = ["spool", "ack", "commit_every"])]
    pub batch_id: Option<String>,
    /// Take in again what was taken in before, by --batch-id or with the same content, in the place
    /// of what it brought then; all of an input or nothing
    #[arg(long, conflicts_with_all = ["ack", "commit_every"])]
    pub force: bool,
    /// Bytes into which long inputs are cut, such as 64MiB; bounds the memory used, and is set
    /// for good when a lake is made
    #[arg(long, value_name = "SIZE")]
    pub slice_size: Option<String>,
}

/// Who waits for answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sender {
    /// The omprog module with confirmMessages="on", with or without useTransactions
    Rsyslog,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    Csv,
    Tsv,
    Ndjson,
    Parquet,
}

/// How often standard input is committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Every {
    time: Option<Duration>,
    lines: Option<u64>,
}

impl Ingest {
    /// Checks the options, and returns the step they describe and how to read standard input for it.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, now: Timestamp) -> Result<(Step, Option<Opening>), Failure> {
        let typed = self;
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
            return Err(Failure::usage(
            "--commit-every is for standard input; name it with `-`, or leave --commit-every out: a file is \
             committed when it is read"
                .to_owned(),
        ));
        }
        let stream =
            StreamOptions { lines_per_batch: every.lines, keeps_truncated: every != Every::default() };
        let duplicates = if typed.force { DuplicatePolicy::Replace } else { DuplicatePolicy::Skip };
        let max_skew_seconds = skew.cast_signed();
        let options = ingest::Options {
            now,
            max_skew_seconds,
            dry_run: DryRun::from(typed.dry_run),
            duplicates,
            stream,
        };
        let mut mapping = mapping("--map", ingest::FIELDS, &typed.map)?;
        if typed.assume_utc {
            mapping.assume_utc();
        }
        let catalog = catalog_file(&typed.catalog)?;
        if let Some(Sender::Rsyslog) = typed.ack {
            check_ack(format, typed.inputs.len() == 1 && reads_stdin)?;
            let stdin = Some(Opening { every: None, answers: true });
            let step = Step::Acknowledge { options, mapping, catalog, slice_bytes };
            return Ok((step, stdin));
        }
        let plan = plan(typed, format, now)?;
        let stdin = reads_stdin.then_some(Opening { every: every.time, answers: false });
        let step = Step::Ingest { plan, options, mapping, catalog, slice_bytes };
        Ok((step, stdin))
    }
}

/// Ingests the inputs.
///
/// # Errors
/// Fails as the step does.
pub fn run(settings: &Settings, typed: &Ingest) -> Result<Exit, Failure> {
    let (step, stdin) = typed.check(settings.now)?;
    // Decided before the run is recorded, so that its record has the same exit code.
    let exit_of = |done: &Done| match summary::exit_of(done) {
        Exit::CompletedWithRejects if typed.allow_rejects => Exit::Success,
        exit => exit,
    };
    step_runner::run_with_exit(settings, &step, LockTimeout::NoWait, stdin, exit_of)
}

fn plan(typed: &Ingest, format: Option<Format>, now: Timestamp) -> Result<Plan, Failure> {
    let plan = match (&typed.spool, &typed.min_age) {
        (Some(folder), min_age) => {
            let min_age = seconds("--min-age", min_age.as_deref().unwrap_or(MIN_AGE))?;
            ingest::plan_spool(folder, format, now, min_age)
        }
        (None, Some(_)) => {
            return Err(Failure::usage(
                "--min-age is for --spool; files that are named are taken however lately they changed"
                    .to_owned(),
            ));
        }
        (None, None) => ingest::plan(&typed.inputs, format),
    };
    match &typed.batch_id {
        Some(id) => plan.with_batch_id(id).map_err(|e| Failure::usage(format!("--batch-id `{id}` {e}"))),
        None => Ok(plan),
    }
}

fn check_ack(format: Option<Format>, is_stdin_alone: bool) -> Result<(), Failure> {
    if !is_stdin_alone {
        return Err(Failure::usage(
            "--ack answers standard input alone; name `-` and nothing else".to_owned(),
        ));
    }
    match format {
        None | Some(Format::Ndjson) => Ok(()),
        Some(_) => {
            Err(Failure::usage("--ack takes messages of NDJSON, a line each; leave --format out".to_owned()))
        }
    }
}

fn seconds(option: &str, text: &str) -> Result<u64, Failure> {
    parse_seconds(text).map_err(|e| Failure::usage(format!("{option}: {e}")))
}

fn commit_every(typed: &[String]) -> Result<Every, Failure> {
    let mut every = Every::default();
    for text in typed {
        let refuse = |what: &str| Failure::usage(format!("--commit-every `{text}` {what}"));
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
        Failure::usage(format!("--slice-size `{text}` is no size from 64KiB to 1GiB, such as 64MiB"))
    })
}
