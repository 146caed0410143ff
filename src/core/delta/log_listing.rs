//! The commits of a table's log in a listing, which costs one request where looking for each costs many.

use crate::delta::log_checksums::LogFile;
use crate::delta::log_reader::LogReader;
use crate::storage::{StoreError, StoredFile};

impl LogReader<'_> {
    /// Returns the last of the commits after a version, or the version itself, where the store lists them with one
    /// request; these commits are read ahead. None where the store looks for each of them.
    pub(super) fn last_listed(&self, version: u64) -> Result<Option<u64>, StoreError> {
        let Some(objects) = self.store().objects_after(&self.folder(), &format!("{version:020}.json"))?
        else {
            return Ok(None);
        };
        let commit_of = |file: &StoredFile| match LogFile::of(file.path.rsplit('/').next()?)? {
            LogFile::Commit(version) => Some(version),
            LogFile::Checkpoint(_) | LogFile::LastCheckpoint => None,
        };
        let commits = || objects.iter().filter_map(|file| Some((commit_of(file)?, file)));
        self.store().read_ahead(commits().map(|(_, file)| (file.path.clone(), file.size_bytes)));
        Ok(Some(commits().map(|(commit, _)| commit).max().unwrap_or(version)))
    }
}
