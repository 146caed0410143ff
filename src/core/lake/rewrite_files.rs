//! All files of a table replaced by others with the same rows, in an upgrade of the lake.
//!
//! Invariant: the table is changed by one commit.

use bytes::Bytes;
use rayon::prelude::*;
use serde_json::Value;

use crate::delta::{LiveFile, NamedFile, Outcome, Partition, Replacement, TableError, Version};
use crate::lake::error::LakeError;
use crate::parquet_format::{ColumnsError, Encoded};
use crate::storage::{Store, unique_id};

/// The folder of a file's replacement, and its partition values.
pub(super) struct NewPlace {
    pub folder: String,
    pub partition: Partition,
    /// Columns that are new, and have one value in all rows.
    pub constants: Vec<(&'static str, Value)>,
}

/// Replaces all files of a table's version: `rewritten` gives the new bytes, `place_of` says where they go, and `commit`
/// commits the replacements.
///
/// # Errors
/// Names a file that is damaged; fails where the disk does, or another process commits at the same time.
pub(super) fn replace_files(
    store: &Store,
    name: &str,
    version: &Version<'_>,
    place_of: &(dyn Fn(&LiveFile) -> Result<NewPlace, LakeError> + Sync),
    rewritten: &(dyn Fn(&Bytes, &NamedFile) -> Result<Encoded, ColumnsError> + Sync),
    commit: &dyn Fn(&[Replacement]) -> Result<Outcome, TableError>,
) -> Result<(), LakeError> {
    let bulk = store.bulk_writer(name)?;
    let replace = |of: LiveFile| {
        let file = format!("{name}/{}", of.path);
        let NewPlace { folder, partition, constants } = place_of(&of)?;
        let encoded = rewritten(&store.get_checked(&file)?, &of)
            .map_err(|source| LakeError::Columns { file: file.clone(), source })?;
        if encoded.rows != of.rows {
            return Err(LakeError::LostRows { file });
        }
        let path = format!("{folder}/{}", encoded.name(&unique_id()));
        bulk.put(&format!("{name}/{path}"), encoded.bytes.clone())?;
        Ok(Replacement { of, path, size_bytes: encoded.bytes.len() as u64, partition, constants })
    };
    let files: Result<Vec<Replacement>, LakeError> = version.files()?.into_par_iter().map(replace).collect();
    let files = files?;
    let written = bulk.finish()?;
    let outcome = commit(&files);
    if version.may_name_files(&outcome) {
        written.keep();
    }
    match outcome? {
        Outcome::Committed(_) => Ok(()),
        Outcome::Conflict => Err(TableError::Contended { table: name.to_owned(), tries: 1 }.into()),
    }
}
