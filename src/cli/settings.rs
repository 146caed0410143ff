//! What is meant: the typed words checked, and the surroundings asked, once.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::ColorChoice;

use crate::args::{self, Args, By, Command, LakeCommand, Rank, Rollup};
pub use crate::clock::Clock;
use crate::color::{is_bright, is_dumb};
use crate::complete::{CompleteCategories, Completions};
use crate::config::{AskForm, Config};
use crate::datagen::Datagen;
use crate::door::Opening;
use crate::failure::{Exit, Failure, unless_reader_left};
use crate::intake::ingest_task;
use crate::man::Man;
use crate::page::{self, Wanted};
use crate::run::Run;
use crate::schedule::Schedule;
use crate::show::{self, Showing};
use crate::{count, health, runs};
use topsell_core::input_format::{Mapping, MappingError};
use topsell_core::item_catalog::{self, CatalogFile};
use topsell_core::lake::DryRun;
use topsell_core::maintenance::Keep;
use topsell_core::model::{Decay, Timestamp, Week, Window, Zone, parse_hours, parse_seconds};
use topsell_core::pipeline::{Freshness, Step};
use topsell_core::rank::{Measure, Rules};
use topsell_core::rankings::KeepRankings;
use topsell_core::rollup::Scope;
use topsell_core::storage::{LockTimeout, Store};
use topsell_ops::process::Tail;
use topsell_ops::run_history::KeepRuns;
use topsell_output::terminal::Colors;

const SECONDS_PER_DAY: i64 = 86_400;

/// How much to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

/// Everything that a run goes by.
pub struct Settings {
    pub task: Task,
    pub verbosity: Verbosity,
    pub now: Timestamp,
    pub clock: Clock,
    pub lake: PathBuf,
    threads: Option<u16>,
    allows_rejects: bool,
    metrics_file: Option<PathBuf>,
    /// The last of what was said, for the run's record.
    said: Tail,
    store: OnceLock<Store>,
}

/// What to do.
pub enum Task {
    Step {
        step: Step,
        lock_timeout: LockTimeout,
        stdin: Option<Opening>,
    },
    /// Prunes the lake, then the records of its runs.
    Prune {
        step: Step,
        lock_timeout: LockTimeout,
        keep_runs: KeepRuns,
        dry_run: DryRun,
    },
    Show(Showing),
    Count(count::Question),
    Report(Wanted),
    Run(Run),
    Schedule(Schedule),
    Health(health::Question),
    Runs(runs::Asked),
    Datagen(Datagen),
    Config {
        config: Box<Config>,
        form: AskForm,
    },
    Completions(Completions),
    CompleteCategories(CompleteCategories),
    Man(Man),
}

