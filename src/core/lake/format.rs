//! The version of a lake's format, and the steps that upgrade a lake from an older one.
//!
//! ```text
//! <lake>/format.json     {"format":6}
//! ```
//!
//! | format | what changed |
//! |---|---|
//! | 0 | lakes of before there was a `format.json` |
//! | 1 | `format.json`; the lock of maintenance is `maintenance.lock` |
//! | 2 | in `rollups`, events are identified by id, item, and sale or return; before, by id alone |
//! | 3 | `events` has the column `version`; in `rollups`, sales and returns have rows of their own |
//! | 4 | quantities and units are decimals of four places; before, they were integers |
//! | 5 | both tables are partitioned by group of categories; before, by category, and events by hour |
//! | 6 | of days with few rows, all categories share files, those of the group `~` |
//!
//! Invariant: a lake's version is written before its first table is created, and after the last step
//! of an upgrade. So an interrupted upgrade leaves the older version and is completed by another
//! one: each step has no effect where it was applied before.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::delta::Table;
use crate::lake::category_groups::{group_categories, is_grouped};
use crate::lake::decimal_units::make_units_decimal;
use crate::lake::error::LakeError;
use crate::lake::events_table::{EVENTS, EVENTS_UNTIL_4, SCHEMA, VERSION};
use crate::lake::layout::{
    COMPACTION_LOCK, FORMAT_FILE, MAINTENANCE_LOCK, MAINTENANCE_LOCK_0, SERVER_LOCK, WRITERS,
};
use crate::storage::{Lock, LockError, LockTimeout, SharedLock, Store};

/// The format of lakes that this program creates, and the only one that it reads and writes.
pub const CURRENT_FORMAT: u32 = 6;
/// Folders of which a lake has at least the first, whatever its format.
const TABLE_LOGS: [&str; 2] = ["events/_delta_log", "rollups/_delta_log"];

/// The steps, one from each version to the next; a change of the format adds its own at the end.
const STEPS: [UpgradeStep; CURRENT_FORMAT as usize] = [
    UpgradeStep {
        from: 0,
        summary: "replace upkeep.lock with maintenance.lock",
        apply: |store, _| remove_old_lock(store),
    },
    UpgradeStep {
        from: 1,
        summary: "identify events by id, item, and sale or return; the next rollup recomputes all aggregates",
        // The rollup finds that the stored aggregates were computed by the older rule.
        apply: |_, _| Ok(()),
    },
    UpgradeStep {
        from: 2,
        summary: "add the column version to the table events; the next rollup recomputes all aggregates",
        apply: |store, _| add_version(store),
    },
    UpgradeStep {
        from: 3,
        summary: "store quantities and units as decimals, by rewriting all files of events and rollups",
        apply: make_units_decimal,
    },
    UpgradeStep {
        from: 4,
        summary: "let small categories share files, by rewriting all files of events and rollups; `lake compact` merges \
                  them",
        apply: group_categories,
    },
    UpgradeStep {
        from: 5,
        summary: "let all categories share the files of days with few rows; `lake compact` merges them",
        // An older program does not know the group of such files.
        apply: |_, _| Ok(()),
    },
];

#[derive(Serialize, Deserialize)]
struct FormatFile {
    format: u32,
}

/// What brings a lake from one version to the next.
pub struct UpgradeStep {
    pub from: u32,
    /// What it does, in the imperative.
    pub summary: &'static str,
    apply: fn(&Store, now_ms: i64) -> Result<(), LakeError>,
}

/// The steps from a lake's version to the current one; none where the lake has it.
pub struct UpgradePlan {
    pub from: u32,
    pub steps: &'static [UpgradeStep],
}

/// Keeps every other command from writing to a lake; released when dropped.
pub struct UpgradeLocks {
    _server: Lock,
    _maintenance: (Lock, Lock, Option<Lock>),
    _writers: (SharedLock, SharedLock),
}

/// Refuses a lake of another format; a folder without a lake is accepted.
///
/// # Errors
/// [`LakeError::NewerFormat`], [`LakeError::OlderFormat`], or the file cannot be read.
pub fn check_format(store: &Store) -> Result<(), LakeError> {
    match version_of(store)? {
        Some(found) if found < CURRENT_FORMAT => {
            Err(LakeError::OlderFormat { lake: store.location(), found, supported: CURRENT_FORMAT })
        }
        _ => Ok(()),
    }
}

/// Writes the version of a lake again whose file of it is damaged: the current one, if the `events` table has the
/// columns of this.
///
/// # Errors
/// As [`Table::open`]; [`LakeError::BadFormatFile`] where there is no table.
pub fn restore_format(store: &Store) -> Result<(), LakeError> {
    if Table::open(store, EVENTS, SCHEMA)?.is_none() {
        return Err(LakeError::BadFormatFile { file: store.location_of(FORMAT_FILE) });
    }
    store.quarantine(FORMAT_FILE)?;
    Ok(store.put(FORMAT_FILE, content(CURRENT_FORMAT))?)
}

