//! `topsell report`: a published ranking as one page to look at.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use crate::commands::publish_options::ranking_name;
use crate::failure::{Exit, Failure, unless_reader_left};
use crate::metrics;
use crate::moments::{Moment, TIME_HELP, moment};
use crate::record_args::RecordArgs;
use crate::run_recorder;
use crate::settings::Settings;
use topsell_core::lake;
use topsell_core::lake::Lake;
use topsell_core::model::{Timestamp, Zone, parse_seconds};
use topsell_core::rankings::{RankingName, Snapshot, SnapshotError};
use topsell_core::storage::local_files::write_atomically;
use topsell_core::trends::{Since, Trends};
use topsell_output::report::{self, Page};
use topsell_output::show::MOVEMENT_SINCE;
use topsell_output::text::{counted, size};

/// Write a published ranking as an HTML page
///
/// The page is a single self-contained file: the whole shop and every category, with rank changes, the
/// last seven days and a search. It is written atomically.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell report -o bestsellers.html
  topsell report                                  write report.html in the lake
  topsell report -o bestsellers.html --title 'Best sellers of our shop'
  topsell report -o - | gzip > bestsellers.html.gz
")]
#[command(after_help = TIME_HELP)]
pub struct Report {
    /// File to write, - for standard output [default: report.html in the lake]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Compare ranks with those of the newest ranking as of TIME or earlier; a duration is before the
    /// ranking's own time [default: 1d]
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Name under which the ranking was published [default: default]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Use the newest ranking as of TIME or earlier [default: the current ranking]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Title of the page
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    #[command(flatten)]
    record: RecordArgs,
}

/// A page to write.
pub struct Wanted {
    /// None for the lake's own page.
    output: Option<PathBuf>,
    name: RankingName,
    since: Since,
    at: Option<Moment>,
    title: Option<String>,
}

impl Report {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, now: Timestamp) -> Result<Wanted, Failure> {
        let Report { output, name, since, at, title, record } = self;
        record.share()?;
        let at = at.as_deref().map(|text| moment("--at", text, now, &Zone::utc())).transpose()?;
        let since = since.as_deref().map(|text| since_of(text, now)).transpose()?.unwrap_or(MOVEMENT_SINCE);
        let name = ranking_name(name.as_deref())?;
        Ok(Wanted { output: output.clone(), name, since, at, title: title.clone() })
    }
}

/// Writes the page.
///
/// # Errors
/// Fails where there is no ranking, it cannot be read or the page cannot be written.
pub fn run(settings: &Settings, typed: &Report) -> Result<Exit, Failure> {
    let wanted = typed.check(settings.now)?;
    settings.note_moments(wanted.at.iter().filter_map(|at| at.note.clone()));
    settings.use_threads()?;
    let done =
        run_recorder::record_read(settings, "report", typed.record.share()?, || write(settings, &wanted));
    metrics::write(settings);
    done
}

fn write(settings: &Settings, asked: &Wanted) -> Result<Exit, Failure> {
    let store = settings.store()?;
    let at = asked.at.as_ref().map(|moment| moment.at);
    let opened = match at {
        Some(moment) => Snapshot::at(&store, &asked.name, moment),
        None => Snapshot::named(&store, &asked.name),
    };
    let snapshot = match opened {
        Err(SnapshotError::None) => {
            // Without a lake there is more to do than to rank.
            Lake::open(store)?;
            let none_at = |moment| Failure::not_found(format!("no ranking of {moment} or earlier is kept"));
            return Err(at.map_or(SnapshotError::None.into(), none_at));
        }
        snapshot => snapshot?,
    };
    let charts = Trends::of(&store, snapshot, asked.since)?;
    let Page { html, categories, rows } = report::page(&charts, asked.title.as_deref(), settings.now)?;
    let Some(output) = &asked.output else {
        let size_bytes = html.len();
        store.put(lake::PAGE, html.into()).map_err(|e| Failure::runtime(e.to_string()))?;
        let name = store.location_of(lake::PAGE);
        settings.note(&said(categories, rows, size_bytes, Path::new(&name)));
        return Ok(Exit::Success);
    };
    if output == Path::new("-") {
        let mut out = io::stdout().lock();
        let written = out.write_all(html.as_bytes()).and_then(|()| out.flush());
        written.or_else(unless_reader_left)?;
        return Ok(Exit::Success);
    }
    let failed = |e| Failure::runtime(format!("{}: {e}", output.display()));
    write_atomically(output, html.as_bytes()).map_err(failed)?;
    settings.note(&said(categories, rows, html.len(), output));
    Ok(Exit::Success)
}

fn since_of(text: &str, now: Timestamp) -> Result<Since, Failure> {
    match parse_seconds(text) {
        Ok(seconds) => Ok(Since::Before(seconds)),
        Err(_) => Ok(Since::At(moment("--since", text, now, &Zone::utc())?.at)),
    }
}

fn said(categories: u64, rows: u64, size_bytes: usize, page: &Path) -> String {
    format!(
        "report: {}, {}, {} in {}",
        counted(categories, "category", "categories"),
        counted(rows, "row", "rows"),
        size(size_bytes as u64),
        page.display()
    )
}
