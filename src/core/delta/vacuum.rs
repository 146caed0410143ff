//! Vacuum: removes data files that no kept version needs, and the part of the log that none needs.
//!
//! Kept are the newest version, those committed since a moment, and the one that was the newest at
//! that moment, so that whoever began to read then, or later, can go on. How long ago a commit was is told by the
//! times of all of them, so that one jump of the clock removes nothing that was just replaced. Of these the oldest and the
//! newest keep their checkpoints; those in between only save reading, and are large where the log
//! has many transactions.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow::array::{Array, AsArray, StringArray};
use delta_kernel::commit_range::{CommitRange, DeltaAction};
use delta_kernel::engine::arrow_data::ArrowEngineData;

use crate::delta::error::TableError;
use crate::delta::log_checksums::{CHECKSUMS, version_of_checksum};
use crate::delta::table::Table;
use crate::storage::{FileAges, FileRetention, Store, StoreError, StoredFile, is_unfinished, url_decoded};

const LOG: &str = "_delta_log";
/// How long a checkpoint is kept after the next one is written, for those who are reading it.
const READ_WITHIN_MS: i64 = 3_600_000;
/// How long files are kept at least that no version names, where no lock tells whether they are being written: in a
/// bucket.
const MIN_KEEP_UNLOCKED_MS: i64 = 86_400_000;

/// Which files a vacuum may remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VacuumScope {
    /// Data files, and the part of the log that no kept version needs.
    DataAndLog,
    /// Data files only: a reader has yet to process the log.
    DataOnly,
}

/// Which versions a vacuum keeps.
#[derive(Clone, Copy, Debug)]
pub struct VacuumRule {
    /// How long versions are kept, and files that no version names.
    pub keep_ms: i64,
    pub now_ms: i64,
    /// Whether the clock is known to be right.
    pub trusts_clock: bool,
    pub scope: VacuumScope,
}

impl VacuumRule {
    /// Returns the rule for the files of a store: in a bucket, nothing goes that was written in the last day.
    #[must_use]
    pub fn of_store(self, store: &Store) -> VacuumRule {
        let least = if store.is_bucket() { MIN_KEEP_UNLOCKED_MS } else { 0 };
        VacuumRule { keep_ms: self.keep_ms.max(least), ..self }
    }

    /// Returns how long files are kept that are of no table.
    pub fn files(&self) -> FileRetention {
        let VacuumRule { keep_ms, now_ms, trusts_clock, .. } = *self;
        FileRetention { keep_ms, now_ms, trusts_clock }
    }

    /// Returns the ages of files, given the times of commits, the newest first.
    pub fn ages(&self, times_ms: impl IntoIterator<Item = i64>) -> FileAges {
        FileAges::of_retention(self.files(), times_ms)
    }
}

/// Files to be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VacuumPlan {
    /// Data files.
    pub data: Vec<StoredFile>,
    /// Commits and checkpoints that no kept version needs.
    pub log: Vec<StoredFile>,
}

impl VacuumPlan {
    /// Removes the files.
    ///
    /// # Errors
    /// Names the file that cannot be removed; no kept version needs those that were removed before.
    pub fn remove(&self, store: &Store) -> Result<(), StoreError> {
        store.remove(self.data.iter().chain(&self.log))
    }

    /// Returns how many files there are, and their bytes.
    pub fn size(&self) -> (u64, u64) {
        let files = self.data.iter().chain(&self.log);
        (files.clone().count() as u64, files.map(|file| file.size_bytes).sum())
    }
}

impl Table {
    /// Decides what to remove; nobody may be writing files that no commit names yet.
    ///
    /// # Errors
    /// Fails where the log cannot be read or the folder listed.
    pub fn plan_vacuum(&self, store: &Store, rule: &VacuumRule) -> Result<VacuumPlan, TableError> {
        let rule = rule.of_store(store);
        let VacuumRule { keep_ms, now_ms, scope, .. } = rule;
        let log = store.files(&format!("{}/{LOG}", self.name))?;
        let newest = self.newest()?;
        let commits = log.iter().filter_map(|file| Some((commit_of(&file.path)?, file.modified_ms)));
        let commits: BTreeMap<u64, i64> = commits.collect();
        let ages = rule.ages(commits.values().rev().copied());
        let is_kept = |time_ms: i64| ages.of(time_ms) <= keep_ms;
        let first_since = commits.iter().find(|(_, time_ms)| is_kept(**time_ms)).map(|(version, _)| *version);
        // The version before it was the newest at that moment.
        let oldest = first_since.map_or(newest.number(), |first| first.saturating_sub(1));
        let mut named: HashSet<String> = newest.paths()?.into_iter().collect();
        named.extend(self.removed(oldest, newest.number())?);
        let is_unnamed = |path: &str| {
            let below = &path[self.name.len() + 1..];
            is_ours(below) && !named.contains(below)
        };
        let mut data = store.files_where(&self.name, &is_unnamed)?;
        data.retain(|file| !is_kept(file.modified_ms));
        let checkpoints = log.iter().filter_map(|file| Some((checkpoint_of(&file.path)?, file.modified_ms)));
        let checkpoints: BTreeMap<u64, i64> = checkpoints.collect();
        let first = checkpoints.keys().copied().filter(|at| *at <= oldest).max();
        let is_unneeded = |file: &StoredFile| {
            let is_before = last_version_of(&file.path).zip(first).is_some_and(|(at, first)| at < first);
            // Until the next checkpoint was written, whoever opened the table began at this one.
            let next = |at| checkpoints.range(at + 1..).next().map(|(_, made_ms)| *made_ms);
            let is_between = checkpoint_of(&file.path).zip(first).is_some_and(|(at, first)| {
                first < at && next(at).is_some_and(|made_ms| made_ms < now_ms - READ_WITHIN_MS)
            });
            is_before || is_between
        };
        let log = match scope {
            VacuumScope::DataAndLog => log.into_iter().filter(is_unneeded).collect(),
            VacuumScope::DataOnly => Vec::new(),
        };
        let log = self.with_checksums(store, log)?;
        Ok(VacuumPlan { data, log })
    }

