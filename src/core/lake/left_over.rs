//! Files that runs which were killed have left unfinished beside the tables.

use crate::delta::VacuumRule;
use crate::lake::error::LakeError;
use crate::lake::layout::{INPUTS, REJECTS, STAGED};
use crate::lake::manifest::is_manifest;
use crate::lake::open::Lake;
use crate::storage::{StoredFile, is_unfinished};

/// The folders that nobody else looks after: those of rankings and tables are looked after where these are pruned.
const FOLDERS: [&str; 4] = [REJECTS, INPUTS, "runs", STAGED];

impl Lake {
    /// Returns files that were never finished and are older than what is kept; nobody may be writing batches.
    ///
    /// # Errors
    /// Fails where a folder cannot be listed.
    pub(super) fn left_over(&self, rule: &VacuumRule) -> Result<Vec<StoredFile>, LakeError> {
        let rule = rule.of_store(&self.store);
        let commits = self.commit_times()?;
        let ages = rule.ages(commits.iter().map(|time| time.micros() / 1_000));
        let mut left = Vec::new();
        for folder in FOLDERS {
            let files = self.store.files(folder)?.into_iter();
            left.extend(
                files.filter(|file| is_left_over(&file.path) && ages.of(file.modified_ms) > rule.keep_ms),
            );
        }
        left.sort_unstable();
        Ok(left)
    }
}

/// Returns whether a file has a temporary name: of one that is being written, of rejects that were to replace others,
/// or of a manifest.
fn is_left_over(path: &str) -> bool {
    let is_replacement = path.starts_with(REJECTS) && !path.ends_with(".ndjson");
    is_unfinished(path) || is_replacement || is_manifest(path)
}
