//! Many files that become durable together.
//!
//! Invariant: files that nobody has kept are removed, so that a run that fails leaves nothing behind.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use object_store::DynObjectStore;

use crate::storage::error::StoreError;
use crate::storage::store::{Root, Store};
use crate::storage::uploads::Uploads;

/// Many files that become durable together, for a tenth of what syncing each would cost.
pub struct BulkWriter<'a> {
    store: &'a Store,
    flush: Flush,
    /// Removed when this is dropped, after what is under way.
    written: Mutex<WrittenFiles>,
}

/// How files become durable.
enum Flush {
    /// By the file system that this folder is on.
    FileSystem(File),
    /// When they have arrived in the bucket.
    Uploads(Uploads),
}

/// Files that are durable; dropping this removes them, unless they were kept.
#[must_use = "the files are removed"]
pub struct WrittenFiles {
    store: Store,
    paths: Vec<String>,
}

impl WrittenFiles {
    /// Keeps the files: something names them, or may do so.
    pub fn keep(mut self) {
        self.paths.clear();
    }

    /// Keeps those of the files that something names.
    pub fn keep_those(mut self, is_named: &dyn Fn(&str) -> bool) {
        self.paths.retain(|path| !is_named(path));
    }
}

impl Drop for WrittenFiles {
    fn drop(&mut self) {
        // What cannot be removed is for a vacuum; the failure before it is what counts.
        let _ = self.store.delete_all(self.paths.iter().map(String::as_str));
    }
}

impl Store {
    /// Begins to write many files below a folder that become durable together.
    ///
    /// # Errors
    /// Fails where the folder cannot be opened.
    pub fn bulk_writer(&self, folder: &str) -> Result<BulkWriter<'_>, StoreError> {
        // Opened before the first write, so that `syncfs` reports each failed write since then, and of
        // the file system that the folder is on.
        let flush = match &self.root {
            Root::Folder(root) => {
                let opened = File::open(root.join(folder));
                Flush::FileSystem(opened.map_err(|e| StoreError::io(self.location_of(folder), e))?)
            }
            Root::Bucket(bucket) => Flush::Uploads(Uploads::of(bucket)),
        };
        let written = Mutex::new(WrittenFiles { store: self.clone(), paths: Vec::new() });
        Ok(BulkWriter { store: self, flush, written })
    }
}

impl BulkWriter<'_> {
    /// Writes one file; it may be lost in a power failure until [`BulkWriter::finish`] returns. In a bucket it may not
    /// be there before that.
    ///
    /// # Errors
    /// Names the file.
    pub fn put(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        // Also where it fails: it may be there nevertheless.
        self.written.lock().unwrap_or_else(PoisonError::into_inner).paths.push(path.to_owned());
        match &self.flush {
            Flush::FileSystem(_) => self.store.put_through(self.disk(), path, bytes),
            Flush::Uploads(uploads) => {
                self.store.io_counters.wrote(bytes.len());
                uploads.begin(path, bytes)
            }
        }
    }

    /// Makes all files written so far durable.
    ///
    /// # Errors
    /// Fails where the disk does; the files are then removed, and must not be referenced.
    pub fn finish(self) -> Result<WrittenFiles, StoreError> {
        match &self.flush {
            Flush::FileSystem(folder) => {
                sync_file_system(folder).map_err(|e| StoreError::io(self.store.location(), e))?;
            }
            Flush::Uploads(uploads) => uploads.finish()?,
        }
        Ok(self.written.into_inner().unwrap_or_else(PoisonError::into_inner))
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
