//! The status of a lake, from its table logs, ranking pointer and run records only.

use std::collections::BTreeMap;

use crate::run_history::{LastRuns, RunKey, RunRecord, RunStore, RunsUntil};
use topsell_core::delta::LiveFile;
use topsell_core::lake::{Lake, LakeError, newest_hour};
use topsell_core::model::{Hour, PURCHASE, Timestamp};
use topsell_core::rankings::{RankingName, Snapshot, SnapshotError};
use topsell_core::rollup::{RollupError, Rollups};
use topsell_core::storage::Store;

/// The status of a lake at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    pub now: Timestamp,
    pub lake: Option<LakeStatus>,
    pub ranking: Option<RankingStatus>,
    /// The last runs of each command and job.
    pub runs: BTreeMap<RunKey, LastRuns>,
    /// The number of runs that were started in the future, which are ignored.
    pub future_runs: u64,
    /// The space that is left on the lake's disk for this account; `None` if the system does not report it.
    pub free_bytes: Option<u64>,
    /// What could not be read, other than corruption.
    pub errors: Vec<String>,
    /// Each damaged file.
    pub corruption: Vec<String>,
}

/// Clocks of machines that share a lake may differ by this much.
const MAX_AHEAD_SECONDS: i64 = 60;

/// How much to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What is needed for ages.
    Ages,
    /// Also the tables' logs with all files.
    Sizes,
}

/// The tables of a lake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LakeStatus {
    /// The tables' names and sizes, if they were read.
    pub tables: Vec<(&'static str, TableStatus)>,
    /// The newest hour, not in the future, with events of the ranked types.
    pub newest_hour: Option<Hour>,
}

/// The version and size of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStatus {
    pub version: u64,
    pub files: u64,
    pub rows: u64,
    pub size_bytes: u64,
}

/// The published ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankingStatus {
    /// The end of its window: a full hour, which may be in the future.
    pub as_of: Timestamp,
    /// When it was published, if there is a record.
    pub published: Option<Timestamp>,
}

impl RankingStatus {
    /// Returns the time from which its age is counted.
    pub fn since(&self) -> Timestamp {
        self.published.map_or(self.as_of, |published| published.min(self.as_of))
    }
}

impl TableStatus {
    fn of(version: u64, files: &[LiveFile]) -> TableStatus {
        TableStatus {
            version,
            files: files.len() as u64,
            rows: files.iter().map(|file| file.rows).sum(),
            size_bytes: files.iter().map(|file| file.size_bytes).sum(),
        }
    }
}

/// Reads the status of a lake and of the ranking of a name; what cannot be read is part of the status.
pub fn status(store: &Store, name: &RankingName, detail: Detail, now: Timestamp) -> Status {
    let (mut errors, mut corruption) = (Vec::new(), Vec::new());
    // What was started while the clock was wrong must not hide what happened since.
    let until = now.plus_seconds(MAX_AHEAD_SECONDS);
    let runs = RunStore::open(store).last_runs_until(Some(until));
    let runs = runs.unwrap_or_else(|error| RunsUntil { broken: vec![error], ..RunsUntil::default() });
    let RunsUntil { runs, broken, later: future_runs } = runs;
    errors.extend(broken.iter().map(ToString::to_string));
    let (ranking, event_types) = match Snapshot::named(store, name) {
        Ok(snapshot) => {
            let published =
                last_ranked(&runs).and_then(|record| Timestamp::parse(record.ended.as_ref()?).ok());
            let metadata = snapshot.metadata();
            (Some(RankingStatus { as_of: metadata.as_of, published }), metadata.event_types.counted.clone())
        }
        Err(error) => {
            match &error {
                SnapshotError::None => {}
                SnapshotError::Damaged { .. } | SnapshotError::Columns { .. } => {
                    corruption.push(error.to_string());
                }
                _ => errors.push(error.to_string()),
            }
            (None, vec![PURCHASE.to_owned()])
        }
    };
    let lake = match lake_status(store, detail, now, &event_types) {
        Ok(lake) => Some(lake),
        Err(ReadError::Corrupt(what)) => {
            corruption.push(what);
            None
        }
        Err(ReadError::Other(what)) => {
            errors.push(what);
            None
        }
    };
    let free_bytes = store.free_bytes().ok();
    Status { now, lake, ranking, runs, future_runs, free_bytes, errors, corruption }
}

fn last_ranked(runs: &BTreeMap<RunKey, LastRuns>) -> Option<&RunRecord> {
    runs.get(&RunKey { command: "rank".to_owned(), job: None })?.last_done.as_ref()
}

enum ReadError {
    Corrupt(String),
    Other(String),
}

impl From<LakeError> for ReadError {
    fn from(error: LakeError) -> ReadError {
        let is_damage = match &error {
            LakeError::BadPartition { .. } | LakeError::BadSetting { .. } => true,
            LakeError::Table(error) => error.is_damage(),
            _ => false,
        };
        if is_damage { ReadError::Corrupt(error.to_string()) } else { ReadError::Other(error.to_string()) }
    }
}

fn lake_status(
    store: &Store,
    detail: Detail,
    now: Timestamp,
    event_types: &[String],
) -> Result<LakeStatus, ReadError> {
    let newest_hour = newest_hour(store, event_types, now.rounded_up())?;
    if detail == Detail::Ages {
        return Ok(LakeStatus { tables: Vec::new(), newest_hour });
    }
    let lake = Lake::open(store.clone())?;
    let newest = lake.events().newest().map_err(LakeError::from)?;
    let files = newest.files().map_err(LakeError::from)?;
    let failed = |error: RollupError| match error {
        RollupError::Lake(error) => error.into(),
        RollupError::Table(error) => LakeError::from(error).into(),
        other => ReadError::Other(other.to_string()),
    };
    let rollups = Rollups::open(store).map_err(failed)?;
    let rollups = rollups.map(|rollups| rollups.files()).transpose().map_err(failed)?;
    let of_rollups =
        rollups.map_or(TableStatus::default(), |(version, files)| TableStatus::of(version, &files));
    let of_events = TableStatus::of(newest.number(), &files);
    Ok(LakeStatus { tables: vec![("events", of_events), ("rollups", of_rollups)], newest_hour })
}
