//! Files of lines that several processes append to.

use std::fs::OpenOptions;
use std::io::Write as _;

use crate::storage::error::StoreError;
use crate::storage::store::Store;

impl Store {
    /// Appends bytes to a file in one write, and creates it where it is missing. They survive this
    /// process; in a power failure they may be lost, all or a part of them, until a
    /// [`BulkWriter`](crate::storage::BulkWriter) of the store is finished.
    ///
    /// # Errors
    /// Names the file.
    pub fn append(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let at = self.root.join(path);
        let failed = |e| StoreError::io(self.location_of(path), e);
        let open = || OpenOptions::new().append(true).create(true).open(&at);
        let mut file = match open() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                at.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
                open().map_err(failed)?
            }
            file => file.map_err(failed)?,
        };
        file.write_all(bytes).map_err(failed)?;
        if cfg!(not(target_os = "linux")) {
            file.sync_all().map_err(failed)?;
        }
        self.io_counters.wrote(bytes.len());
        Ok(())
    }
}
