//! Room on the disk that is kept for later: a file without meaning.

use std::fs::OpenOptions;
use std::io;

use rustix::fs::FallocateFlags;

use crate::storage::error::StoreError;
use crate::storage::store::{Root, Store};

impl Store {
    /// Makes a file of so many bytes that take room on the disk, whatever else is written later.
    ///
    /// # Errors
    /// Names the file, which is then not there. A bucket needs none.
    pub fn put_reserve(&self, path: &str, bytes: u64) -> Result<(), StoreError> {
        let root = match &self.root {
            Root::Folder(root) => root,
            Root::Bucket(bucket) => return Err(bucket.unsupported(path, "a bucket has no room to reserve")),
        };
        let at = root.join(path);
        let allocated = || -> io::Result<()> {
            let file = OpenOptions::new().write(true).create_new(true).open(&at)?;
            Ok(rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)?)
        };
        allocated().map_err(|error| {
            // One that takes no room would be no reserve.
            if error.kind() != io::ErrorKind::AlreadyExists {
                let _ = std::fs::remove_file(&at);
            }
            StoreError::io(self.location_of(path), error)
        })
    }

    /// Returns how many bytes a file has; none where it is not there.
    pub fn size_of(&self, path: &str) -> Option<u64> {
        let root = match &self.root {
            Root::Folder(root) => root,
            Root::Bucket(bucket) => return bucket.head(path).ok()?.map(|meta| meta.size),
        };
        let meta = root.join(path).symlink_metadata().ok()?;
        meta.is_file().then_some(meta.len())
    }
}