impl Settings {
    /// Checks what was typed.
    ///
    /// # Errors
    /// Says which word is wrong and what to write.
    pub fn of(args: Args, config: Config) -> Result<Settings, Failure> {
        let verbosity = match (args.common.quiet, args.common.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        let clock = match &args.common.now {
            Some(text) => {
                let parsed = Timestamp::parse(text);
                Clock::Fixed(parsed.map_err(|e| Failure::misused(format!("--now `{text}` {e}")))?)
            }
            None => Clock::Machine,
        };
        let now = clock.now()?;
        let allows_rejects = matches!(&args.command, Command::Ingest(typed) if typed.allow_rejects);
        let task = match args.command {
            Command::Ingest(typed) => ingest_task(&typed, now)?,
            Command::Rollup(Rollup { all, wait }) => {
                let scope = if all { Scope::All } else { Scope::Changed };
                Task::of(Step::Rollup { scope }, LockTimeout::from_wait(wait))
            }
            Command::Rank(typed) => {
                let lock_timeout = LockTimeout::from_wait(typed.wait);
                Task::of(rank_step(typed, now)?, lock_timeout)
            }
            Command::Lake(typed) => lake_task(&typed.command, now)?,
            Command::Show(typed) => show::task(typed, args.common.color, now)?,
            Command::Count(typed) => Task::Count(count::Question::of(typed, now, args.common.color)?),
            Command::Report(typed) => Task::Report(page::wanted(typed)?),
            Command::Run(typed) => Task::Run(typed),
            Command::Schedule(typed) => Task::Schedule(typed),
            Command::Health(typed) => Task::Health(health::Question::of(&typed)?),
            Command::Runs(typed) => Task::Runs(runs::asked(typed, args.common.color, now)?),
            Command::Datagen(typed) => Task::Datagen(typed),
            Command::Completions(typed) => Task::Completions(typed),
            Command::CompleteCategories(typed) => Task::CompleteCategories(typed),
            Command::Man(typed) => Task::Man(typed),
            Command::Config(typed) => {
                let unsaid = if io::stdout().is_terminal() { AskForm::Table } else { AskForm::Json };
                Task::Config { config: Box::new(config), form: typed.format.unwrap_or(unsaid) }
            }
        };
        let args::Common { lake, threads, metrics_file, .. } = args.common;
        Ok(Settings {
            task,
            verbosity,
            now,
            clock,
            lake,
            threads,
            allows_rejects,
            metrics_file,
            said: Tail::default(),
            store: OnceLock::new(),
        })
    }

    /// Returns the exit code to end with where rejected lines may be no failure.
    pub fn allowing_rejects(&self, exit: Exit) -> Exit {
        if self.allows_rejects && exit == Exit::Rejected { Exit::Done } else { exit }
    }

    /// Returns the file that metrics are to be left in.
    pub fn metrics_file(&self) -> Option<&Path> {
        self.metrics_file.as_deref()
    }

    /// Returns the lake's folder.
    ///
    /// # Errors
    /// Fails where it cannot be named.
    pub fn store(&self) -> Result<Store, Failure> {
        // One and the same, so that what is read and written adds up.
        if let Some(store) = self.store.get() {
            return Ok(store.clone());
        }
        let opened = Store::open(&self.lake).map_err(topsell_core::lake::LakeError::from)?;
        Ok(self.store.get_or_init(|| opened).clone())
    }

    /// Sets how many threads the run's parallel work has.
    ///
    /// # Errors
    /// Refuses none.
    pub fn use_threads(&self) -> Result<(), Failure> {
        let threads = match self.threads {
            Some(0) => {
                return Err(Failure::misused(
                    "--threads 0 leaves nobody to work; write at least 1".to_owned(),
                ));
            }
            Some(threads) => usize::from(threads),
            None => 0,
        };
        // An answer is read by the thread that asks, and a job's steps have their own; to start others takes
        // longer than that.
        let is_alone = matches!(
            self.task,
            Task::Show(_)
                | Task::Health(_)
                | Task::Config { .. }
                | Task::CompleteCategories(_)
                | Task::Run(_)
        );
        if is_alone {
            return Ok(());
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.map_err(|e| Failure::could_not(format!("no threads to work on: {e}")))
    }

    /// Tells whether to draw progress bars.
    pub fn shows_progress(&self) -> bool {
        self.verbosity != Verbosity::Quiet && io::stderr().is_terminal() && !is_dumb()
    }

    /// Says something on stderr, unless told to be quiet.
    pub fn note(&self, text: &str) {
        if self.verbosity != Verbosity::Quiet {
            self.said.push(format!("{text}\n").as_bytes());
            // Nobody is left to hear of it where stderr is gone.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Returns the last of what was said; none where nothing was.
    pub fn said(&self) -> Option<String> {
        self.said.text()
    }

    /// Writes a report on stderr, unless told to be quiet; stdout is for data.
    ///
    /// # Errors
    /// Fails where stderr does.
    pub fn say(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        if self.verbosity == Verbosity::Quiet {
            return Ok(());
        }
        self.write(write, &mut io::stderr().lock())
    }

    /// Writes an answer on stdout, however quiet the run is.
    ///
    /// # Errors
    /// Fails where stdout does.
    pub fn answer(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        self.write(write, &mut io::stdout().lock())
    }

    fn write(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let mut text = Vec::new();
        let written = write(&mut text).and_then(|()| {
            self.said.push(&text);
            out.write_all(&text).and_then(|()| out.flush())
        });
        written.map_err(topsell_output::show::ShowError::from).or_else(unless_reader_left)
    }
}

impl Task {
    fn of(step: Step, lock_timeout: LockTimeout) -> Task {
        Task::Step { step, lock_timeout, stdin: None }
    }
}

fn lake_task(typed: &LakeCommand, now: Timestamp) -> Result<Task, Failure> {
    let task = match typed {
        LakeCommand::Compact { dry_run, wait } => {
            Task::of(Step::Compact { dry_run: DryRun::from(*dry_run) }, LockTimeout::from_wait(*wait))
        }
        LakeCommand::Prune {
            retention,
            keep_versions,
            keep_rankings,
            keep_weekly,
            keep_runs,
            dry_run,
            wait,
        } => {
            let since = |option: &str, text: &str| {
                let seconds = parse_seconds(text).map_err(|e| Failure::misused(format!("{option}: {e}")))?;
                Ok::<Timestamp, Failure>(now.plus_seconds(-seconds.cast_signed()))
            };
            let hours =
                |text: &String| parse_hours(text).map_err(|e| Failure::misused(format!("--retention: {e}")));
            let keep = Keep {
                retention_hours: retention.as_ref().map(hours).transpose()?,
                versions_since: since("--keep-versions", keep_versions)?,
                rankings: KeepRankings {
                    all_since: since("--keep-rankings", keep_rankings)?,
                    weekly_since: since("--keep-weekly", keep_weekly)?,
                },
            };
            let keep_runs = KeepRuns {
                // Those of yesterday and today are asked for most, and may yet go on.
                loose_since: now.plus_seconds(-SECONDS_PER_DAY),
                since: since("--keep-runs", keep_runs)?,
            };
            let dry_run = DryRun::from(*dry_run);
            Task::Prune {
                step: Step::Prune { keep, dry_run },
                lock_timeout: LockTimeout::from_wait(*wait),
                keep_runs,
                dry_run,
            }
        }
        LakeCommand::Verify => Task::of(Step::Verify, LockTimeout::NoWait),
        LakeCommand::Stats => Task::of(Step::Stats, LockTimeout::NoWait),
    };
    Ok(task)
}

pub(super) fn catalog_file(typed: &args::Catalog) -> Result<Option<CatalogFile>, Failure> {
    let Some(path) = typed.catalog.clone() else { return Ok(None) };
    let mapping = mapping("--catalog-map", item_catalog::FIELDS, &typed.catalog_map)?;
    Ok(Some(CatalogFile { path, mapping }))
}

pub(super) fn mapping(
    name: &str,
    fields: &'static [&'static str],
    words: &[String],
) -> Result<Mapping, Failure> {
    Mapping::of(fields, words).map_err(|error| match error {
        error @ MappingError::Unreadable { .. } => Failure::could_not(format!("{name}: {error}")),
        error => Failure::misused(format!("{name}: {error}")),
    })
}

fn rank_step(typed: Rank, now: Timestamp) -> Result<Step, Failure> {
    let hours =
        |name: &str, text: &str| parse_hours(text).map_err(|e| Failure::misused(format!("{name}: {e}")));
    let window_hours = hours("--window", &typed.window)?;
    let decay = match (typed.decay, typed.no_decay) {
        (_, true) => Decay::None,
        (Some(rate), _) if rate > 0.0 && rate.is_finite() && (1.0 / rate).is_finite() => {
            Decay::RatePerHour(rate)
        }
        (Some(rate), _) => {
            return Err(Failure::misused(format!(
                "--decay {rate} is no rate above 0; for none at all say --no-decay"
            )));
        }
        (None, _) => Decay::HalfLifeHours(f64::from(hours("--half-life", &typed.half_life)?)),
    };
    let as_of = match &typed.as_of {
        Some(text) => {
            Timestamp::parse(text).map_err(|e| Failure::misused(format!("--as-of `{text}` {e}")))?
        }
        None => now,
    };
    let max_lag = typed.max_lag.as_deref().map(parse_seconds).transpose();
    let max_lag = max_lag.map_err(|e| Failure::misused(format!("--max-lag: {e}")))?;
    let freshness = max_lag.map(|max_lag_seconds| Freshness { until: as_of, max_lag_seconds });
    let max_lookback_hours = hours("--max-lookback", &typed.max_lookback)?;
    let furthest = Window::ending(as_of.rounded_up(), window_hours.max(max_lookback_hours)).oldest();
    if Timestamp::from_micros(furthest.start().micros()).is_err() {
        return Err(Failure::misused(
            "--as-of lies so early that the window begins before the year 1".to_owned(),
        ));
    }
    let zone = Zone::named(&typed.tz).map_err(|e| Failure::misused(format!("--tz: {e}")))?;
    if typed.top == 0 {
        return Err(Failure::misused("--top 0 ranks nothing; write at least 1".to_owned()));
    }
    let rules = Rules {
        window: Window::ending(as_of.rounded_up(), window_hours),
        decay,
        measure: match typed.by {
            By::Units => Measure::Units,
            By::Purchases => Measure::Purchases,
            By::Amount => Measure::Amount,
        },
        top: typed.top as usize,
        min_items: typed.min_items,
        max_lookback_hours,
        week: Week::ending(as_of.rounded_up(), zone),
    };
    let mut event_types = typed.event_types;
    event_types.sort_unstable();
    event_types.dedup();
    let catalog = catalog_file(&typed.catalog)?;
    Ok(Step::Rank { rules, event_types, catalog, tail: typed.tail, freshness })
}

/// Returns whether what is written on standard output has colors.
pub(super) fn colors(color: ColorChoice) -> Colors {
    if is_bright(color, &io::stdout()) { Colors::Always } else { Colors::Never }
}
