//! Rebuilds the log of the `events` table without commits that are damaged or missing.

use std::collections::BTreeSet;

use crate::delta::{LogCheck, write_checkpoint_without};
use crate::lake::error::LakeError;
use crate::lake::events_table::{EVENTS, SCHEMA};
use crate::lake::writers_lock::WritersLock;
use crate::storage::Store;

/// Writes a checkpoint of the newest version of the `events` table, in which some commits have changed nothing.
///
/// # Errors
/// Fails where the disk does, or the rest of the log cannot be read.
pub fn rebuild_events_log(
    store: &Store,
    // A commit that came meanwhile would not be in it.
    _writers: &WritersLock,
    check: &LogCheck,
    lost: &BTreeSet<u64>,
) -> Result<(), LakeError> {
    Ok(write_checkpoint_without(store, EVENTS, SCHEMA, check, lost)?)
}
