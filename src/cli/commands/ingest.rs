//! `topsell ingest`: which logs to read, how standard input is cut into batches, who is acknowledged.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};

use crate::catalog_args::{Catalog, catalog_file, mapping};
use crate::failure::{Exit, Failure, unless_reader_left};
use crate::lake_scope::only_share;
use crate::read_args::ReadArgs;
use crate::settings::Settings;
use crate::size::parse_bytes;
use crate::stdin::Opening;
use crate::step_runner;
use crate::summary;
use topsell_core::ingest::{self, Plan, StreamOptions};
use topsell_core::input_format::{Format, PRESETS};
use topsell_core::lake::{DryRun, DuplicatePolicy};
use topsell_core::model::{Timestamp, parse_seconds};
use topsell_core::pipeline::{Done, Step};
use topsell_core::storage::local_files::write_atomically;
use topsell_core::storage::{Location, LockTimeout};

/// The smallest slice: a few long lines must fit.
const MIN_SLICE_BYTES: u64 = 64 << 10;
/// The largest slice: it is held in memory whole.
const MAX_SLICE_BYTES: u64 = 1 << 30;

/// Default minimum age of a file in a spool folder.
const MIN_AGE: &str = "10s";

/// Load purchase logs into the lake
///
/// Each input is committed atomically as one batch; large files and streams become several. Content that
/// is already ingested is skipped, whatever its file name or compression.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell ingest purchases-2017-01-01.csv.gz
  topsell ingest logs/                                load all log files of a directory
  topsell ingest --force --batch-id till-7 till-7.csv  replace what batch till-7 loaded before
  topsell ingest --spool /var/spool/shop/             load finished files, then move them away
  zcat *.ndjson.gz | topsell ingest --format ndjson -
  kcat -C -t purchases | topsell ingest --commit-every 10s -
  topsell ingest --map vendor.toml --catalog products.parquet sales.parquet
")]
#[command(after_help = "\
Input columns, in any order; only ts and item_id are required, unknown columns are ignored:
  ts          time: RFC 3339 with an offset, or an epoch number in seconds (below 10^11),
              milliseconds (below 10^14) or microseconds
  item_id     item
  event_id    id of the event; events of an item with the same id are counted once a day, a sale
              and a return each
  category    category paths, separated by |, their levels by /; escape % / | in a level as
              %25 %2F %7C
  categories  in NDJSON and Parquet, instead of category: an array of paths or of arrays of levels
  event_type  type of the event [default: purchase]
  quantity    decimal, negative for a return [default: 1]
  amount      decimal, rounded to four places, halves away from zero
  version     integer or time, only if mapped: of an event that arrives several times, the greatest
              version counts

Map other column names with --map ts=sold_at --map item_id=sku, or --map FILE, a TOML file with lines
such as ts = \"sold_at\" and assume_utc = true. category=department/group/type builds a path from one
column per level; category=department/ uses one column as one level.

Invalid lines are stored with the reason in rejects/ of the lake, and the exit code is 4. In NDJSON,
`date` can replace ts, as can the time of a Fluent Bit line: `tag: [1483794300.25, {\"item_id\":\"7\"}]`.
")]
pub struct Ingest {
    /// Files or directories to load, objects or prefixes of a bucket (s3://BUCKET/PREFIX), or - for standard input
    #[arg(required_unless_present_any = ["spool", "presets"], value_name = "FILE|DIR|-")]
    pub inputs: Vec<PathBuf>,
    /// Load the finished files directly in DIR, and move each to DIR/done or DIR/failed; with s3://BUCKET/PREFIX, load
    /// the objects that are new, which stay
    #[arg(long, value_name = "DIR", conflicts_with = "inputs")]
    pub spool: Option<PathBuf>,
    /// Only the K-th of N shares of the inputs, for N processes that each load one
    #[arg(long, value_name = "K/N", conflicts_with_all = ["batch_id", "ack", "commit_every"])]
    pub only_share: Option<String>,
    /// With --spool, ignore files modified less than this ago [default: 10s]
    #[arg(long, value_name = "DURATION")]
    pub min_age: Option<String>,
    /// Commit standard input at this interval (10s) or after this many lines (50000); can be given
    /// once each
    #[arg(long, value_name = "DURATION|LINES")]
    pub commit_every: Vec<String>,
    /// Acknowledge each message on standard input when it is on disk, in the protocol of SENDER
    #[arg(long, value_enum, value_name = "SENDER", conflicts_with_all = ["commit_every", "spool", "min_age", "dry_run"])]
    pub ack: Option<Sender>,
    /// Exit with 0 instead of 4 if lines or files were rejected; they are still reported and stored
    #[arg(long)]
    pub allow_rejects: bool,
    /// Keep at most this much of the rejected lines of a run, and a fourth of it of one input; the others are
    /// counted only
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub max_rejects: String,
    /// Format of the inputs [default: inferred from the file extension, for standard input from its
    /// content]
    #[arg(long, value_enum)]
    pub format: Option<LogFormat>,
    /// Column that holds a field, or a TOML file of such pairs, or preset:NAME; can be repeated
    #[arg(long = "map", value_name = "FIELD=COLUMN|FILE|preset:NAME")]
    pub map: Vec<String>,
    /// List the presets for --map, and load nothing
    #[arg(long, conflicts_with_all = ["inputs", "spool"])]
    pub presets: bool,
    #[command(flatten)]
    pub catalog: Catalog,
    /// Reject events later than this after the current time
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub max_skew: String,
    /// Print the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// With --dry-run, write the mapping in use, or the proposed one, to FILE for --map
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    pub write_map: Option<PathBuf>,
    /// Id of the batch of a single input [default: a hash of its content]
    #[arg(long, value_name = "ID", conflicts_with_all = ["spool", "ack", "commit_every"])]
    pub batch_id: Option<String>,
    /// Load inputs that are already ingested again, replacing the events of the earlier batch with
    /// the same --batch-id or content
    #[arg(long, conflicts_with_all = ["ack", "commit_every"])]
    pub force: bool,
    /// Size of the slices in which large inputs are read (64MiB); limits memory use, and is fixed
    /// when the lake is created
    #[arg(long, value_name = "SIZE")]
    pub slice_size: Option<String>,
    #[command(flatten)]
    pub read: ReadArgs,
}

