//! Opens and creates lakes.

use std::collections::HashSet;
use std::sync::OnceLock;

use crate::delta::Table;
use crate::lake::error::LakeError;
use crate::lake::events_table::{EVENTS, SCHEMA};
use crate::lake::format::{check_format, create_format};
use crate::lake::inputs_cache::InputsCache;
use crate::lake::layout::{COMPACTION_LOCK, MAINTENANCE_LOCK, is_foreign};
use crate::lake::transaction_cache::TransactionCache;
use crate::lake::writers_lock::lock_maintenance;
use crate::storage::{Lock, LockError, LockTimeout, Store};

/// The table property that holds the size of the slices into which a lake cuts long inputs.
const SLICE_BYTES: &str = "topsell.sliceBytes";
/// The slice size of lakes that are created without one.
pub const DEFAULT_SLICE_BYTES: u64 = 64 << 20;

/// An open lake.
pub struct Lake {
    pub(super) store: Store,
    pub(super) events: Table,
    slice_bytes: u64,
    pub(super) transactions: TransactionCache,
    pub(super) inputs: InputsCache,
    /// The files of rejects of a bucket when this process looked.
    pub(super) rejects: OnceLock<HashSet<String>>,
}

impl Lake {
    /// Opens the lake in a store.
    ///
    /// # Errors
    /// [`LakeError::Missing`] where there is none, and as [`check_format`]; otherwise fails where it
    /// cannot be read.
    pub fn open(store: Store) -> Result<Lake, LakeError> {
        check_format(&store)?;
        match Table::open(&store, EVENTS, SCHEMA)? {
            Some(table) => Lake::of(store, table),
            None => Err(LakeError::Missing { lake: store.location() }),
        }
    }

    /// Opens the lake in a store, or creates one there.
    ///
    /// An existing lake keeps the slice size it was created with, since a batch's id depends on where
    /// its input was cut.
    ///
    /// # Errors
    /// As [`check_format`], and where the store holds something else or `slice_bytes` is not the
    /// lake's.
    pub fn open_or_create(store: Store, slice_bytes: Option<u64>) -> Result<Lake, LakeError> {
        check_format(&store)?;
        let lake = match Table::open(&store, EVENTS, SCHEMA)? {
            Some(table) => Lake::of(store, table)?,
            None if is_foreign(&store)? => return Err(LakeError::NotALake { folder: store.location() }),
            None => {
                store.make_root()?;
                create_format(&store)?;
                let bytes = slice_bytes.unwrap_or(DEFAULT_SLICE_BYTES);
                let properties = [
                    (SLICE_BYTES, bytes.to_string()),
                    ("delta.setTransactionRetentionDuration", "interval 365 days".to_owned()),
                ];
                let table = Table::create_or_open(&store, EVENTS, SCHEMA, &properties)?;
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

    /// Takes the lock of rollup and rank: one of them runs at a time, beside a compaction and any number of
    /// ingests and readers.
    ///
    /// # Errors
    /// [`LockError::Held`] where another process holds it and the caller does not wait.
    pub fn lock_rollups(&self, holder: &str, lock_timeout: LockTimeout) -> Result<Lock, LockError> {
        self.store.lock(MAINTENANCE_LOCK, holder, lock_timeout)
    }

    /// Takes the lock of compaction: one runs at a time, beside all that remove no files.
    ///
    /// # Errors
    /// As [`Lake::lock_rollups`].
    pub fn lock_compaction(&self, holder: &str, lock_timeout: LockTimeout) -> Result<Lock, LockError> {
        self.store.lock(COMPACTION_LOCK, holder, lock_timeout)
    }

    /// Takes the locks of maintenance that removes files: beside it only ingests and readers run.
    ///
    /// # Errors
    /// As [`Lake::lock_rollups`].
    pub fn lock_maintenance(&self, holder: &str, lock_timeout: LockTimeout) -> Result<[Lock; 2], LockError> {
        lock_maintenance(&self.store, holder, lock_timeout)
    }

    /// Returns the lake's files.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the `events` table.
    pub fn events(&self) -> &Table {
        &self.events
    }

    /// Returns the size of the slices into which this lake cuts long inputs.
    pub fn slice_bytes(&self) -> u64 {
        self.slice_bytes
    }

    fn of(store: Store, events: Table) -> Result<Lake, LakeError> {
        let slice_bytes = match events.newest_known()?.property(SLICE_BYTES) {
            Some(text) => {
                let bad = |_| LakeError::BadSetting { name: SLICE_BYTES, value: text.to_owned() };
                text.parse().map_err(bad)?
            }
            None => DEFAULT_SLICE_BYTES,
        };
        let (transactions, inputs) = (TransactionCache::default(), InputsCache::default());
        Ok(Lake { store, events, slice_bytes, transactions, inputs, rejects: OnceLock::new() })
    }
}
