//! Where plans, results and states are: files of users, or the lake, which tasks on all hosts share.
//!
//! ```text
//! scratch/rank-4f0c31a9d27be865/plan-0.json          the plan of the first round
//! scratch/rank-4f0c31a9d27be865/plan-0.json.7.part   the result of its part 7
//! scratch/rank-4f0c31a9d27be865/plan-0.json.7.totals its item totals
//! scratch/rank-4f0c31a9d27be865/plan-1.json          the plan of the next round
//! scratch/rank-4f0c31a9d27be865/plan-1.json.state    what the rounds before it found
//! ```
//!
//! Invariant: in the lake, a name says what the bytes are: that of the folder is the hash of the first plan, and all
//! others follow from the round and the part. Who computes something again writes the same bytes under the same name.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::distributed::error::DistributedError;
use crate::lake::SCRATCH;
use crate::storage::local_files::{read_any, write_atomically};
use crate::storage::{Store, checksum};

/// How many results in the lake are read at once.
const READ_AT_ONCE: usize = 64;

/// Where the files of a ranking are.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// On a disk of this machine, at paths that the user gives.
    Disk,
    /// In the lake, at paths below its root.
    Lake(&'a Store),
}

impl Place<'_> {
    pub fn read(self, path: &Path) -> Result<Bytes, DistributedError> {
        match self {
            Place::Disk => Ok(read_any(path).map_err(|source| failed(path, source))?.into()),
            Place::Lake(store) => Ok(store.get(&name_of(path))?),
        }
    }

    pub fn read_plan(self, path: &Path) -> Result<Bytes, DistributedError> {
        match self.read(path) {
            Err(DistributedError::Store(error)) if error.is_not_found() => {
                Err(DistributedError::NoPlan { file: name_of(path) })
            }
            read => read,
        }
    }

    /// Returns what is at a path; none where nothing is, or what is there cannot be read.
    pub fn find(self, path: &Path) -> Option<Bytes> {
        self.read(path).ok()
    }

    /// Reads many files, in their order, those of a bucket some at a time; of those that are not there, none is returned.
    pub fn read_all(
        self,
        paths: &[PathBuf],
    ) -> impl Iterator<Item = Result<(PathBuf, Bytes), DistributedError>> {
        paths.chunks(READ_AT_ONCE).flat_map(move |some| match self {
            Place::Lake(store) if store.is_bucket() => {
                match store.get_objects(some.iter().map(|path| name_of(path)).collect()) {
                    Ok(found) => found.into_iter().map(|(path, bytes)| Ok((path.into(), bytes))).collect(),
                    Err(error) => vec![Err(error.into())],
                }
            }
            Place::Lake(store) => some
                .iter()
                .filter_map(|path| match store.get(&name_of(path)) {
                    Err(error) if error.is_not_found() => None,
                    read => Some(read.map(|bytes| (path.clone(), bytes)).map_err(DistributedError::from)),
                })
                .collect(),
            Place::Disk => some.iter().map(|path| Ok((path.clone(), self.read(path)?))).collect(),
        })
    }

    pub fn write(self, path: &Path, bytes: Vec<u8>) -> Result<(), DistributedError> {
        match self {
            Place::Disk => write_atomically(path, &bytes).map_err(|source| failed(path, source)),
            Place::Lake(store) => Ok(store.put(&name_of(path), bytes.into())?),
        }
    }
}

/// Returns where the first plan of some work is in the lake, given its file name.
pub(super) fn first_plan(work: &str, name: &str, bytes: &[u8]) -> PathBuf {
    format!("{SCRATCH}/{work}-{:016x}/{name}", checksum(bytes)).into()
}

/// Removes the folder of a plan in the lake, as far as that is possible.
pub(super) fn remove_folder(store: &Store, plan: &Path) {
    let folder = plan.parent().map(name_of).filter(|folder| folder.starts_with(&format!("{SCRATCH}/")));
    if let Some(files) = folder.and_then(|folder| store.files(&folder).ok()) {
        // What is left is removed when it is old.
        let _ = store.remove(files.iter());
    }
}

/// Returns where the plan of a step is, beside that of another one.
pub(super) fn plan_beside(plan: &Path, step: u32) -> PathBuf {
    plan.with_file_name(plan_name(step))
}

/// Returns the name of the plan of a step of a ranking.
pub(super) fn plan_name(step: u32) -> String {
    format!("plan-{step}.json")
}

/// Returns where the state of the rounds before a plan is.
pub(super) fn state_of(plan: &Path) -> PathBuf {
    with_end(plan, "state")
}

/// Returns where the result of a part of a plan is in the lake.
pub(super) fn result_of(plan: &Path, part: usize) -> PathBuf {
    with_end(plan, &format!("{part}.part"))
}

/// Returns where the item totals of a part of a plan are in the lake.
pub(super) fn totals_of(plan: &Path, part: usize) -> PathBuf {
    with_end(plan, &format!("{part}.totals"))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}

/// Returns a path below the lake as the lake's store takes it.
pub(super) fn name_of(path: &Path) -> String {
    path.display().to_string()
}

fn failed(path: &Path, source: io::Error) -> DistributedError {
    DistributedError::Io { file: path.display().to_string(), source }
}
