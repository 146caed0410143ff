//! Many files that become durable together.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use object_store::DynObjectStore;

use crate::storage::error::StoreError;
use crate::storage::store::Store;

/// Many files that become durable together, for a tenth of what syncing each would cost.
pub struct BulkWriter<'a> {
    store: &'a Store,
    folder: File,
}

impl Store {
    /// Begins to write many files below a folder that become durable together.
    ///
    /// # Errors
    /// Fails where the folder cannot be opened.
    pub fn bulk_writer(&self, folder: &str) -> Result<BulkWriter<'_>, StoreError> {
        // Opened before the first write, so that `syncfs` reports each failed write since then, and of
        // the file system that the folder is on.
        let opened =
            File::open(self.root.join(folder)).map_err(|e| StoreError::io(self.location_of(folder), e))?;
        Ok(BulkWriter { store: self, folder: opened })
    }
}

impl BulkWriter<'_> {
    /// Writes one file; it may be lost in a power failure until [`BulkWriter::finish`] returns.
    ///
    /// # Errors
    /// Names the file.
    pub fn put(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.store.put_through(self.disk(), path, bytes)
    }

    /// Makes all files written so far durable.
    ///
    /// # Errors
    /// Fails where the disk does; the files must then not be referenced.
    pub fn finish(self) -> Result<(), StoreError> {
        sync_file_system(&self.folder).map_err(|e| StoreError::io(self.store.location(), e))
    }

    pub(super) fn store(&self) -> &Store {
        self.store
    }

    pub(super) fn disk(&self) -> &Arc<DynObjectStore> {
        if cfg!(target_os = "linux") { &self.store.quick } else { &self.store.durable }
    }
}

#[cfg(target_os = "linux")]
fn sync_file_system(folder: &File) -> std::io::Result<()> {
    Ok(nix::unistd::syncfs(folder)?)
}

/// Elsewhere every file is synced when it is written.
#[cfg(not(target_os = "linux"))]
fn sync_file_system(_folder: &File) -> std::io::Result<()> {
    Ok(())
}
