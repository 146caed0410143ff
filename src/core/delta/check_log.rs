//! Checks every file of a table's log that is still there.

use std::collections::{BTreeMap, BTreeSet};

use crate::delta::log_checksums::{LogFile, OTHER_PREVIOUS, check};
use crate::delta::log_reader::LogReader;
use crate::storage::{StoreError, checksum};

/// What a check of a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogCheck {
    /// Commits, checkpoints and the file that names the last one.
    pub files: u64,
    /// Those without a checksum: of older versions, or of other programs.
    pub without_checksum: u64,
    /// The versions of the commits and checkpoints that are there, intact or not.
    pub commits: BTreeSet<u64>,
    pub checkpoints: BTreeSet<u64>,
    pub problems: Vec<LogProblem>,
}

/// A file of a log that is damaged or missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProblem {
    pub file: LogFile,
    /// Names the file, and says what is wrong with it.
    pub text: String,
    /// Whether the disk or its permissions keep it from being read: it may be intact.
    pub is_out_of_reach: bool,
}

impl LogProblem {
    fn damaged(file: LogFile, text: String) -> LogProblem {
        LogProblem { file, text, is_out_of_reach: false }
    }
}

impl LogReader<'_> {
    /// Reads all commits and checkpoints, and checks each, and that each commit follows the one before it.
    ///
    /// # Errors
    /// Fails where the folder cannot be listed; files that are damaged, missing or cannot be read are reported
    /// as problems.
    pub fn check_all(&self) -> Result<LogCheck, StoreError> {
        let mut found = LogCheck::default();
        // None of those that are damaged.
        let mut commits: BTreeMap<u64, Option<(u64, Option<u64>)>> = BTreeMap::new();
        for stored in self.store().files(&self.folder())? {
            let Some(file) = stored.path.rsplit('/').next().and_then(LogFile::of) else { continue };
            let bytes = match self.store().get(&stored.path) {
                // Vacuumed in the meantime.
                Err(error) if error.is_not_found() => continue,
                bytes => bytes,
            };
            found.files += 1;
            let checked = match (bytes, file) {
                (Err(error), _) => {
                    let is_out_of_reach = error.is_out_of_reach();
                    Err(LogProblem { file, text: error.to_string(), is_out_of_reach })
                }
                (Ok(bytes), LogFile::Checkpoint(version)) => self
                    .check_checkpoint(version, &bytes)
                    .map(|has_checksum| (has_checksum, None))
                    .map_err(|error| {
                        let is_out_of_reach = error.is_out_of_reach();
                        LogProblem { file, text: error.to_string(), is_out_of_reach }
                    }),
                (Ok(bytes), LogFile::Commit(_) | LogFile::LastCheckpoint) => check(&stored.path, &bytes)
                    .map(|checked| (checked.has_checksum, Some((checksum(&bytes), checked.previous))))
                    .map_err(|damage| LogProblem::damaged(file, damage.to_string())),
            };
            match file {
                LogFile::Commit(version) => {
                    found.commits.insert(version);
                    commits.insert(version, checked.as_ref().ok().and_then(|(_, sums)| *sums));
                }
                LogFile::Checkpoint(version) => drop(found.checkpoints.insert(version)),
                LogFile::LastCheckpoint => {}
            }
            match checked {
                Ok((has_checksum, _)) => found.without_checksum += u64::from(!has_checksum),
                Err(problem) => found.problems.push(problem),
            }
        }
        found.problems.extend(self.check_hint(&found)?);
        found.problems.sort_by_key(|problem| problem.file);
        found.problems.extend(self.check_order(&commits));
        Ok(found)
    }

    /// Returns whether the checkpoint that is named as the last one is missing.
    fn check_hint(&self, found: &LogCheck) -> Result<Option<LogProblem>, StoreError> {
        if found.problems.iter().any(|problem| problem.file == LogFile::LastCheckpoint) {
            return Ok(None);
        }
        // Other programs write checkpoints of several parts.
        let of_one_file = self.hint()?.filter(|hint| hint.parts.is_none());
        let Some(version) = of_one_file.map(|hint| hint.version) else { return Ok(None) };
        let is_there =
            found.checkpoints.contains(&version) || self.store().is_there(&self.checkpoint(version));
        let text = || {
            format!("{}/_last_checkpoint names {}, which is missing", self.folder(), self.checkpoint(version))
        };
        Ok((!is_there).then(|| LogProblem::damaged(LogFile::LastCheckpoint, text())))
    }

    /// Returns the commits that do not follow the one before them, and those that are missing between others.
    fn check_order(&self, commits: &BTreeMap<u64, Option<(u64, Option<u64>)>>) -> Vec<LogProblem> {
        let mut problems = Vec::new();
        for (before, after) in commits.iter().zip(commits.iter().skip(1)) {
            let ((before, sums_before), (version, sums)) = (before, after);
            for missing in before + 1..*version {
                // Not one that was committed while the folder was listed.
                if !self.store().is_there(&self.path(missing)) {
                    let text = format!("{} is missing", self.path(missing));
                    problems.push(LogProblem::damaged(LogFile::Commit(missing), text));
                }
            }
            let previous = sums.and_then(|(_, previous)| previous);
            let is_next = before + 1 == *version;
            if is_next && sums_before.zip(previous).is_some_and(|((sum, _), previous)| sum != previous) {
                let text = format!("{} {OTHER_PREVIOUS}", self.path(*version));
                problems.push(LogProblem::damaged(LogFile::Commit(*version), text));
            }
        }
        problems
    }
}
