//! The locks that keep others from writing to a lake, also to one that cannot be opened.

use crate::lake::layout::{COMPACTION_LOCK, MAINTENANCE_LOCK, WRITERS};
use crate::storage::{Lock, LockError, LockTimeout, SharedLock, Store};

/// Keeps batches from being written; released when dropped.
pub struct WritersLock {
    _writers: (SharedLock, SharedLock),
}

/// Keeps batches from being written, once those are committed that are being written; waits some seconds for them.
///
/// # Errors
/// [`LockError::Held`] where batches are being written all the time.
pub fn lock_writers(store: &Store) -> Result<WritersLock, LockError> {
    let writers = store.lock_exclusive(WRITERS)?;
    let _writers = writers.ok_or_else(|| LockError::Held { holder: "an ingest".to_owned() })?;
    Ok(WritersLock { _writers })
}

/// Takes the locks of maintenance that removes files: beside it only ingests and readers run. The lake may be one
/// that cannot be opened.
///
/// # Errors
/// [`LockError::Held`] where another process holds one of them and the caller does not wait.
pub fn lock_maintenance(
    store: &Store,
    holder: &str,
    lock_timeout: LockTimeout,
) -> Result<[Lock; 2], LockError> {
    // First that of the compaction, which may take longer: a ranking need not wait for it.
    let compaction = store.lock(COMPACTION_LOCK, holder, lock_timeout)?;
    Ok([compaction, store.lock(MAINTENANCE_LOCK, holder, lock_timeout)?])
}
