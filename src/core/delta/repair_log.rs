//! Repairs a table's log, as far as the newest version can be read without the damaged files.
//!
//! The newest version is the newest intact checkpoint and the commits after it. So a damaged checkpoint is not
//! needed where the commits are there that it stands for, and a damaged commit is not where a checkpoint follows.
//!
//! Invariant: killed at any moment, the log can be repaired again; what is not needed goes oldest first, so that
//! the commits that are left have no gap between them.

use std::collections::BTreeSet;

use crate::delta::check_log::LogCheck;
use crate::delta::error::TableError;
use crate::delta::log_checksums::{
    CHECKSUMS, LogFile, check, checksum_of_name, version_of_checksum, with_checksum,
};
use crate::delta::log_reader::LogReader;
use crate::parquet_format::decode_nested;
use crate::storage::{StoreError, checksum, flipped_back};

/// What is done to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogRepair {
    /// The file `_last_checkpoint` is written again, or removed where there is no intact checkpoint.
    LastCheckpoint,
    /// A damaged checkpoint is set aside.
    Checkpoint(u64),
    /// All commits up to a version are set aside, and the checkpoints before it: only older versions of the
    /// table need them.
    History(u64),
}

/// Is told the path of a file that is about to go, and its path in the quarantine.
pub type Note<'a> = dyn FnMut(&str, &str) -> Result<(), StoreError> + 'a;

/// How a log can be repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPlan {
    /// The newest version is kept, exactly.
    Repairs(Vec<LogRepair>),
    /// The newest version needs these commits, which are damaged or missing: what they changed is lost.
    Without(BTreeSet<u64>),
    /// The newest version needs the commit that created the table, or a checkpoint, and there is none.
    Lost,
    /// A file cannot be read although it may be intact, so that nothing is done.
    OutOfReach,
}

impl LogCheck {
    /// Decides how the log is repaired.
    pub fn plan_repair(&self) -> LogPlan {
        if self.problems.is_empty() {
            return LogPlan::Repairs(Vec::new());
        }
        if self.problems.iter().any(|problem| problem.is_out_of_reach) {
            return LogPlan::OutOfReach;
        }
        let damaged: BTreeSet<LogFile> = self.problems.iter().map(|problem| problem.file).collect();
        let is_intact =
            |version: u64| self.commits.contains(&version) && !damaged.contains(&LogFile::Commit(version));
        let base = self.base();
        let Some(newest) = self.newest().filter(|_| base.is_some() || is_intact(0)) else {
            return LogPlan::Lost;
        };
        let lost: BTreeSet<u64> =
            (base.map_or(0, |base| base + 1)..=newest).filter(|version| !is_intact(*version)).collect();
        if !lost.is_empty() {
            return LogPlan::Without(lost);
        }
        let mut repairs: Vec<LogRepair> = Vec::new();
        let mut history = None;
        for file in &damaged {
            match file {
                LogFile::Commit(version) => history = Some(*version),
                LogFile::Checkpoint(version) => repairs.push(LogRepair::Checkpoint(*version)),
                LogFile::LastCheckpoint => repairs.push(LogRepair::LastCheckpoint),
            }
        }
        // It may name a checkpoint that is set aside.
        if !repairs.is_empty() && !repairs.contains(&LogRepair::LastCheckpoint) {
            repairs.push(LogRepair::LastCheckpoint);
        }
        repairs.extend(history.map(LogRepair::History));
        repairs.sort_unstable();
        LogPlan::Repairs(repairs)
    }

    /// Returns the version of the newest intact checkpoint.
    pub(super) fn base(&self) -> Option<u64> {
        self.intact_checkpoints().max()
    }

    /// Returns the newest version, whether or not it can be read or is there.
    pub(super) fn newest(&self) -> Option<u64> {
        let missed = self.problems.iter().filter_map(|problem| match problem.file {
            LogFile::Commit(version) => Some(version),
            LogFile::Checkpoint(_) | LogFile::LastCheckpoint => None,
        });
        self.commits.last().copied().max(self.base()).max(missed.max())
    }

