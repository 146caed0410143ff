//! Reads and writes the records below `runs/`.

use bytes::Bytes;

use crate::run_history::record::RunRecord;
use topsell_core::parquet_format::ColumnsError;
use topsell_core::storage::{Store, StoreError};

pub(super) const FOLDER: &str = "runs";

/// The run history of a lake.
pub struct RunStore {
    pub(super) store: Store,
}

/// Why a record could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{file}: invalid run record: {reason}")]
    Unreadable { file: String, reason: String },
    #[error("{file} {source}")]
    Columns { file: String, source: ColumnsError },
}

impl RunStore {
    /// Opens the run history of a lake; nothing is created before the first record is written.
    pub fn open(store: &Store) -> RunStore {
        RunStore { store: store.clone() }
    }

    /// Writes the record of an active run; it survives the process, but not necessarily the host.
    ///
    /// # Errors
    /// Fails on an I/O error.
    pub fn save(&self, record: &RunRecord) -> Result<(), RunsError> {
        self.store.put_quickly(&path_of(&record.id), bytes_of(record))?;
        self.store.restrict_to_root(&path_of(&record.id));
        Ok(())
    }

    /// Creates the record of a due run; returns whether this process has the run, `false` if another has it.
    ///
    /// # Errors
    /// Fails on an I/O error.
    pub fn claim(&self, record: &RunRecord) -> Result<bool, RunsError> {
        // It may have been claimed and archived days ago.
        if self.read_archived(&record.id)?.is_some() {
            return Ok(false);
        }
        let is_new = self.store.put_new(&path_of(&record.id), bytes_of(record))?;
        self.store.restrict_to_root(&path_of(&record.id));
        Ok(is_new)
    }

    /// Writes the record of a finished run and syncs it to disk.
    ///
    /// # Errors
    /// Fails on an I/O error.
    pub fn finish(&self, record: &RunRecord) -> Result<(), RunsError> {
        self.store.put(&path_of(&record.id), bytes_of(record))?;
        self.store.restrict_to_root(&path_of(&record.id));
        Ok(())
    }

    /// Does the same for the record of another account's run: it may hold what the run printed, so that only
    /// the members of the account's group can read it.
    ///
    /// # Errors
    /// Fails on an I/O error.
    pub fn finish_private(&self, record: &RunRecord, group: u32) -> Result<(), RunsError> {
        Ok(self.store.put_for_group(&path_of(&record.id), &bytes_of(record), Some(group))?)
    }

    /// Returns the ids of the records that are not archived, in no order.
    ///
    /// # Errors
    /// Fails if the folder cannot be read.
    pub(super) fn ids(&self) -> Result<Vec<String>, StoreError> {
        let names = self.store.names(FOLDER)?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".json")).map(str::to_owned).collect())
    }

    /// Returns whether there is a record with that id that is not archived.
    pub fn contains(&self, id: &str) -> bool {
        self.store.is_there(&path_of(id))
    }

    /// Returns the record with an id, if there is one.
    ///
    /// # Errors
    /// Fails on an I/O error or if the file is not a record.
    pub fn read(&self, id: &str) -> Result<Option<RunRecord>, RunsError> {
        match self.read_file(&path_of(id))? {
            None => self.read_archived(id),
            record => Ok(record),
        }
    }

    /// Returns the record in a file, if the file exists.
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
