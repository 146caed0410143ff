//! The global options, checked: what every command knows and none of them decides.
//!
//! Invariant: knows no command.

use std::io::{self, IsTerminal, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;

use clap::{Args as ClapArgs, ColorChoice};

use crate::clock::Clock;
use crate::color::is_dumb;
use crate::failure::{Failure, unless_reader_left};
use topsell_core::lake::{LakeError, check_format};
use topsell_core::model::{Timestamp, escape_lines};
use topsell_core::storage::Store;
use topsell_ops::process::Tail;

/// More threads than this, or than CPUs where there are more, only take memory.
const MAX_THREADS: usize = 256;

/// How much to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

/// The options of every command.
#[derive(ClapArgs, Debug)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Lake directory, or s3://BUCKET/PREFIX
    #[arg(long, global = true, value_name = "DIR", default_value = "data/lake")]
    pub lake: PathBuf,
    /// Number of threads [default: number of CPUs]
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<u16>,
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more details
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colors
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// Write metrics of the lake and its last runs to FILE, for the textfile collector of the
    /// Prometheus node_exporter
    #[arg(long, global = true, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// The moment to take for now, RFC 3339; for tests and for dry_run an old run again
    #[arg(long, global = true, value_name = "TIME", env = "TOPSELL_NOW", hide = true)]
    pub now: Option<String>,
}

/// What every command knows: when it runs, where, and how much it prints.
pub struct Settings {
    pub verbosity: Verbosity,
    pub now: Timestamp,
    pub clock: Clock,
    pub color: ColorChoice,
    pub lake: PathBuf,
    threads: Option<NonZero<u16>>,
    metrics_file: Option<PathBuf>,
    /// The last of the messages, for the run's record.
    messages: Tail,
    store: OnceLock<Store>,
}

impl Settings {
    /// Checks the global options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn of(args: GlobalArgs) -> Result<Settings, Failure> {
        let verbosity = match (args.quiet, args.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        let clock = match &args.now {
            Some(text) => {
                let parsed = Timestamp::parse(text);
                Clock::Fixed(parsed.map_err(|e| Failure::usage(format!("--now `{text}` {e}")))?)
            }
            None => Clock::Machine,
        };
        let no_threads = || Failure::usage("--threads: must be at least 1".to_owned());
        let threads = args.threads.map(|threads| NonZero::new(threads).ok_or_else(no_threads)).transpose()?;
        let GlobalArgs { lake, metrics_file, color, .. } = args;
        Ok(Settings {
            verbosity,
            now: clock.now()?,
            clock,
            color,
            lake,
            threads,
            metrics_file,
            messages: Tail::default(),
            store: OnceLock::new(),
        })
    }

    /// Returns the file that metrics are to be left in.
    pub fn metrics_file(&self) -> Option<&Path> {
        self.metrics_file.as_deref()
    }

    /// Returns the lake's store.
    ///
    /// # Errors
    /// Fails where the lake has another format than this program's, or its path cannot be made absolute.
    pub fn store(&self) -> Result<Store, Failure> {
        // One and the same, so that what is read and written adds up.
        if let Some(store) = self.store.get() {
            return Ok(store.clone());
        }
        let opened = self.store_of_any_format()?;
        check_format(&opened)?;
        Ok(self.store.get_or_init(|| opened).clone())
    }

    /// Opens the store of the lake, whose format may be another than this program's.
    ///
    /// # Errors
    /// Fails where the lake's path cannot be made absolute.
    pub fn store_of_any_format(&self) -> Result<Store, Failure> {
        let store = Store::open(&self.lake).map_err(LakeError::from)?;
        let verbosity = self.verbosity;
        Ok(store.on_wait(Arc::new(move |what| note(verbosity, what).map_or((), drop))))
    }

    /// Sets how many threads the run's parallel work has.
    ///
    /// # Errors
    /// Fails where they cannot be started.
    pub fn use_threads(&self) -> Result<(), Failure> {
        let threads = self.threads.map_or(0, |threads| usize::from(threads.get()));
        let max = thread::available_parallelism().map_or(MAX_THREADS, |cpus| cpus.get().max(MAX_THREADS));
        if threads > max {
            self.note(&format!("warning: --threads {threads}: {max} are used, the maximum on this machine"));
        }
        let threads = threads.min(max);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.map_err(|e| Failure::runtime(format!("cannot start threads: {e}")))
    }

    /// Returns how many threads each of some processes of this host has: as many as are set, or its share of the CPUs.
    pub fn threads_of_each(&self, processes: usize) -> usize {
        let cpus = thread::available_parallelism().map_or(1, NonZero::get);
        self.threads.map_or_else(|| (cpus / processes.max(1)).max(1), |threads| threads.get().into())
    }

    /// Tells whether to draw progress bars.
    pub fn shows_progress(&self) -> bool {
        self.verbosity != Verbosity::Quiet && io::stderr().is_terminal() && !is_dumb()
    }

    /// Says something on stderr, except with --quiet.
    pub fn note(&self, text: &str) {
        if let Some(text) = note(self.verbosity, text) {
            self.messages.push(text.as_bytes());
        }
    }

    /// Prints the moments that options name in any other way than in full.
    pub fn note_moments(&self, notes: impl IntoIterator<Item = String>) {
        notes.into_iter().for_each(|note| self.note(&note));
    }

    /// Returns the last of what was said; none where nothing was.
    pub fn messages(&self) -> Option<String> {
        self.messages.text()
    }

    /// Writes a report on stderr, except with --quiet; stdout is for data.
    ///
    /// # Errors
    /// Fails where stderr does.
    pub fn say(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        if self.verbosity == Verbosity::Quiet {
            return Ok(());
        }
        // Names of files, ids and values may hold what a terminal would obey.
        let write = |out: &mut dyn Write| {
            let mut text = Vec::new();
            write(&mut text)?;
            out.write_all(escape_lines(&String::from_utf8_lossy(&text)).as_bytes())
        };
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
            self.messages.push(&text);
            out.write_all(&text).and_then(|()| out.flush())
        });
        written.or_else(unless_reader_left)
    }
}

/// Says something on stderr, except with --quiet; returns what was said.
fn note(verbosity: Verbosity, text: &str) -> Option<String> {
    if verbosity == Verbosity::Quiet {
        return None;
    }
    let text = format!("{}\n", escape_lines(text));
    // Nobody is left to hear of it where stderr is gone.
    let _ = io::stderr().write_all(text.as_bytes());
    Some(text)
}
