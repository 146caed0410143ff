//! The lake: events by category and hour, and beside them what was rejected.
//!
//! Invariant: a batch is in the `events` table whole and once, or not at all.
//!
//! ```text
//! events/event_type=purchase/category=GROCERY/date=2017-01-07/hour=13/….parquet
//! rejects/<batch>.ndjson
//! report.html
//! topsell.toml
//! ```

mod append;
mod drop;
mod error;
mod events;
mod merge;
mod newest;
mod partition;
mod placing;
mod recent;
mod records;
mod replace;
mod settings;

use crate::delta::{Table, VacuumPlan, VacuumRule};
use crate::storage::{Lock, LockError, LockTimeout, Store};

use recent::Recent;

pub use append::{AppendTransaction, CommitOutcome, DuplicatePolicy, StagedFiles};
pub use drop::Dropped;
pub use error::LakeError;
pub use events::{columns_to_aggregate, events_log, read_events_of, version};
pub use merge::MergePlan;
pub use newest::newest_hour;
pub use partition::{HourPartition, hive_folder, partition_map};
pub use records::Reject;
pub use settings::{LakeSettings, SETTINGS_FILE};

const EVENTS: &str = "events";
/// The page to look at that is the lake's own.
pub const PAGE: &str = "report.html";
const MAINTENANCE_LOCK: &str = "upkeep.lock";
/// The room that those are in who write files which no commit names yet.
const WRITERS: &str = "writers";
/// The table property that says into how many bytes this lake cuts long inputs.
const SLICE_BYTES: &str = "topsell.sliceBytes";
/// Into how many bytes a lake cuts long inputs unless it is told otherwise when it is made.
pub const DEFAULT_SLICE_BYTES: u64 = 64 << 20;

/// Whether a command only reports what it would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// Print the plan, change nothing.
    Yes,
    /// Carry the plan out.
    No,
}

impl From<bool> for DryRun {
    fn from(dry_run: bool) -> DryRun {
        if dry_run { DryRun::Yes } else { DryRun::No }
    }
}

/// An open lake.
pub struct Lake {
    store: Store,
    events: Table,
    slice_bytes: u64,
    recent: Recent,
}

impl Lake {
    /// Opens the lake in a folder.
    ///
    /// # Errors
    /// [`LakeError::Missing`] where there is none; otherwise fails where it cannot be read.
    pub fn open(store: Store) -> Result<Lake, LakeError> {
        match Table::open(&store, EVENTS, events::SCHEMA)? {
            Some(table) => Lake::of(store, table),
            None => Err(LakeError::Missing { lake: store.root().display().to_string() }),
        }
    }

    /// Opens the lake in a folder, or makes one there.
    ///
    /// A lake that is there keeps the slices it was made with, since a batch's identity hangs on
    /// where its input was cut.
    ///
    /// # Errors
    /// Fails where the folder holds something else, or `slice_bytes` is not the lake's.
    pub fn open_or_create(store: Store, slice_bytes: Option<u64>) -> Result<Lake, LakeError> {
        let root = || store.root().display().to_string();
        let lake = match Table::open(&store, EVENTS, events::SCHEMA)? {
            Some(table) => Lake::of(store, table)?,
            None if is_foreign(&store)? => return Err(LakeError::NotALake { folder: root() }),
            None => {
                let bytes = slice_bytes.unwrap_or(DEFAULT_SLICE_BYTES);
                let properties = [
                    (SLICE_BYTES, bytes.to_string()),
                    ("delta.setTransactionRetentionDuration", "interval 365 days".to_owned()),
                ];
                let table = Table::open_or_create(&store, EVENTS, events::SCHEMA, &properties)?;
                Lake::of(store, table)?
            }
        };
        match slice_bytes {
            Some(asked) if asked != lake.slice_bytes => {
                Err(LakeError::OtherSlices { asked, lake: lake.slice_bytes })
            }
            _ => Ok(lake),
        }
    }

    /// Takes the lock that those hold who sum, rank, merge or vacuum: one at a time, beside any
    /// number of ingests and readers.
    ///
    /// # Errors
    /// Says who holds it, where the lock is held and the caller does not wait.
    pub fn lock_maintenance(&self, holder: &str, lock_timeout: LockTimeout) -> Result<Lock, LockError> {
        self.store.lock(MAINTENANCE_LOCK, holder, lock_timeout)
    }

    /// Removes, or only names, the files of the `events` table that nobody needs any more, while no
    /// batch is half-way in; none where one was for too long, and nothing was removed.
    ///
    /// # Errors
    /// Fails where the disk does; what is removed no version needed.
    pub fn vacuum(&self, rule: &VacuumRule, dry_run: DryRun) -> Result<Option<VacuumPlan>, LakeError> {
        if dry_run == DryRun::Yes {
            return Ok(Some(self.events.plan_vacuum(&self.store, rule)?));
        }
        let Some(_alone) = self.store.enter_alone(WRITERS)? else { return Ok(None) };
        let vacuum = self.events.plan_vacuum(&self.store, rule)?;
        vacuum.remove(&self.store)?;
        Ok(Some(vacuum))
    }

    /// Returns the folder's files.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the `events` table.
    pub fn events(&self) -> &Table {
        &self.events
    }

    /// Returns into how many bytes this lake cuts long inputs.
    pub fn slice_bytes(&self) -> u64 {
        self.slice_bytes
    }

    fn of(store: Store, events: Table) -> Result<Lake, LakeError> {
        let slice_bytes = match events.newest()?.property(SLICE_BYTES) {
            Some(text) => {
                let bad = |_| LakeError::BadSetting { name: SLICE_BYTES, value: text.to_owned() };
                text.parse().map_err(bad)?
            }
            None => DEFAULT_SLICE_BYTES,
        };
        Ok(Lake { store, events, slice_bytes, recent: Recent::default() })
    }
}

/// Tells whether a folder holds anything but the beginnings of a lake.
fn is_foreign(store: &Store) -> Result<bool, LakeError> {
    const OURS: [&str; 11] = [
        "events",
        "rollups",
        "rankings",
        "rejects",
        "runs",
        "schedule",
        PAGE,
        MAINTENANCE_LOCK,
        "writers.door.lock",
        "writers.lock",
        settings::SETTINGS_FILE,
    ];
    Ok(store.entries()?.iter().any(|name| !OURS.contains(&name.as_str())))
}
