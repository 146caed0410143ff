//! The records below `runs/`: begun, claimed, ended, read.

use crate::runs::record::RunRecord;
use crate::store::{Store, StoreError};

const FOLDER: &str = "runs";

/// The records of a lake.
pub struct Book {
    store: Store,
}

/// A record could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{file}: no record of a run: {reason}")]
    Unreadable { file: String, reason: String },
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
        Ok(self.store.put_quickly(&path_of(&record.id), json(record).into())?)
    }

    /// Writes the record of a due run that begins, unless someone has it already; tells whether it is ours.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn claim(&self, record: &RunRecord) -> Result<bool, RunsError> {
        Ok(self.store.put_new(&path_of(&record.id), json(record).into())?)
    }

    /// Writes the record of a run that has ended, and syncs it.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn finish(&self, record: &RunRecord) -> Result<(), RunsError> {
        Ok(self.store.put(&path_of(&record.id), json(record).into())?)
    }

    /// Returns the names of the records that lie by themselves, in no order.
    ///
    /// # Errors
    /// Fails where the folder cannot be read.
    pub(super) fn ids(&self) -> Result<Vec<String>, RunsError> {
        let names = self.store.names(FOLDER)?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".json")).map(str::to_owned).collect())
    }

    /// Returns a record, none where there is none of that name.
    ///
    /// # Errors
    /// Fails where the disk does, or the file is no record.
    pub fn read(&self, id: &str) -> Result<Option<RunRecord>, RunsError> {
        let path = path_of(id);
        let bytes = match self.store.get(&path) {
            Err(error) if error.is_not_found() => return Ok(None),
            bytes => bytes?,
        };
        let unreadable = |e: serde_json::Error| RunsError::Unreadable {
            file: self.store.root().join(&path).display().to_string(),
            reason: e.to_string(),
        };
        Ok(Some(serde_json::from_slice(&bytes).map_err(unreadable)?))
    }
}

fn path_of(id: &str) -> String {
    format!("{FOLDER}/{id}.json")
}

fn json(record: &RunRecord) -> Vec<u8> {
    // Texts and numbers alone cannot fail to be JSON.
    let mut json = serde_json::to_vec_pretty(record).expect("a record is plain texts and numbers");
    json.push(b'\n');
    json
}
