//! Checks every file of a table's log that is still there.

use std::collections::BTreeMap;

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
    /// A line for each problem.
    pub problems: Vec<String>,
}

impl LogReader<'_> {
    /// Reads all commits and checkpoints, and checks each, and that each commit follows the one before it.
    ///
    /// # Errors
    /// Fails where the disk does; damaged files are reported as problems.
    pub fn check_all(&self) -> Result<LogCheck, StoreError> {
        let mut found = LogCheck::default();
        let mut commits: BTreeMap<u64, (u64, Option<u64>)> = BTreeMap::new();
        for file in self.store().files(&self.folder())? {
            let Some(kind) = file.path.rsplit('/').next().and_then(LogFile::of) else { continue };
            let bytes = match self.store().get(&file.path) {
                // Vacuumed in the meantime.
                Err(error) if error.is_not_found() => continue,
                bytes => bytes?,
            };
            found.files += 1;
            match kind {
                LogFile::Checkpoint(version) => match self.check_checkpoint(version, &bytes) {
                    Ok(has_checksum) => found.without_checksum += u64::from(!has_checksum),
                    Err(error) => found.problems.push(error.to_string()),
                },
                LogFile::Commit(_) | LogFile::LastCheckpoint => match check(&file.path, &bytes) {
                    Ok(checked) => {
                        found.without_checksum += u64::from(!checked.has_checksum);
                        if let LogFile::Commit(version) = kind {
                            commits.insert(version, (checksum(&bytes), checked.previous));
                        }
                    }
                    Err(damage) => found.problems.push(damage.to_string()),
                },
            }
        }
        for (version, (_, previous)) in &commits {
            let before = version.checked_sub(1).and_then(|before| commits.get(&before));
            if before.zip(*previous).is_some_and(|((before, _), previous)| *before != previous) {
                found.problems.push(format!("{} {OTHER_PREVIOUS}", self.path(*version)));
            }
        }
        Ok(found)
    }
}
