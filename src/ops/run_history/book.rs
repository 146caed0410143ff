//! The records below `runs/`: begun, claimed, ended, found by their names.

use bytes::Bytes;

use crate::run_history::record::RunRecord;
use topsell_core::parquet_format::ColumnsError;
use topsell_core::storage::{Store, StoreError};

pub(super) const FOLDER: &str = "runs";

/// The records of a lake.
pub struct Book {
    pub(super) store: Store,
}

/// A record could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{file}: no record of a run: {reason}")]
    Unreadable { file: String, reason: String },
    #[error("{file} {source}")]
    Columns { file: String, source: ColumnsError },
}

impl Book {
    /// Opens the records of the lake in a store; nothing is made before the first is written.
    pub fn open(store: &Store) -> Book {
        Book { store: store.clone() }
    }

    /// Writes a record that has begun, or goes on; it may be lost with the machine, not with the process.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn note(&self, record: &RunRecord) -> Result<(), RunsError> {
        Ok(self.store.put_quickly(&path_of(&record.id), bytes_of(record))?)
    }

    /// Writes the record of a due run that begins, unless someone has it already; tells whether it is ours.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn claim(&self, record: &RunRecord) -> Result<bool, RunsError> {
        // Whoever had it may have had it days ago.
        if self.archived(&record.id)?.is_some() {
            return Ok(false);
        }
        Ok(self.store.put_new(&path_of(&record.id), bytes_of(record))?)
    }

    /// Writes the record of a run that has ended, and syncs it.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn finish(&self, record: &RunRecord) -> Result<(), RunsError> {
        Ok(self.store.put(&path_of(&record.id), bytes_of(record))?)
    }

    /// Returns the names of the records that lie by themselves, in no order.
    ///
    /// # Errors
    /// Fails where the folder cannot be read.
    pub(super) fn ids(&self) -> Result<Vec<String>, StoreError> {
        let names = self.store.names(FOLDER)?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".json")).map(str::to_owned).collect())
    }

    /// Tells whether there is a record of that name.
    pub fn has(&self, id: &str) -> bool {
        self.store.is_there(&path_of(id))
    }

    /// Returns a record, none where there is none of that name.
    ///
    /// # Errors
    /// Fails where the disk does, or the file is no record.
    pub fn read(&self, id: &str) -> Result<Option<RunRecord>, RunsError> {
        match self.read_file(&path_of(id))? {
            None => self.archived(id),
            record => Ok(record),
        }
    }

    /// Returns the record in a file of its own, none where it is not there.
    pub(super) fn read_file(&self, path: &str) -> Result<Option<RunRecord>, RunsError> {
        let bytes = match self.store.get(path) {
            Err(error) if error.is_not_found() => return Ok(None),
            bytes => bytes?,
        };
        let unreadable = |e: serde_json::Error| RunsError::Unreadable {
            file: self.store.location_of(path),
            reason: e.to_string(),
        };
        Ok(Some(serde_json::from_slice(&bytes).map_err(unreadable)?))
    }
}

pub(super) fn path_of(id: &str) -> String {
    format!("{FOLDER}/{id}.json")
}

fn bytes_of(record: &RunRecord) -> Bytes {
    format!("{}\n", record.json()).into()
}
