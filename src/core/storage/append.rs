//! Files of lines that several processes append to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::storage::bucket::Bucket;
use crate::storage::error::StoreError;
use crate::storage::store::{Root, Store};

impl Store {
    /// Appends bytes to a file in one write, and creates it where it is missing; an object of a bucket is replaced by a
    /// longer one. They survive this
    /// process; in a power failure they may be lost, all or a part of them, until a
    /// [`BulkWriter`](crate::storage::BulkWriter) of the store is finished.
    ///
    /// # Errors
    /// Names the file.
    pub fn append(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let root = match &self.root {
            Root::Folder(root) => root,
            Root::Bucket(bucket) => return append_to_object(bucket, path, bytes),
        };
        let file = self.appended(&root.join(path), path, bytes)?;
        if cfg!(not(target_os = "linux")) {
            file.sync_all().map_err(|e| StoreError::io(self.location_of(path), e))?;
        }
        Ok(())
    }

    /// Does the same, and the bytes survive a power failure once it returns.
    ///
    /// # Errors
    /// Names the file.
    pub fn append_durably(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let root = match &self.root {
            Root::Folder(root) => root,
            Root::Bucket(bucket) => return append_to_object(bucket, path, bytes),
        };
        let at = root.join(path);
        let file = self.appended(&at, path, bytes)?;
        let folder = at.parent().unwrap_or(&at);
        let synced = file.sync_all().and_then(|()| File::open(folder)?.sync_all());
        synced.map_err(|e| StoreError::io(self.location_of(path), e))
    }

    fn appended(&self, at: &Path, path: &str, bytes: &[u8]) -> Result<File, StoreError> {
        let failed = |e| StoreError::io(self.location_of(path), e);
        let open = || open_to_append(at);
        let mut file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                at.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
                open().map_err(failed)?
            }
            file => file.map_err(failed)?,
        };
        file.write_all(bytes).map_err(failed)?;
        self.io_counters.wrote(bytes.len());
        Ok(file)
    }
}

fn append_to_object(bucket: &Bucket, path: &str, more: &[u8]) -> Result<(), StoreError> {
    let longer = |before: Option<&[u8]>| Some([before.unwrap_or_default(), more].concat());
    bucket.update(path, &longer).map(drop)
}

/// Opens a file to append to, not the target of a link that somebody put in its place, nor a named pipe.
fn open_to_append(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let is_file = file.metadata()?.is_file();
    if is_file { Ok(file) } else { Err(io::Error::other("is not a regular file")) }
}
