//! `topsell datagen`: synthetic purchases for benchmarks; hidden, since shops do not need it.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use topsell_core::lake::Lake;
use topsell_core::model::parse_hours;
use topsell_core::pipeline::StepError;
use topsell_core::rollup;
use topsell_core::storage::Store;
use topsell_datagen::{DatagenError, LogOptions, LogSpan, Workload};

/// Generate purchases of a large shop, one file per hour, or their hourly aggregates
///
/// The same arguments give the same purchases.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell datagen --purchases 10000000 --items 1000000 --leaves 1000 --tops 50 logs/
  topsell datagen --lake-age 3y --purchases 400000 --items 20000 --leaves 1000 --tops 50 old/
  topsell datagen --aggregates --purchases 5400000000 --items 10000000 --leaves 10000 --tops 50 lake/
")]
pub struct Datagen {
    /// Number of purchases
    #[arg(long, value_name = "N")]
    purchases: u64,
    /// Number of items, sold by Zipf's law with exponent 1.05
    #[arg(long, value_name = "N")]
    items: u32,
    /// Number of leaf paths of the category tree; equal to --tops for a flat tree
    #[arg(long, value_name = "N")]
    leaves: u32,
    /// Top-level categories
    #[arg(long, value_name = "N")]
    tops: u32,
    /// Number of hours, from 2024-01-01T00:00:00Z
    #[arg(long, value_name = "N", default_value_t = 150)]
    hours: u32,
    /// Format of the logs
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Give each purchase an id
    #[arg(long)]
    event_ids: bool,
    /// Seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write hourly aggregates into a new lake instead of logs: as many purchases on average, and no
    /// events
    #[arg(long, conflicts_with_all = ["format", "event_ids"])]
    aggregates: bool,
    /// Write logs of this age and a compacted lake of them, into logs/ and lake/ below DIR; DURATION instead of --hours
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["hours", "format", "event_ids", "aggregates"])]
    lake_age: Option<String>,
    /// Folder for the logs, where files of the same name are replaced, or for the new lake
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Csv,
    Ndjson,
}

/// Does what was typed.
///
/// # Errors
/// Says which word is wrong, or names the file that cannot be written.
pub fn run(settings: &Settings, typed: &Datagen) -> Result<Exit, Failure> {
    settings.use_threads()?;
    let Datagen { purchases, items, leaves, tops, hours, seed, event_ids, .. } = *typed;
    let age = typed.lake_age.as_deref().map(parse_hours).transpose();
    let age = age.map_err(|e| Failure::usage(format!("--lake-age: {e}")))?;
    let workload = Workload { purchases, items, leaves, tops, hours: age.unwrap_or(hours), seed };
    if age.is_some() {
        let written = topsell_datagen::write_old_lake(&typed.folder, &workload)?;
        settings.note(&format!("datagen: a lake of {} purchases in {} files", written.lines, written.files));
        return Ok(Exit::Success);
    }
    let store = Store::open(&typed.folder).map_err(DatagenError::from)?;
    if typed.aggregates {
        workload.check().map_err(DatagenError::from)?;
        let lake = Lake::open_or_create(store, None)?;
        let summary = topsell_datagen::write_aggregates(&lake, &workload, settings.now.micros() / 1_000)?;
        let rollup::Summary { rows, files_added, .. } = summary;
        settings.note(&format!("datagen: {rows} hourly aggregates in {files_added} files"));
        return Ok(Exit::Success);
    }
    let format = match typed.format {
        Format::Csv => topsell_datagen::LogFormat::Csv,
        Format::Ndjson => topsell_datagen::LogFormat::Ndjson,
    };
    let written = topsell_datagen::write_logs(
        &store,
        &workload,
        LogOptions { format, span: LogSpan::Hour, event_ids },
    )?;
    let topsell_datagen::WrittenLogs { files, lines, size_bytes } = written;
    settings.note(&format!("datagen: {lines} purchases, {size_bytes} bytes in {files} files"));
    Ok(Exit::Success)
}

impl From<DatagenError> for Failure {
    fn from(error: DatagenError) -> Failure {
        match error {
            DatagenError::Workload(error) => Failure::usage(error.to_string()),
            DatagenError::Store(error) => Failure::runtime(error.to_string()),
            DatagenError::Lake(error) => error.into(),
            DatagenError::Lock(error) => StepError::Lock(error).into(),
            DatagenError::Rollup(error) => StepError::Rollup(error).into(),
            DatagenError::Step(error) => error.into(),
        }
    }
}
