//! `topsell runs`: the run history.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use crate::failure::{Exit, Failure, unless_reader_left};
use crate::moments::{TIME_HELP, moment};
use crate::output::{DocumentArgs, OutputArgs, Target};
use crate::settings::Settings;
use topsell_core::lake::Lake;
use topsell_core::model::{Timestamp, Zone, escape_control};
use topsell_core::storage::local_files::write_atomically;
use topsell_ops::run_history::{self, Listing, RunRecord, RunStore, chrome, otlp, stats};
use topsell_output::runs as answers;

/// How far back runs are listed and counted by default.
const LISTED: &str = "7d";
const COUNTED: &str = "30d";
/// Maximum number of runs that are listed by default.
const LIMIT: usize = 50;
/// How long before and after a run other runs of its trace are searched for.
const AROUND_SECONDS: i64 = 7 * 86_400;
/// Names the run that started last in the place of its id.
const LATEST: &str = "latest";
/// How many runs are named if an id is ambiguous.
const NAMED: usize = 5;

/// List past runs and their outcomes
///
/// Lists the runs of commands and jobs, newest first. `topsell runs --failed` finds what failed last
/// night, and `topsell runs show ID` shows its error messages.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell runs                                  list the runs of the last 7 days
  topsell runs --failed --since yesterday       list the runs that failed since yesterday
  topsell runs --job nightly --format csv
  topsell runs show latest                      show a run's messages, exit code and timing
  topsell runs stats --by stage --since 90d     show durations and failure rates
  topsell runs export e271aa3a --format otlp | curl -H 'Content-Type: application/json' \\
      --data-binary @- http://localhost:4318/v1/traces
