//! A log that is an object of a bucket.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::input_format::without_rotation;
use crate::lake::InputKey;
use crate::storage::local_files::{self, File};
use crate::storage::{LogFile, Store, StoreError};

/// A log in a bucket.
#[derive(Clone)]
pub(super) struct LogObject {
    pub store: Store,
    pub file: LogFile,
    pub url: PathBuf,
}

impl LogObject {
    /// Returns the keys by which the log is found again: of its name, and of this version of it.
    pub fn keys(&self) -> Vec<InputKey> {
        vec![InputKey::of_name(&without_rotation(&self.url)), self.version_key()]
    }

    /// Returns the key of this version of the log.
    pub fn version_key(&self) -> InputKey {
        InputKey::of_version(&self.url, &self.file.version)
    }

    /// Downloads the log into an unnamed temporary file.
    pub fn open(&self) -> io::Result<File> {
        let failed = |error: StoreError| match error.is_not_found() {
            true => io::Error::new(io::ErrorKind::NotFound, error),
            false => io::Error::other(error),
        };
        let reader = self.store.log_reader(&self.file).map_err(failed)?;
        local_files::copy_to_temporary(reader, Some(self.store.temporary_folder()))
    }
}

impl fmt::Debug for LogObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogObject({})", self.url.display())
    }
}
