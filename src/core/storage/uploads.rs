//! Uploads to a bucket that are under way together, bounded in number and in bytes.
//!
//! Invariant: whoever has finished without an error has all of them in the bucket, and when this is dropped none is
//! under way any more.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use object_store::ObjectStoreExt;

use crate::storage::bucket::Bucket;
use crate::storage::error::StoreError;

/// The number of uploads that are under way at most.
const MAX_UPLOADS: usize = 64;
/// Their bytes at most; one that is larger goes alone.
const MAX_BYTES: usize = 64 << 20;

/// Uploads that are under way.
pub(super) struct Uploads {
    bucket: Arc<Bucket>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    uploads: usize,
    bytes: usize,
    /// The location of the first that failed, and why. Nothing that is written together with it may be named.
    failed: Option<(String, Arc<object_store::Error>)>,
}

impl State {
    fn outcome(&self) -> Result<(), StoreError> {
        let failed = self.failed.as_ref();
        failed.map_or(Ok(()), |(location, error)| Err(StoreError::shared(location, Arc::clone(error))))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, is_busy: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        self.changed.wait_while(self.state(), |state| is_busy(state)).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Uploads {
    pub fn of(bucket: &Arc<Bucket>) -> Uploads {
        Uploads { bucket: Arc::clone(bucket), shared: Arc::default() }
    }

    /// Begins an upload, once there is room for it.
    ///
    /// # Errors
    /// Names the file of an upload that has failed.
    pub fn begin(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        let (key, length) = (self.bucket.key(path)?, bytes.len());
        let is_full = |state: &State| {
            state.uploads > 0 && (state.uploads >= MAX_UPLOADS || state.bytes + length > MAX_BYTES)
        };
        {
            let mut state = self.shared.wait_while(is_full);
            state.outcome()?;
            state.uploads += 1;
            state.bytes += length;
        }
        let (disk, shared) = (Arc::clone(&self.bucket.disk), Arc::clone(&self.shared));
        let location = self.bucket.location_of(path);
        self.bucket.handle().spawn(async move {
            let put = disk.put(&key, bytes.into()).await;
            let mut state = shared.state();
            state.uploads -= 1;
            state.bytes -= length;
            if let Err(error) = put {
                state.failed.get_or_insert((location, Arc::new(error)));
            }
            drop(state);
            shared.changed.notify_all();
        });
        Ok(())
    }

    /// Waits for all of them.
    ///
    /// # Errors
    /// Names the file of an upload that has failed.
    pub fn finish(&self) -> Result<(), StoreError> {
        self.shared.wait_while(|state| state.uploads > 0).outcome()
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}