    fn intact_checkpoints(&self) -> impl Iterator<Item = u64> {
        let is_damaged =
            |version: &u64| self.problems.iter().any(|problem| problem.file == LogFile::Checkpoint(*version));
        self.checkpoints.iter().copied().filter(move |version| !is_damaged(version))
    }
}

impl LogReader<'_> {
    /// Returns the path of a file of the log, and what it had when it was written; none where more than one bit of
    /// it is another, or it is too large to find out.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn restored(&self, file: LogFile) -> Result<Option<(String, Vec<u8>)>, StoreError> {
        let path = match file {
            LogFile::Commit(version) => self.path(version),
            LogFile::Checkpoint(version) => self.checkpoint(version),
            LogFile::LastCheckpoint => self.last_checkpoint(),
        };
        let bytes = match self.store().get(&path) {
            Err(error) if error.is_not_found() => return Ok(None),
            bytes => bytes?,
        };
        let sums = self.store().names(&self.checksums())?;
        let is_whole = |bytes: &[u8]| match file {
            LogFile::Commit(_) | LogFile::LastCheckpoint => {
                check(&path, bytes).is_ok_and(|checked| checked.has_checksum)
            }
            LogFile::Checkpoint(version) => {
                let sum = checksum(bytes);
                sums.iter().any(|name| checksum_of_name(name, version) == Some(sum))
            }
        };
        // What is wrong with one that is whole is that it does not fit the others.
        let restored = if is_whole(&bytes) { None } else { flipped_back(&bytes, &is_whole) };
        Ok(restored.map(|restored| (path.clone(), restored)))
    }

    /// Applies repairs. Before a file is gone, `note` is told its path and that in the quarantine.
    ///
    /// No other process may commit to the table.
    ///
    /// # Errors
    /// Fails where the disk or `note` does.
    pub fn repair(
        &self,
        check: &LogCheck,
        repairs: &[LogRepair],
        note: &mut Note<'_>,
    ) -> Result<(), TableError> {
        for repair in repairs {
            match *repair {
                LogRepair::LastCheckpoint => {
                    let path = self.last_checkpoint();
                    if let Some(to) = self.store().link_to_quarantine(&path)? {
                        note(&path, &to)?;
                    }
                    self.write_last_checkpoint(check.base())?;
                }
                LogRepair::Checkpoint(version) => {
                    self.set_aside(&self.checkpoint(version), note)?;
                    self.remove_checksums(version)?;
                }
                LogRepair::History(until) => {
                    let checkpoints = check.intact_checkpoints().filter(|version| *version < until);
                    for version in checkpoints.collect::<Vec<_>>() {
                        self.set_aside(&self.checkpoint(version), note)?;
                        self.remove_checksums(version)?;
                    }
                    for version in check.commits.iter().filter(|version| **version <= until) {
                        self.set_aside(&self.path(*version), note)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn set_aside(&self, path: &str, note: &mut Note<'_>) -> Result<(), StoreError> {
        let Some(to) = self.store().link_to_quarantine(path)? else { return Ok(()) };
        note(path, &to)?;
        self.store().delete(path)
    }

    /// Removes the checksums of a checkpoint, which would say that another one of that version is damaged.
    fn remove_checksums(&self, version: u64) -> Result<(), StoreError> {
        for file in self.store().files(&self.checksums())? {
            let of = file.path.rsplit('/').next().and_then(version_of_checksum);
            if of == Some(version) {
                self.store().delete(&file.path)?;
            }
        }
        Ok(())
    }

    /// Writes the file that names the last checkpoint, or removes it where there is none.
    fn write_last_checkpoint(&self, version: Option<u64>) -> Result<(), TableError> {
        let path = self.last_checkpoint();
        let Some(version) = version else { return Ok(self.store().delete(&path)?) };
        let bytes = self.store().get(&self.checkpoint(version))?;
        let (file_bytes, mut actions) = (bytes.len(), 0);
        let unreadable = |error: &dyn std::fmt::Display| TableError::Damaged {
            table: self.name().to_owned(),
            what: format!("{}: {error}", self.checkpoint(version)),
        };
        for batch in decode_nested(bytes, &["add.path"], &|_| true).map_err(|error| unreadable(&error))? {
            actions += batch.map_err(|error| unreadable(&error))?.num_rows();
        }
        let hint = format!("{{\"version\":{version},\"size\":{actions},\"sizeInBytes\":{file_bytes}}}");
        let hint = with_checksum(&path, LogFile::LastCheckpoint, hint.as_bytes(), None);
        Ok(self.store().put(&path, hint.into())?)
    }

    pub(super) fn last_checkpoint(&self) -> String {
        format!("{}/_last_checkpoint", self.folder())
    }

    pub(super) fn checksums(&self) -> String {
        format!("{}/{CHECKSUMS}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::check_log::LogProblem;

    fn check(commits: &[u64], checkpoints: &[u64], damaged: &[LogFile], expected: &LogPlan) {
        let problem =
            |file: &LogFile| LogProblem { file: *file, text: String::new(), is_out_of_reach: false };
        let check = LogCheck {
            commits: commits.iter().copied().collect(),
            checkpoints: checkpoints.iter().copied().collect(),
            problems: damaged.iter().map(problem).collect(),
            ..LogCheck::default()
        };
        assert_eq!(check.plan_repair(), *expected, "{commits:?} {checkpoints:?} {damaged:?}");
    }

    #[test]
    fn only_files_that_the_newest_version_does_not_need_are_set_aside() {
        use LogFile::{Checkpoint, Commit, LastCheckpoint};
        use LogRepair::History;
        let hint = LogRepair::LastCheckpoint;
        let repairs = |repairs: &[LogRepair]| LogPlan::Repairs(repairs.to_vec());
        let without = |lost: &[u64]| LogPlan::Without(lost.iter().copied().collect());
        check(&[0, 1, 2, 3], &[], &[], &repairs(&[]));
        check(&[0, 1, 2, 3], &[2], &[LastCheckpoint], &repairs(&[hint]));
        check(&[0, 1, 2, 3], &[2], &[Checkpoint(2)], &repairs(&[hint, LogRepair::Checkpoint(2)]));
        check(&[2, 3], &[2], &[Checkpoint(2)], &LogPlan::Lost);
        check(&[2, 3, 4, 5], &[2, 4], &[Checkpoint(4)], &repairs(&[hint, LogRepair::Checkpoint(4)]));
        check(&[0, 1, 2, 3], &[2], &[Commit(0)], &repairs(&[History(0)]));
        check(&[0, 1, 2, 3], &[2], &[Commit(1), Commit(2)], &repairs(&[History(2)]));
        check(&[0, 2, 3], &[2], &[Commit(1)], &repairs(&[History(1)]));
        check(&[0, 1, 2, 3], &[2], &[Commit(3)], &without(&[3]));
        check(&[0, 1, 2, 4], &[2], &[Commit(3)], &without(&[3]));
        check(&[0, 1, 2, 3], &[], &[Commit(1)], &without(&[1]));
        check(&[0, 1, 2], &[], &[Commit(3)], &without(&[3]));
        check(&[0, 1, 2], &[2], &[Commit(3)], &without(&[3]));
        check(&[0, 1, 2, 3], &[], &[Commit(0)], &LogPlan::Lost);
        // Without its checkpoint, the damaged commit is needed.
        check(&[0, 1, 2, 3], &[2], &[Commit(1), Checkpoint(2)], &without(&[1]));
        check(&[], &[], &[LastCheckpoint], &LogPlan::Lost);
        let file = Commit(1);
        let problems = vec![LogProblem { file, text: String::new(), is_out_of_reach: true }];
        assert_eq!(LogCheck { problems, ..LogCheck::default() }.plan_repair(), LogPlan::OutOfReach);
    }
}
