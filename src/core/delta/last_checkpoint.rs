//! The last checkpoint of a table's log: which one it is, its bytes, and what is read of it first.
//!
//! Invariant: a checkpoint that has another checksum than its own is not interpreted.

use bytes::Bytes;
use serde::Deserialize;

use crate::delta::checkpoint_rows::PARSED_DATE;
use crate::delta::log_checksums::{CHECKSUMS, check, checkpoint_name, version_of_checksum};
use crate::delta::log_reader::LogReader;
use crate::delta::table_state::TableState;
use crate::parquet_format::{RowGroup, decode_nested};
use crate::storage::{StoreError, StoredFile, checksum};

/// Columns of the actions that every checkpoint has once.
const METADATA_COLUMNS: [&str; 2] = ["metaData.id", "protocol.minReaderVersion"];

/// The file `_last_checkpoint`.
#[derive(Deserialize)]
pub(super) struct Hint {
    pub version: u64,
    pub parts: Option<u64>,
    /// How many files the table has at that version, where that is told.
    #[serde(rename = "numOfAddFiles")]
    pub files: Option<u64>,
}

impl LogReader<'_> {
    /// Returns a checkpoint's bytes; none where it is in several parts, or no longer there.
    pub(super) fn checkpoint_of(&self, hint: &Hint) -> Result<Option<Bytes>, StoreError> {
        if hint.parts.is_some() {
            return Ok(None);
        }
        let bytes = match self.store().get(&self.checkpoint(hint.version)) {
            Err(error) if error.is_not_found() => return Ok(None),
            bytes => bytes?,
        };
        self.check_checkpoint(hint.version, &bytes)?;
        Ok(Some(bytes))
    }

    /// Returns whether a row group of a checkpoint may have anything that is read here.
    pub(super) fn wants_group(&self, group: &RowGroup<'_>) -> bool {
        let may_be_of_days = || match (self.days(), group.dates(PARSED_DATE)) {
            (Some(days), Some((first, last))) => first <= *days.end() && *days.start() <= last,
            _ => true,
        };
        let has_others = METADATA_COLUMNS.iter().chain(&["txn.appId"]).any(|column| group.may_have(column));
        has_others || group.may_have("add.path") && may_be_of_days()
    }

    pub(super) fn hint(&self) -> Result<Option<Hint>, StoreError> {
        let path = format!("{}/_delta_log/_last_checkpoint", self.name());
        match self.store().get(&path) {
            Ok(bytes) => {
                check(&path, &bytes).map_err(|_| self.store().damaged(&path))?;
                Ok(serde_json::from_slice(&bytes).ok())
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the table's id as the last checkpoint tells it; none where it has an unexpected form.
    pub(super) fn table_id_of_checkpoint(&self) -> Result<Option<String>, StoreError> {
        let Some(hint) = self.hint()? else { return Ok(None) };
        let Some(bytes) = self.checkpoint_of(&hint)? else { return Ok(None) };
        let mut state = TableState::default();
        let wants_group = |group: &RowGroup<'_>| METADATA_COLUMNS.iter().any(|column| group.may_have(column));
        let Ok(batches) = decode_nested(bytes, &["metaData.id", "protocol"], &wants_group) else {
            return Ok(None);
        };
        let read: Option<()> = batches.into_iter().try_for_each(|batch| state.apply_metadata(&batch.ok()?));
        Ok(read.map(|()| state.table_id).filter(|id| !id.is_empty()))
    }

    /// Returns whether a checkpoint has a checksum; fails where it has another than its own.
    pub(super) fn check_checkpoint(&self, version: u64, bytes: &[u8]) -> Result<bool, StoreError> {
        let folder = format!("{}/{CHECKSUMS}", self.name());
        if self.store().is_there(&format!("{folder}/{}", checkpoint_name(version, checksum(bytes)))) {
            return Ok(true);
        }
        let has_another =
            |file: &StoredFile| file.path.rsplit('/').next().and_then(version_of_checksum) == Some(version);
        match self.store().files(&folder)?.iter().any(has_another) {
            true => Err(self.store().damaged(&self.checkpoint(version))),
            false => Ok(false),
        }
    }
}
