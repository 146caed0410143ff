//! What is known of a lake, gathered from its logs, its pointer and its records alone.

use std::collections::BTreeMap;

use crate::run_history::{Book, LastRuns, Ran, RunRecord};
use topsell_core::delta::LiveFile;
use topsell_core::lake::{Lake, LakeError, newest_hour};
use topsell_core::model::{Hour, PURCHASE, Timestamp};
use topsell_core::rankings::{Snapshot, SnapshotError};
use topsell_core::rollup::{RollupError, Rollups};
use topsell_core::storage::Store;

/// What is known of a lake at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    pub now: Timestamp,
    pub lake: Option<LakeFacts>,
    pub ranking: Option<RankingFacts>,
    /// The last runs of each command and job.
    pub runs: BTreeMap<Ran, LastRuns>,
    /// What stood in the way of knowing more, and is no damage.
    pub unknown: Vec<String>,
    /// Each thing that is not what it was.
    pub damage: Vec<String>,
}

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// At what tells how old things are.
    Ages,
    /// At all of the tables' logs, too: at each file.
    Sizes,
}

/// The tables of a lake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LakeFacts {
    /// The tables' names and sizes, where they were looked at.
    pub tables: Vec<(&'static str, TableFacts)>,
    /// The newest hour that has events of the types that are ranked, and is not yet to come.
    pub newest_hour: Option<Hour>,
}

/// A table's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableFacts {
    pub version: u64,
    pub files: u64,
    pub rows: u64,
    pub size_bytes: u64,
}

/// The published ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankingFacts {
    /// Where its window ends: at a full hour, which may be yet to come.
    pub as_of: Timestamp,
    /// When it was published, if a record tells.
    pub published: Option<Timestamp>,
}

impl RankingFacts {
    /// Returns since when it is no longer the newest that could be.
    pub fn since(&self) -> Timestamp {
        self.published.map_or(self.as_of, |published| published.min(self.as_of))
    }
}

impl TableFacts {
    fn of(version: u64, files: &[LiveFile]) -> TableFacts {
        TableFacts {
            version,
            files: files.len() as u64,
            rows: files.iter().map(|file| file.rows).sum(),
            size_bytes: files.iter().map(|file| file.size_bytes).sum(),
        }
    }
}

/// Gathers what is known of the lake in a store; what cannot be known is among the facts.
pub fn facts(store: &Store, look: Look, now: Timestamp) -> Facts {
    let (mut unknown, mut damage) = (Vec::new(), Vec::new());
    let runs = Book::open(store).last_runs();
    let (runs, broken) = runs.unwrap_or_else(|error| (BTreeMap::new(), vec![error]));
    unknown.extend(broken.iter().map(ToString::to_string));
    let (ranking, event_types) = match Snapshot::current(store) {
        Ok(snapshot) => {
            let published =
                last_ranked(&runs).and_then(|record| Timestamp::parse(record.ended.as_ref()?).ok());
            let facts = snapshot.metadata();
            (Some(RankingFacts { as_of: facts.as_of, published }), facts.event_types.clone())
        }
        Err(error) => {
            match &error {
                SnapshotError::None => {}
                SnapshotError::Damaged { .. } | SnapshotError::Columns { .. } => {
                    damage.push(error.to_string());
                }
                _ => unknown.push(error.to_string()),
            }
            (None, vec![PURCHASE.to_owned()])
        }
    };
    let lake = match lake_facts(store, look, now, &event_types) {
        Ok(lake) => Some(lake),
        Err(Trouble::Damage(what)) => {
            damage.push(what);
            None
        }
        Err(Trouble::Other(what)) => {
            unknown.push(what);
            None
        }
    };
    Facts { now, lake, ranking, runs, unknown, damage }
}

fn last_ranked(runs: &BTreeMap<Ran, LastRuns>) -> Option<&RunRecord> {
    runs.get(&Ran { command: "rank".to_owned(), job: None })?.last_done.as_ref()
}

enum Trouble {
    Damage(String),
    Other(String),
}

impl From<LakeError> for Trouble {
    fn from(error: LakeError) -> Trouble {
        let is_damage = match &error {
            LakeError::BadPartition { .. } | LakeError::BadSetting { .. } => true,
            LakeError::Table(error) => error.is_damage(),
            _ => false,
        };
        if is_damage { Trouble::Damage(error.to_string()) } else { Trouble::Other(error.to_string()) }
    }
}

fn lake_facts(
    store: &Store,
    look: Look,
    now: Timestamp,
    event_types: &[String],
) -> Result<LakeFacts, Trouble> {
    let newest_hour = newest_hour(store, event_types, now.rounded_up())?;
    if look == Look::Ages {
        return Ok(LakeFacts { tables: Vec::new(), newest_hour });
    }
    let lake = Lake::open(store.clone())?;
    let newest = lake.events().newest().map_err(LakeError::from)?;
    let files = newest.files().map_err(LakeError::from)?;
    let failed = |error: RollupError| match error {
        RollupError::Lake(error) => error.into(),
        RollupError::Table(error) => LakeError::from(error).into(),
        other => Trouble::Other(other.to_string()),
    };
    let rollups = Rollups::open(store).map_err(failed)?;
    let rollups = rollups.map(|rollups| rollups.files()).transpose().map_err(failed)?;
    let of_rollups =
        rollups.map_or(TableFacts::default(), |(version, files)| TableFacts::of(version, &files));
    let of_events = TableFacts::of(newest.number(), &files);
    Ok(LakeFacts { tables: vec![("events", of_events), ("rollups", of_rollups)], newest_hour })
}