    /// Adds the checksums of checkpoints that are to be removed.
    fn with_checksums(&self, store: &Store, mut log: Vec<StoredFile>) -> Result<Vec<StoredFile>, TableError> {
        let removed: BTreeSet<u64> = log.iter().filter_map(|file| checkpoint_of(&file.path)).collect();
        if !removed.is_empty() {
            let version = |file: &StoredFile| version_of_checksum(file.path.rsplit('/').next()?);
            let mut sums = store.files(&format!("{}/{CHECKSUMS}", self.name))?;
            sums.retain(|file| version(file).is_some_and(|version| removed.contains(&version)));
            // A checkpoint goes before its checksum does.
            log.extend(sums);
        }
        Ok(log)
    }

    /// Returns the files that commits after version `after` removed.
    pub(super) fn removed(&self, after: u64, until: u64) -> Result<BTreeSet<String>, TableError> {
        let mut removed = BTreeSet::new();
        if after >= until {
            return Ok(removed);
        }
        let (failed, engine) = (|e| self.failed(e), self.engine.as_ref());
        let range = CommitRange::builder_for(self.url.as_str(), after + 1).with_end_version(until);
        let range = range.build(engine).map_err(failed)?;
        let handle = std::sync::Arc::clone(&self.engine);
        for commit in range.commits(handle, None, &[DeltaAction::Remove]).map_err(failed)? {
            for data in commit.and_then(|commit| commit.get_actions(engine)).map_err(failed)? {
                let data = data.and_then(ArrowEngineData::try_from_engine_data).map_err(failed)?;
                let paths = data.record_batch().column_by_name("remove").and_then(|actions| {
                    let paths: &StringArray =
                        actions.as_struct_opt()?.column_by_name("path")?.as_string_opt()?;
                    let there = (0..paths.len()).filter(|&row| actions.is_valid(row) && paths.is_valid(row));
                    Some(there.map(|row| url_decoded(paths.value(row))).collect::<Vec<_>>())
                });
                removed.extend(
                    paths.ok_or_else(|| self.damaged("the files of a commit have an unexpected form"))?,
                );
            }
        }
        Ok(removed)
    }
}

/// Returns whether a file below the table's folder is of a kind that this program writes: a data file,
/// or one that was never finished. Other files are never removed.
fn is_ours(path: &str) -> bool {
    let finished = path.rsplit_once('#').filter(|_| is_unfinished(path)).map(|(finished, _)| finished);
    // An unfinished file in the log belongs to a writer that died.
    let was_log = finished.is_some_and(|finished| {
        [LOG, CHECKSUMS].iter().any(|folder| finished.starts_with(&format!("{folder}/")))
    });
    let is_hidden = path.split('/').any(|part| part.starts_with(['_', '.']));
    was_log || finished.unwrap_or(path).ends_with(".parquet") && !is_hidden
}

/// Returns a log file's name and the version it begins with: `00000000000000000007.json`.
fn version_and_rest(path: &str) -> Option<(u64, &str)> {
    let name = path.rsplit('/').next()?;
    let (digits, rest) = name.split_at_checked(20)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((digits.parse().ok().filter(|_| is_number)?, rest))
}

/// Returns the version that a log file commits.
fn commit_of(path: &str) -> Option<u64> {
    version_and_rest(path).filter(|(_, rest)| *rest == ".json").map(|(version, _)| version)
}

/// Returns the version of a checkpoint; none of one in several parts, since a part may be missing.
fn checkpoint_of(path: &str) -> Option<u64> {
    version_and_rest(path).filter(|(_, rest)| *rest == ".checkpoint.parquet").map(|(version, _)| version)
}

/// Returns the last version that a log file covers: `7` of `7.json`, `9` of `7.9.compacted.json`;
/// none of a file that is not part of a Delta log.
fn last_version_of(path: &str) -> Option<u64> {
    let (first, rest) = version_and_rest(path)?;
    if let Some(span) = rest.strip_suffix(".compacted.json") {
        return span.strip_prefix('.')?.parse().ok();
    }
    let is_checkpoint =
        rest.starts_with(".checkpoint.") && [".parquet", ".json"].iter().any(|end| rest.ends_with(end));
    (is_checkpoint || [".json", ".crc"].contains(&rest)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_parsed_from_names_of_log_files() {
        let version = "00000000000000000007";
        let path = |rest: &str| format!("events/_delta_log/{version}{rest}");
        assert_eq!(commit_of(&path(".json")), Some(7));
        assert_eq!(commit_of(&path(".checkpoint.parquet")), None);
        assert_eq!(checkpoint_of(&path(".checkpoint.parquet")), Some(7));
        assert_eq!(checkpoint_of(&path(".checkpoint.0000000001.0000000002.parquet")), None);
        assert_eq!(last_version_of(&path(".crc")), Some(7));
        assert_eq!(last_version_of(&path(".00000000000000000009.compacted.json")), Some(9));
        assert_eq!(last_version_of(&path(".checkpoint.0000000001.0000000002.parquet")), Some(7));
        for other in ["events/_delta_log/_last_checkpoint", "events/_delta_log/é0000000000000000007.json"] {
            assert_eq!(last_version_of(other), None, "{other}");
        }
        for other in [".json#1", ".checkpoint.parquet#1", ".notes"] {
            assert_eq!(last_version_of(&path(other)), None, "{other}");
        }
    }
}
