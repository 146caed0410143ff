//! The commits of a table's log in a listing, which costs one request where looking for each costs many, and what they
//! have added.

use std::collections::HashSet;

use crate::delta::log_actions::Action;
use crate::delta::log_checksums::LogFile;
use crate::delta::log_reader::LogReader;
use crate::storage::{StoreError, StoredFile, url_decoded};

impl LogReader<'_> {
    /// Returns the paths of all files that the commits after one version, up to another, have added, as far as these
    /// commits are still there.
    ///
    /// # Errors
    /// Fails where the disk does, or a commit is damaged.
    pub fn added_since(&self, after: u64, until: u64) -> Result<HashSet<String>, StoreError> {
        let mut added = HashSet::new();
        for version in after + 1..=until {
            let Some(commit) = self.commit(version)? else { continue };
            let actions =
                commit.text.lines().filter_map(|line| serde_json::from_str::<Action<'_>>(line).ok());
            added.extend(actions.filter_map(|action| action.add).map(|add| url_decoded(&add.path)));
        }
        Ok(added)
    }

    /// Returns the last of the commits after a version, or the version itself, where the store lists them with one
    /// request; these commits are read ahead. None where the store looks for each of them.
    pub(super) fn last_listed(&self, version: u64) -> Result<Option<u64>, StoreError> {
        let Some(commits) = self.commits_after(version)? else { return Ok(None) };
        self.store().read_ahead(commits.iter().map(|(_, file)| (file.path.clone(), file.size_bytes)));
        Ok(Some(commits.iter().map(|(commit, _)| *commit).max().unwrap_or(version)))
    }

    /// Returns the commits after a version, where the store lists them with one request.
    pub(super) fn commits_after(&self, version: u64) -> Result<Option<Vec<(u64, StoredFile)>>, StoreError> {
        let listed = self.store().objects_after(&self.folder(), &format!("{version:020}.json"))?;
        let commit_of = |file: &StoredFile| match LogFile::of(file.path.rsplit('/').next()?)? {
            LogFile::Commit(version) => Some(version),
            LogFile::Checkpoint(_) | LogFile::LastCheckpoint => None,
        };
        Ok(listed.map(|files| files.into_iter().filter_map(|file| Some((commit_of(&file)?, file))).collect()))
    }
}