")]
#[command(disable_help_subcommand = true, after_help = TIME_HELP)]
pub struct Runs {
    #[command(subcommand)]
    command: Option<RunsCommand>,
    /// Only runs of this job
    #[arg(long, value_name = "NAME")]
    job: Option<String>,
    /// Only runs of this command, such as rank
    #[arg(long = "command", value_name = "COMMAND")]
    command_name: Option<String>,
    /// Only runs that failed or were interrupted
    #[arg(long)]
    failed: bool,
    /// Only runs that started at TIME or later [default: 7d]
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Maximum number of runs to list, the newest [default: 50]
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Subcommand, Debug)]
enum RunsCommand {
    /// Show one run: command line, outcome, messages, time spent in each stage
    #[command(before_help = "\
Examples:
  topsell runs show latest
  topsell runs show e271aa3a
  topsell runs show 20261122T020000Z-nightly
")]
    Show {
        /// Id of the run, or a unique part of it; latest is the newest run
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        output: DocumentArgs,
    },
    /// Show the number of runs, failures and durations
    ///
    /// p50 and p95 are percentiles of the duration. The trend compares the later half of the runs with the
    /// earlier half.
    #[command(before_help = "\
Examples:
  topsell runs stats
  topsell runs stats --by stage --since 90d --format csv
")]
    Stats {
        /// Group by; runs without a job are grouped by command
        #[arg(long, value_enum, value_name = "GROUP", default_value = "job")]
        by: StatsBy,
        /// Only runs that started at TIME or later
        #[arg(long, value_name = "TIME", default_value = COUNTED)]
        since: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Export the trace of a run, for OpenTelemetry or Perfetto
    #[command(before_help = "\
Examples:
  topsell runs export e271aa3a --format otlp -o trace.json      for Jaeger, Tempo, a collector
  topsell runs export e271aa3a --format chrome -o trace.json    for ui.perfetto.dev
")]
    Export {
        /// Id of the run, or a unique part of it; latest is the newest run
        #[arg(value_name = "ID")]
        id: String,
        /// Format of the trace: OpenTelemetry JSON, or Chrome trace events for Perfetto
        #[arg(long, value_enum)]
        format: ExportFormat,
        /// File to write, atomically [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ExportFormat {
    Otlp,
    Chrome,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StatsBy {
    Job,
    Stage,
    Machine,
}

/// A validated request.
pub enum Asked {
    List {
        job: Option<String>,
        command: Option<String>,
        failed: bool,
        since: Timestamp,
        limit: usize,
        target: Target,
    },
    Show {
        id: String,
        target: Target,
    },
    Stats {
        by: run_history::GroupBy,
        since: Timestamp,
        target: Target,
    },
    Export {
        id: String,
        is_otlp: bool,
        output: Option<PathBuf>,
    },
}

impl Runs {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, settings: &Settings) -> Result<Asked, Failure> {
        let (typed, now) = (self, settings.now);
        let since = |text: &str| moment("--since", text, now, &Zone::utc()).map(|moment| moment.at);
        let lists =
            typed.job.is_some() || typed.command_name.is_some() || typed.failed || typed.limit.is_some();
        if typed.command.is_some() && (lists || typed.since.is_some()) {
            let what = "options of `topsell runs` list runs; pass options of `show`, `stats` and `export` after the \
                        subcommand";
            return Err(Failure::usage(what.to_owned()));
        }
        Ok(match &typed.command {
            None => Asked::List {
                job: typed.job.clone(),
                command: typed.command_name.clone(),
                failed: typed.failed,
                since: since(typed.since.as_deref().unwrap_or(LISTED))?,
                limit: typed.limit.unwrap_or(LIMIT),
                target: typed.output.target(None, settings.color)?,
            },
            Some(RunsCommand::Show { id, output }) => {
                Asked::Show { id: id.clone(), target: output.target(None, settings.color)? }
            }
            Some(RunsCommand::Stats { by, since: period, output }) => Asked::Stats {
                by: match by {
                    StatsBy::Job => run_history::GroupBy::Job,
                    StatsBy::Stage => run_history::GroupBy::Stage,
                    StatsBy::Machine => run_history::GroupBy::Machine,
                },
                since: since(period)?,
                target: output.target(None, settings.color)?,
            },
            Some(RunsCommand::Export { id, format, output }) => Asked::Export {
                id: id.clone(),
                is_otlp: matches!(format, ExportFormat::Otlp),
                output: output.clone(),
            },
        })
    }
}

/// Answers a request.
///
/// # Errors
/// Fails if the records cannot be read or there is no such run.
pub fn run(settings: &Settings, typed: &Runs) -> Result<Exit, Failure> {
    let asked = &typed.check(settings)?;
    settings.use_threads()?;
    let store = settings.store()?;
    if !store.has_folder("runs") {
        // Without a lake there is no run history.
        Lake::open(store.clone())?;
    }
    let run_store = RunStore::open(&store);
    let now = settings.now;
    match asked {
        Asked::List { job, command, failed, since, limit, target } => {
            let mut records = records(settings, &run_store, Some(*since), None)?;
            records.retain(|record| {
                let is_job = |job: &String| record.due.as_ref().is_some_and(|due| due.job == *job);
                job.as_ref().is_none_or(is_job)
                    && command.as_ref().is_none_or(|command| record.command == *command)
                    && (!failed || record.state().is_failure())
            });
            let older = records.len().saturating_sub(*limit);
            records.drain(..older);
            records.reverse();
            target.write(answers::list(&records, now))?;
            if older > 0 {
                settings.note(&format!("note: {older} older runs are not listed; pass a higher --limit"));
            }
        }
        Asked::Show { id, target } => {
            let (record, of_trace) = found(settings, &run_store, id)?;
            target.write(answers::run(&record, &of_trace, now))?;
        }
        Asked::Stats { by, since, target } => {
            let records = records(settings, &run_store, Some(*since), None)?;
            target.write(answers::run_stats(&stats(&records, *by), *by))?;
        }
        Asked::Export { id, is_otlp, output } => {
            let (_, of_trace) = found(settings, &run_store, id)?;
            let trace = if *is_otlp { otlp(&of_trace, now) } else { chrome(&of_trace, now) };
            export(output.as_deref(), &format!("{trace}\n"))?;
        }
    }
    Ok(Exit::Success)
}

fn export(file: Option<&Path>, trace: &str) -> Result<(), Failure> {
    let Some(file) = file else {
        let mut out = io::stdout().lock();
        return out.write_all(trace.as_bytes()).and_then(|()| out.flush()).or_else(unless_reader_left);
    };
    let written = write_atomically(file, trace.as_bytes());
    written.map_err(|e| Failure::runtime(format!("{}: {e}", file.display())))
}

/// Returns the records of a time range; unreadable ones are only a warning.
fn records(
    settings: &Settings,
    run_store: &RunStore,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Vec<RunRecord>, Failure> {
    let failed = |e: run_history::RunsError| Failure::runtime(e.to_string());
    let Listing { records, problems } = run_store.list(since, until).map_err(failed)?;
    if let Some(first) = problems.first() {
        let more = match problems.len() - 1 {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        settings.note(&format!("warning: {}{more}", escape_control(&first.to_string())));
    }
    Ok(records)
}

/// Returns the run that started last; not a step of it, which has a record of its own.
fn latest(settings: &Settings, run_store: &RunStore) -> Result<RunRecord, Failure> {
    let nothing = || {
        let hint = "ingest, rollup, rank and jobs record their runs; show and count do with --record";
        Failure::not_found("no run is recorded".to_owned()).with_hint(hint.to_owned())
    };
    let recent = settings.now.plus_seconds(-AROUND_SECONDS);
    for since in [Some(recent), None] {
        let mut records = records(settings, run_store, since, None)?;
        let own = records.iter().map(|record| &record.span_id);
        let of_stages = records.iter().flat_map(|record| record.spans.iter().map(|span| &span.span_id));
        let ids: HashSet<String> = own.chain(of_stages).cloned().collect();
        records.retain(|record| record.parent_span_id.as_ref().is_none_or(|parent| !ids.contains(parent)));
        if let Some(latest) = records.pop() {
            return Ok(latest);
        }
    }
    Err(nothing())
}

/// Returns the run that is meant, and all runs of its trace, it among them.
fn found(
    settings: &Settings,
    run_store: &RunStore,
    id: &str,
) -> Result<(RunRecord, Vec<RunRecord>), Failure> {
    let nothing =
        |what: String| Failure::not_found(what).with_hint("list the runs with `topsell runs`".to_owned());
    let failed = |e: run_history::RunsError| Failure::runtime(e.to_string());
    let whole = match id {
        LATEST => latest(settings, run_store).map(Some),
        _ => run_store.read(id).map_err(failed),
    };
    let record = match whole {
        Ok(Some(record)) => record,
        Err(failure) if id == LATEST => return Err(failure),
        // It may be a part of an id.
        Ok(None) | Err(_) => {
            let mut matching = records(settings, run_store, None, None)?;
            matching.retain(|record| record.id.contains(id));
            match (matching.len(), matching.pop()) {
                (1, Some(record)) => record,
                (0, _) | (_, None) => return Err(nothing(format!("no run with the id `{id}`"))),
                (number, Some(last)) => {
                    let names = matching.iter().rev().take(NAMED - 1).map(|record| record.id.as_str());
                    let names: Vec<&str> = [last.id.as_str()].into_iter().chain(names).collect();
                    let what = format!("`{id}` matches {number} runs: {}", names.join(", "));
                    return Err(nothing(if number > NAMED { format!("{what}, …") } else { what }));
                }
            }
        }
    };
    let moment = |text: &str| Timestamp::parse(text).ok();
    let since = moment(&record.started).map(|moment| moment.plus_seconds(-AROUND_SECONDS));
    let ended = record.ended.as_deref().and_then(moment);
    let until = ended.map(|moment| moment.plus_seconds(AROUND_SECONDS));
    let mut of_trace = records(settings, run_store, since, until)?;
    of_trace.retain(|other| other.trace_id == record.trace_id);
    Ok((record, of_trace))
}
