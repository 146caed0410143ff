//! Reads and writes the records below `runs/`, each in the folder of its day.
//!
//! Records of older versions are in `runs/` itself, and stay where they are until they are archived.

use bytes::Bytes;

use crate::run_history::record::RunRecord;
use crate::run_history::run_id::moment_of;
use topsell_core::model::Date;
use topsell_core::parquet_format::ColumnsError;
use topsell_core::storage::{Store, StoreError};

pub(super) const FOLDER: &str = "runs";

/// The run history of a lake.
pub struct RunStore {
    pub(super) store: Store,
    /// Whether its records are of runs that this version began.
    is_of_new_runs: bool,
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
        RunStore { store: store.clone(), is_of_new_runs: false }
    }

    /// Opens it for the record of a run of this process: it is nowhere else than where this version has it.
    pub fn open_for_new_run(store: &Store) -> RunStore {
        RunStore { is_of_new_runs: true, ..RunStore::open(store) }
    }

    /// Writes the record of an active run; it survives the process, but not necessarily the host.
    ///
    /// # Errors
    /// Fails on an I/O error.
    pub fn save(&self, record: &RunRecord) -> Result<(), RunsError> {
        let path = self.place_for(&record.id)?;
        self.store.put_quickly(&path, bytes_of(record))?;
        self.store.restrict_to_root(&path);
        Ok(())
    }

    /// Creates the record of a due run; returns whether this process has the run, `false` if another has it.
    ///
    /// # Errors
    /// Fails on an I/O error.
    pub fn claim(&self, record: &RunRecord) -> Result<bool, RunsError> {
        // It may have been claimed and archived days ago, or by an older version.
        if self.store.is_there(&older_path_of(&record.id)) || self.read_archived(&record.id)?.is_some() {
            return Ok(false);
        }
        let path = self.place_for(&record.id)?;
        let is_new = self.store.put_new(&path, bytes_of(record))?;
        self.store.restrict_to_root(&path);
        Ok(is_new)
    }

    /// Writes the record of a finished run and syncs it to disk.
    ///
    /// # Errors
    /// Fails on an I/O error.
    pub fn finish(&self, record: &RunRecord) -> Result<(), RunsError> {
        let path = self.place_for(&record.id)?;
        self.store.put(&path, bytes_of(record))?;
        self.store.restrict_to_root(&path);
        Ok(())
    }

    /// Does the same for the record of another account's run: it may hold what the run printed, so that only
    /// the members of the account's group can read it.
    ///
    /// # Errors
    /// Fails on an I/O error.
    pub fn finish_private(&self, record: &RunRecord, group: u32) -> Result<(), RunsError> {
        let path = self.place_for(&record.id)?;
        Ok(self.store.put_for_group(&path, &bytes_of(record), Some(group))?)
    }

    /// Returns the folders of records that are not archived: that of each day, and the one of older versions, without a
    /// day.
    pub(super) fn folders(&self) -> Result<Vec<(Option<Date>, String)>, StoreError> {
        let mut folders = vec![(None, FOLDER.to_owned())];
        for name in self.store.names(FOLDER)? {
            let path = format!("{FOLDER}/{name}");
            if let Some(day) = Date::parse(&name).filter(|_| self.store.has_folder(&path)) {
                folders.push((Some(day), path));
            }
        }
        Ok(folders)
    }

    /// Returns the ids of the records that are not archived, in no order.
    ///
    /// # Errors
    /// Fails if the folder cannot be read.
    pub(super) fn ids(&self) -> Result<Vec<String>, StoreError> {
        let mut ids = Vec::new();
        for (day, folder) in self.folders()? {
            let names = self.store.names(&folder)?;
            let of_records = names.iter().filter_map(|name| name.strip_suffix(".json"));
            // In another day's folder it would not be found by its id.
            ids.extend(of_records.filter(|id| day.is_none() || day_of(id) == day).map(str::to_owned));
        }
        Ok(ids)
    }

    /// Returns the path of a record that is not archived: where it is, or where it would be.
    pub(super) fn place_of(&self, id: &str) -> String {
        let older = older_path_of(id);
        if !self.is_of_new_runs && self.store.is_there(&older) { older } else { path_of(id) }
    }

    /// Returns the path to write a record to, in a folder that is there.
    fn place_for(&self, id: &str) -> Result<String, StoreError> {
        let path = self.place_of(id);
        if let Some((folder, _)) = path.rsplit_once('/').filter(|(folder, _)| *folder != FOLDER) {
            self.store.make_folder_like_parent(folder)?;
        }
        Ok(path)
    }

    /// Returns whether there is a record with that id that is not archived.
    pub fn contains(&self, id: &str) -> bool {
        self.store.is_there(&self.place_of(id))
    }

    /// Returns the record with an id, if there is one.
    ///
    /// # Errors
    /// Fails on an I/O error or if the file is not a record.
    pub fn read(&self, id: &str) -> Result<Option<RunRecord>, RunsError> {
        match self.read_file(&self.place_of(id))? {
            None => self.read_archived(id),
            record => Ok(record),
        }
    }

    /// Returns the record in a file, if the file exists.
    pub(super) fn read_file(&self, path: &str) -> Result<Option<RunRecord>, RunsError> {
        Ok(self.read_sized(path)?.map(|(record, _)| record))
    }

    /// Returns the record in a file and the file's size, if the file exists.
    pub(super) fn read_sized(&self, path: &str) -> Result<Option<(RunRecord, usize)>, RunsError> {
        let bytes = match self.store.get(path) {
            Err(error) if error.is_not_found() => return Ok(None),
            bytes => bytes?,
        };
        let unreadable = |e: serde_json::Error| RunsError::Unreadable {
            file: self.store.location_of(path),
            reason: e.to_string(),
        };
        Ok(Some((serde_json::from_slice(&bytes).map_err(unreadable)?, bytes.len())))
    }
}

/// Returns the day at the beginning of a run id, if there is one.
pub(super) fn day_of(id: &str) -> Option<Date> {
    moment_of(id).map(|moment| moment.hour().date())
}

/// Returns the path of a record: in the folder of its day.
pub(super) fn path_of(id: &str) -> String {
    day_of(id).map_or_else(|| older_path_of(id), |day| format!("{FOLDER}/{day}/{id}.json"))
}

/// Returns the path at which older versions have a record.
fn older_path_of(id: &str) -> String {
    format!("{FOLDER}/{id}.json")
}

fn bytes_of(record: &RunRecord) -> Bytes {
    format!("{}\n", record.json()).into()
}
