//! The lock that keeps batches from being written.

use crate::lake::layout::{MAINTENANCE_LOCK, WRITERS};
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

/// Takes the lock of rollup, rank and maintenance of a lake that cannot be opened.
///
/// # Errors
/// [`LockError::Held`] where another process holds it and the caller does not wait.
pub fn lock_maintenance(store: &Store, holder: &str, lock_timeout: LockTimeout) -> Result<Lock, LockError> {
    store.lock(MAINTENANCE_LOCK, holder, lock_timeout)
}