/// Senders that wait for acknowledgements.
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
        let mut mapping = mapping("--map", ingest::FIELDS, &typed.map)?;
        typed.read.apply(&mut mapping)?;
        let format = format.or(mapping.options().format);
        let skew = seconds("--max-skew", &typed.max_skew)?;
        let slice_bytes = typed.slice_size.as_deref().map(slice_bytes).transpose()?;
        let every = commit_every(&typed.commit_every)?;
        let is_stdin = |path: &Path| path.as_os_str() == "-";
        let reads_stdin = typed.inputs.iter().any(|path| is_stdin(path));
        if every != Every::default() && !reads_stdin {
            return Err(Failure::usage(
                "--commit-every applies to standard input only; pass - as the input, or omit --commit-every"
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
            max_reject_bytes: max_reject_bytes(&typed.max_rejects)?,
            stream,
        };
        let catalog = catalog_file(&typed.catalog)?;
        if let Some(Sender::Rsyslog) = typed.ack {
            check_ack(format, typed.inputs.len() == 1 && reads_stdin)?;
            let stdin = Some(Opening { every: None, answers: true });
            let step = Step::Acknowledge { options, mapping, catalog, slice_bytes };
            return Ok((step, stdin));
        }
        let share = only_share(typed.only_share.as_deref())?;
        let plan = plan(typed, format, now)?;
        let plan = match share {
            Some(share) => plan.only(share),
            None => plan,
        };
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
    if typed.presets {
        return list_presets(&mut io::stdout().lock()).or_else(unless_reader_left).map(|()| Exit::Success);
    }
    let (step, stdin) = typed.check(settings.now)?;
    // Decided before the run is recorded, so that its record has the same exit code.
    let mut mapping_file = None;
    let exit_of = |done: &Done| {
        if let Done::Ingested { summary, .. } = done {
            mapping_file = summary.explanations.first().map(|explained| explained.mapping_file.clone());
        }
        match summary::exit_of(done) {
            Exit::CompletedWithRejects if typed.allow_rejects => Exit::Success,
            exit => exit,
        }
    };
    let exit = step_runner::run_with_exit(settings, &step, LockTimeout::NoWait, stdin, exit_of)?;
    if let (Some(path), Some(text)) = (&typed.write_map, mapping_file) {
        write_atomically(path, text.as_bytes())
            .map_err(|e| Failure::runtime(format!("--write-map {}: {e}", path.display())))?;
    }
    Ok(exit)
}

fn list_presets(out: &mut impl Write) -> io::Result<()> {
    let width = PRESETS.iter().map(|preset| preset.name.len()).max().unwrap_or(0);
    PRESETS.iter().try_for_each(|preset| writeln!(out, "{:width$}  {}", preset.name, preset.title()))
}

fn plan(typed: &Ingest, format: Option<Format>, now: Timestamp) -> Result<Plan, Failure> {
    let plan = match (&typed.spool, &typed.min_age) {
        (Some(folder), min_age) => {
            let min_age = seconds("--min-age", min_age.as_deref().unwrap_or(MIN_AGE))?;
            if folder.to_str().is_some_and(Location::is_url) {
                let before = now.plus_seconds(-min_age.cast_signed());
                return Ok(ingest::plan_objects(folder, format, Some(before)));
            }
            ingest::plan_spool(folder, format, now, min_age)
        }
        (None, Some(_)) => {
            return Err(Failure::usage("--min-age applies to --spool only".to_owned()));
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
            "--ack requires standard input as the only input; pass - and no other input".to_owned(),
        ));
    }
    match format {
        None | Some(Format::Ndjson) => Ok(()),
        Some(_) => Err(Failure::usage("--ack requires NDJSON messages; omit --format".to_owned())),
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
            let lines = lines.ok_or_else(|| refuse("is not a number of lines; pass at least 1"))?;
            every.lines.replace(lines).is_some()
        } else {
            match seconds("--commit-every", text)? {
                0 => return Err(refuse("is too short; pass at least 1s")),
                seconds => every.time.replace(Duration::from_secs(seconds)).is_some(),
            }
        };
        if is_again {
            return Err(refuse("is repeated; pass at most one interval and one number of lines"));
        }
    }
    Ok(every)
}

fn max_reject_bytes(text: &str) -> Result<u64, Failure> {
    let refuse = || Failure::usage(format!("--max-rejects `{text}` is not a size, such as 64MiB"));
    parse_bytes(text).ok_or_else(refuse)
}

fn slice_bytes(text: &str) -> Result<u64, Failure> {
    let bytes = parse_bytes(text).filter(|bytes| (MIN_SLICE_BYTES..=MAX_SLICE_BYTES).contains(bytes));
    bytes.ok_or_else(|| {
        Failure::usage(format!("--slice-size `{text}` is not a size from 64KiB to 1GiB, such as 64MiB"))
    })
}
