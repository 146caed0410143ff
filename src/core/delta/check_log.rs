//! Checks every file of a table's log that is still there.

use std::collections::{BTreeMap, BTreeSet};

use crate::delta::log_actions::Action;
use crate::delta::log_checksums::{LogFile, OTHER_PREVIOUS, check, version_of_checksum};
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
    /// What the newest intact commit of those that have any recorded of applications: their ids and versions.
    pub transactions: Vec<(String, i64)>,
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
    /// Reads all commits and checkpoints, and checks each, and that each commit follows the one before it, up to the
    /// newest version that anything else has seen: `seen`, the file that names the last checkpoint, or a checksum.
    ///
    /// # Errors
    /// Fails where the folder cannot be listed; files that are damaged, missing or cannot be read are reported
    /// as problems.
    pub fn check_all(&self, seen: Option<u64>) -> Result<LogCheck, StoreError> {
        let mut found = LogCheck::default();
        // Before the folder is listed: what is committed meanwhile is seen there.
        let names = self.store().names(&self.checksums())?;
        let hint = self.hint().ok().flatten().filter(|hint| hint.parts.is_none()).map(|hint| hint.version);
        let seen = names.iter().filter_map(|name| version_of_checksum(name)).max().max(seen).max(hint);
        // None of those that are damaged.
        let mut commits: BTreeMap<u64, Option<(u64, Option<u64>)>> = BTreeMap::new();
        let mut has_other_checkpoints = false;
        let mut recorded = (0, Vec::new());
        for stored in self.store().files(&self.folder())? {
            let name = stored.path.rsplit('/').next().unwrap_or_default();
            let Some(file) = LogFile::of(name) else {
                // Of several parts, which other programs write.
                has_other_checkpoints |= name.contains(".checkpoint.");
                continue;
            };
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
                    .map(|checked| {
                        recorded = newer(std::mem::take(&mut recorded), file, &bytes);
                        (checked.has_checksum, Some((checksum(&bytes), checked.previous)))
                    })
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
        found.transactions = recorded.1;
        found.problems.extend(self.check_hint(&found)?);
        found.problems.sort_by_key(|problem| problem.file);
        found.problems.extend(self.check_order(&commits));
        if !has_other_checkpoints {
            found.problems.extend(self.check_ends(&found, seen));
        }
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

    /// Returns the commits that are missing between the newest intact checkpoint and those after it, and behind the
    /// newest.
    fn check_ends(&self, found: &LogCheck, seen: Option<u64>) -> Vec<LogProblem> {
        let first = found.commits.first().copied();
        let behind_base = match (found.base(), first) {
            (Some(base), Some(first)) => base + 1..first,
            _ => 0..0,
        };
        // Commits go oldest first: none is missing behind another one that is there.
        let behind_newest = match (found.commits.last().copied().or(found.base()), seen.max(found.base())) {
            (Some(newest), Some(seen)) => newest + 1..seen + 1,
            _ => 0..0,
        };
        let is_there = |version: u64| self.store().is_there(&self.path(version));
        let missing = behind_base.chain(behind_newest).filter(|version| !is_there(*version));
        let problem = |version: u64| {
            LogProblem::damaged(LogFile::Commit(version), format!("{} is missing", self.path(version)))
        };
        missing.map(problem).collect()
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

/// What a commit of a version recorded of applications.
type Recorded = (u64, Vec<(String, i64)>);

/// Returns what was recorded last: that, or what a file records, where it is a commit of a later version.
fn newer(last: Recorded, file: LogFile, bytes: &[u8]) -> Recorded {
    let LogFile::Commit(version) = file else { return last };
    if version < last.0 {
        return last;
    }
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"txn\":"));
    let actions = lines.filter_map(|line| serde_json::from_slice::<Action<'_>>(line).ok());
    let recorded = actions.filter_map(|action| action.txn).map(|txn| (txn.app_id, txn.version));
    let recorded: Vec<(String, i64)> = recorded.collect();
    if recorded.is_empty() { last } else { (version, recorded) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::delta::log_checksums::{CHECKSUMS, checkpoint_name};
    use crate::delta::repair_log::{LogPlan, LogRepair};
    use crate::storage::temporary;

    /// Checks which commits are found missing, given those and the checkpoints that are there.
    fn check(commits: &[u64], checkpoints: &[u64], sums: &[u64], seen: Option<u64>, missing: &[u64]) {
        let (store, _folder) = temporary();
        let log = LogReader::new(&store, "table");
        let put = |path: &str, bytes: &'static str| store.put(path, bytes.into()).expect("it can be written");
        commits.iter().for_each(|version| put(&log.path(*version), "{\"commitInfo\":{}}\n"));
        checkpoints.iter().for_each(|version| put(&log.checkpoint(*version), "PAR1"));
        for version in sums {
            let name = checkpoint_name(*version, checksum(b"PAR1"));
            put(&format!("table/{CHECKSUMS}/{name}"), "");
        }
        let found = log.check_all(seen).expect("the folder can be listed");
        let files: Vec<LogFile> = found.problems.iter().map(|problem| problem.file).collect();
        let expected: Vec<LogFile> = missing.iter().map(|version| LogFile::Commit(*version)).collect();
        assert_eq!(files, expected, "{commits:?} {checkpoints:?} {sums:?} {seen:?}");
        let base = checkpoints.last().copied().unwrap_or(0);
        let plan = match missing.last() {
            None => LogPlan::Repairs(Vec::new()),
            Some(last) if *last <= base => LogPlan::Repairs(vec![LogRepair::History(*last)]),
            Some(_) => LogPlan::Without(missing.iter().copied().collect::<BTreeSet<u64>>()),
        };
        assert_eq!(found.plan_repair(), plan, "{commits:?} {checkpoints:?} {sums:?} {seen:?}");
    }

    #[test]
    fn a_missing_commit_is_found_behind_a_checkpoint_too() {
        check(&[0, 1, 2, 3], &[2], &[], None, &[]);
        check(&[3, 4], &[2], &[], None, &[]);
        check(&[2, 3, 4], &[2], &[], None, &[]);
        check(&[4, 5], &[2], &[], None, &[3]);
        check(&[5], &[2], &[], None, &[3, 4]);
        check(&[2, 5], &[2], &[], None, &[3, 4]);
        check(&[4, 5], &[2, 4], &[], None, &[]);
    }

    #[test]
    fn the_newest_commit_is_missed_where_something_else_has_seen_it() {
        check(&[0, 1, 2], &[], &[], Some(2), &[]);
        check(&[0, 1, 2], &[], &[], Some(1), &[]);
        check(&[0, 1, 2], &[], &[], Some(4), &[3, 4]);
        check(&[0, 1, 2], &[], &[3], None, &[3]);
        check(&[0, 1, 2], &[2], &[2], None, &[]);
        // A checkpoint has all that was committed before it, but the next commit would be behind a gap.
        check(&[0, 1], &[2], &[2], Some(2), &[2]);
        check(&[], &[2], &[2], Some(2), &[]);
        check(&[], &[2], &[2], Some(3), &[3]);
        // Where there is no table, nothing of it is missing.
        check(&[], &[], &[], Some(3), &[]);
    }
}