/// Writes the current version into a folder where a lake is to be created.
///
/// # Errors
/// As [`check_format`], where another process has created a lake there at the same time.
pub(super) fn create_format(store: &Store) -> Result<(), LakeError> {
    match store.put_new_durably(FORMAT_FILE, content(CURRENT_FORMAT))? {
        true => Ok(()),
        false => check_format(store),
    }
}

/// Takes all locks of a lake, of the current and of older formats.
///
/// # Errors
/// [`LockError::Held`] where another process holds one and the caller does not wait.
pub fn lock_for_upgrade(
    store: &Store,
    holder: &str,
    lock_timeout: LockTimeout,
) -> Result<UpgradeLocks, LockError> {
    // A server writes the format that it was started with.
    let server = store.lock(SERVER_LOCK, holder, lock_timeout)?;
    let compaction = store.lock(COMPACTION_LOCK, holder, lock_timeout)?;
    let current = store.lock(MAINTENANCE_LOCK, holder, lock_timeout)?;
    let has_old = store.is_there(MAINTENANCE_LOCK_0);
    let old = has_old.then(|| store.lock(MAINTENANCE_LOCK_0, holder, lock_timeout)).transpose()?;
    let writers = store.lock_exclusive(WRITERS)?;
    let writers = writers.ok_or_else(|| LockError::Held { holder: "an ingest".to_owned() })?;
    Ok(UpgradeLocks { _server: server, _maintenance: (compaction, current, old), _writers: writers })
}

/// Decides which steps a lake needs.
///
/// # Errors
/// [`LakeError::Missing`] where there is no lake, [`LakeError::NewerFormat`] where its format is newer.
pub fn plan_upgrade(store: &Store) -> Result<UpgradePlan, LakeError> {
    let Some(from) = version_of(store)? else {
        return Err(LakeError::Missing { lake: store.location() });
    };
    // A folder without a `format.json` may hold tables of another program.
    if from == 0
        && !is_grouped(store, EVENTS, SCHEMA)
        && Table::open(store, EVENTS, EVENTS_UNTIL_4)?.is_none()
    {
        return Err(LakeError::Missing { lake: store.location() });
    }
    Ok(UpgradePlan { from, steps: &STEPS[from as usize..] })
}

/// Applies the steps, then writes the current version; `now_ms` is the moment of their commits, in
/// milliseconds since 1970.
///
/// # Errors
/// Fails where the disk does; the lake then keeps its version, and the upgrade can be run again.
pub fn apply_upgrade(
    store: &Store,
    _locks: &UpgradeLocks,
    plan: &UpgradePlan,
    now_ms: i64,
) -> Result<(), LakeError> {
    if plan.steps.is_empty() {
        return Ok(());
    }
    for step in plan.steps {
        (step.apply)(store, now_ms)?;
    }
    Ok(store.put(FORMAT_FILE, content(CURRENT_FORMAT))?)
}

/// Returns a lake's version; none where there is no lake.
fn version_of(store: &Store) -> Result<Option<u32>, LakeError> {
    let bytes = match store.get(FORMAT_FILE) {
        Err(error) if error.is_not_found() => {
            return Ok(TABLE_LOGS.iter().any(|log| store.has_folder(log)).then_some(0));
        }
        bytes => bytes?,
    };
    let file: FormatFile = serde_json::from_slice(&bytes)
        .map_err(|_| LakeError::BadFormatFile { file: store.location_of(FORMAT_FILE) })?;
    if file.format > CURRENT_FORMAT {
        let (lake, found) = (store.location(), file.format);
        return Err(LakeError::NewerFormat { lake, found, supported: CURRENT_FORMAT });
    }
    Ok(Some(file.format))
}

fn content(format: u32) -> Bytes {
    format!("{{\"format\":{format}}}\n").into()
}

/// Step 0 to 1: whoever waits for the old lock would wait for nobody.
fn remove_old_lock(store: &Store) -> Result<(), LakeError> {
    Ok(store.delete(MAINTENANCE_LOCK_0)?)
}

/// Step 2 to 3: files without the column have no versions.
fn add_version(store: &Store) -> Result<(), LakeError> {
    if is_grouped(store, EVENTS, SCHEMA) {
        return Ok(());
    }
    match Table::open(store, EVENTS, EVENTS_UNTIL_4)? {
        Some(table) => Ok(table.add_column(VERSION)?),
        // The lake was created, and nothing was ingested.
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_step_from_each_version_to_the_next() {
        let from: Vec<u32> = STEPS.iter().map(|step| step.from).collect();
        assert_eq!(from, (0..CURRENT_FORMAT).collect::<Vec<_>>());
    }
}
