//! Reads a table's log without opening the table.
//!
//! Opening a table reads every commit since the last checkpoint, again for each question, with all
//! statistics of each file. An answer about a few items needs less: the files of a day or two, and
//! those added since a known version, which are mostly none.
//!
//! Invariant: a log that this program could not have written is not interpreted here; whoever opens
//! the table decides about it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;

use crate::delta::files::NamedFile;
use crate::delta::log_actions::Action;
use crate::delta::log_checksums::check;
use crate::delta::partition_values::Partition;
use crate::delta::table_state::TableState;
use crate::model::Date;
use crate::parquet_format::{RowGroup, decode_nested};
use crate::storage::{Store, StoreError, checksum};

/// The log of one table.
pub struct LogReader<'a> {
    store: &'a Store,
    name: &'a str,
    /// The days whose files are wanted; all for none.
    days: Option<RangeInclusive<Date>>,
}

/// The files that were added since a version.
pub enum FilesSince {
    /// These files were added up to version `until`, and no rows were removed.
    Appended { until: u64, files: Vec<NamedFile> },
    /// Rows may have been removed, or the log has an unexpected form.
    Unknown,
}

/// The columns of a checkpoint that are read here.
const CHECKPOINT_COLUMNS: [&str; 8] = [
    "add.path",
    "add.size",
    "add.partitionValues",
    "add.deletionVector.storageType",
    "txn.appId",
    "txn.version",
    "metaData.id",
    "protocol",
];

/// A commit that was read.
pub(super) struct CommitText {
    pub text: String,
    checksum: u64,
    /// Of the commit before it, where it has that.
    previous: Option<u64>,
}

impl<'a> LogReader<'a> {
    /// Returns the log of the table in the store's folder `name`, which need not be there.
    pub fn new(store: &'a Store, name: &'a str) -> LogReader<'a> {
        LogReader { store, name, days: None }
    }

    /// Returns the same log for a reader who wants no files of other days, which mostly are not decoded; what wants
    /// partitions must reject them, too.
    pub fn of_days(self, days: RangeInclusive<Date>) -> LogReader<'a> {
        LogReader { days: Some(days), ..self }
    }

    /// Returns the same log for a reader who wants no files, and whose partitions are none.
    pub fn without_files(self) -> LogReader<'a> {
        self.of_days(Date::MAX..=Date::MIN)
    }

    /// Returns the newest version, with the files of the wanted partitions; none where there is no
    /// table, or its log has an unexpected form.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn newest(&self, wants: &dyn Fn(&Partition) -> bool) -> Result<Option<TableState>, StoreError> {
        self.newest_with(wants, &CHECKPOINT_COLUMNS)
    }

    /// Returns the same with the statistics of all files, which take longer to read.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn newest_with_statistics(
        &self,
        wants: &dyn Fn(&Partition) -> bool,
    ) -> Result<Option<TableState>, StoreError> {
        self.newest_with(wants, &[&CHECKPOINT_COLUMNS[..], &["add.stats"]].concat())
    }

    fn newest_with(
        &self,
        wants: &dyn Fn(&Partition) -> bool,
        columns: &[&str],
    ) -> Result<Option<TableState>, StoreError> {
        let Some(mut state) = self.beginning(wants, columns)? else { return Ok(None) };
        let begins = state.number;
        let mut files: HashMap<String, NamedFile> =
            std::mem::take(&mut state.files).into_iter().map(|file| (file.path.clone(), file)).collect();
        let (mut last, listed) = (None, self.last_listed(begins)?);
        while listed.is_none_or(|last| state.number < last)
            && let Some(commit) = self.commit(state.number + 1)?
        {
            state.number += 1;
            if last.zip(commit.previous).is_some_and(|(last, previous)| last != previous) {
                return Ok(None);
            }
            last = Some(commit.checksum);
            if commit.text.lines().any(|line| state.apply(line, wants, &mut files).is_none()) {
                return Ok(None);
            }
        }
        state.files = files.into_values().collect();
        state.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        // In a listing, a part of the log that was vacuumed meanwhile is a gap.
        let is_whole = match listed {
            Some(last) => state.number == last,
            None => self.is_still_there(begins) && self.is_newest(state.number),
        };
        Ok(Some(state).filter(|_| is_whole))
    }

    /// Returns the table's id; none where its log has an unexpected form.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn table_id(&self) -> Result<Option<String>, StoreError> {
        if let Some(commit) = self.commit(0)? {
            let actions =
                commit.text.lines().filter_map(|line| serde_json::from_str::<Action<'_>>(line).ok());
            return Ok(actions.filter_map(|action| action.metadata).map(|of| of.id).next());
        }
        self.table_id_of_checkpoint()
    }

    /// Returns a number that another commit of the same version does not have; none where the commit is not
    /// there, as one that was vacuumed.
    ///
    /// # Errors
    /// Fails where the disk does, or the commit is damaged.
    pub fn commit_identity(&self, version: u64) -> Result<Option<i64>, StoreError> {
        // An application's version is a positive number.
        Ok(self.commit(version)?.map(|commit| (commit.checksum >> 1).cast_signed()))
    }

    /// Returns the number of the newest version, from the names of commits alone; none where there is no
    /// table.
    pub fn number(&self) -> Option<u64> {
        self.known_number().ok().flatten()
    }

    /// Returns the same, and tells a table that is not there from a bucket that does not answer.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn known_number(&self) -> Result<Option<u64>, StoreError> {
        let hint = self.hint()?.map(|hint| hint.version);
        let begins = hint.unwrap_or(0);
        let listed = self.commits_after(begins)?;
        let last = listed.as_ref().and_then(|commits| commits.iter().map(|(commit, _)| *commit).max());
        if last.is_some() {
            return Ok(last);
        }
        let first = self.path(0);
        let has_first = || match self.store.is_bucket() {
            true => self.store.has_object(&first),
            false => Ok(self.store.is_there(&first)),
        };
        if hint.is_none() && !has_first()? {
            return Ok(None);
        }
        if listed.is_some() {
            return Ok(Some(begins));
        }
        // Commits are numbered without a gap, and there are few since the last checkpoint.
        Ok((begins..).find(|number| !self.store.is_there(&self.path(number + 1))))
    }

    /// Returns the files of the wanted partitions that were added after a version.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn files_since(
        &self,
        after: u64,
        wants: &dyn Fn(&Partition) -> bool,
    ) -> Result<FilesSince, StoreError> {
        let (mut until, mut files) = (after, Vec::new());
        let listed = self.last_listed(after)?;
        while listed.is_none_or(|last| until < last)
            && let Some(commit) = self.commit(until + 1)?
        {
            until += 1;
            if commit.text.lines().any(|line| apply_added(line, wants, &mut files).is_none()) {
                return Ok(FilesSince::Unknown);
            }
        }
        // Commits are numbered without a gap, and go in the order of their numbers: where the known
        // one is still there, so are those after it, up to the newest.
        let is_whole = match listed {
            Some(last) => until == last,
            None => self.store.is_there(&self.path(after)) && self.is_newest(until),
        };
        match is_whole {
            true => Ok(FilesSince::Appended { until, files }),
            false => Ok(FilesSince::Unknown),
        }
    }

    /// Returns the application ids that the commits after one version, up to another, have recorded; none where one of
    /// these commits is no longer there.
    ///
    /// # Errors
    /// Fails where the disk does, or a commit is damaged.
    pub fn recorded_since(&self, after: u64, until: u64) -> Result<Option<HashSet<String>>, StoreError> {
        let mut recorded = HashSet::new();
        for version in after + 1..=until {
            let Some(commit) = self.commit(version)? else { return Ok(None) };
            let actions =
                commit.text.lines().filter_map(|line| serde_json::from_str::<Action<'_>>(line).ok());
            recorded.extend(actions.filter_map(|action| action.txn).map(|of| of.app_id));
        }
        Ok(Some(recorded))
    }

    /// Returns the partitions of all files that the commits after one version, up to another, have added, also where
    /// these only store the same rows elsewhere; none where one of these commits is no longer there.
    ///
    /// # Errors
    /// Fails where the disk does, or a commit is damaged.
    pub fn written_since(&self, after: u64, until: u64) -> Result<Option<BTreeSet<Partition>>, StoreError> {
        let mut written = BTreeSet::new();
        for version in after + 1..=until {
            let Some(commit) = self.commit(version)? else { return Ok(None) };
            for line in commit.text.lines() {
                let Ok(action) = serde_json::from_str::<Action<'_>>(line) else { return Ok(None) };
                if let Some(add) = action.add {
                    written.insert(add.partition_values);
                }
            }
        }
        Ok(Some(written))
    }

    /// Returns whether any of the commits after one version, up to another, changes rows, other than by the batches that
    /// `is_known` tells by their application ids; also where one of them is no longer there.
    ///
    /// # Errors
    /// Fails where the disk does, or a commit is damaged.
    pub fn changes_rows_since(
        &self,
        after: u64,
        until: u64,
        is_known: &dyn Fn(&str) -> bool,
    ) -> Result<bool, StoreError> {
        for version in after + 1..=until {
            let Some(commit) = self.commit(version)? else { return Ok(true) };
            let (mut changes, mut knows) = (false, false);
            for line in commit.text.lines() {
                let Ok(action) = serde_json::from_str::<Action<'_>>(line) else { return Ok(true) };
                let adds = action.add.is_some_and(|add| add.data_change);
                let removes = action.remove.is_some_and(|remove| remove.data_change);
                changes |= adds || removes || action.metadata.is_some() || action.protocol.is_some();
                knows |= action.txn.is_some_and(|of| is_known(&of.app_id));
            }
            if changes && !knows {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the version of the last checkpoint, or else the first.
    fn beginning(
        &self,
        wants: &dyn Fn(&Partition) -> bool,
        columns: &[&str],
    ) -> Result<Option<TableState>, StoreError> {
        let Some(hint) = self.hint()? else {
            let Some(commit) = self.commit(0)? else { return Ok(None) };
            let mut state = TableState::default();
            let noted: Option<()> = commit.text.lines().try_for_each(|line| state.apply_first(line));
            return Ok(noted.map(|()| state).filter(|state| !state.table_id.is_empty()));
        };
        let Some(bytes) = self.checkpoint_of(&hint)? else { return Ok(None) };
        let mut state = TableState { number: hint.version, ..TableState::default() };
        let wants_group = |group: &RowGroup<'_>| self.wants_group(group);
        let Ok(batches) = decode_nested(bytes, columns, &wants_group) else { return Ok(None) };
        for batch in batches {
            if batch.ok().and_then(|batch| state.apply_checkpoint(&batch, wants)).is_none() {
                return Ok(None);
            }
        }
        Ok(Some(state).filter(|state| !state.table_id.is_empty()))
    }

    /// Returns whether the checkpoint or commit that a read began with is still there.
    fn is_still_there(&self, begins: u64) -> bool {
        [self.checkpoint(begins), self.path(begins)].iter().any(|path| self.store.is_there(path))
    }

    /// Returns whether no checkpoint is of a later version: commits before it may be removed.
    fn is_newest(&self, number: u64) -> bool {
        self.hint().is_ok_and(|hint| hint.is_none_or(|hint| hint.version <= number))
    }

    pub(super) fn commit(&self, version: u64) -> Result<Option<CommitText>, StoreError> {
        let path = self.path(version);
        let bytes = match self.store.get(&path) {
            Err(error) if error.is_not_found() => return Ok(None),
            bytes => bytes?,
        };
        let damaged = || self.store.damaged(&path);
        let previous = check(&path, &bytes).map_err(|_| damaged())?.previous;
        let checksum = checksum(&bytes);
        Ok(Some(CommitText {
            text: String::from_utf8(bytes.into()).map_err(|_| damaged())?,
            checksum,
            previous,
        }))
    }

    pub(super) fn days(&self) -> Option<&RangeInclusive<Date>> {
        self.days.as_ref()
    }

    pub(super) fn store(&self) -> &Store {
        self.store
    }

    pub(super) fn name(&self) -> &str {
        self.name
    }

    /// Returns the path of the log's folder.
    pub(super) fn folder(&self) -> String {
        format!("{}/_delta_log", self.name)
    }

    pub(super) fn path(&self, version: u64) -> String {
        format!("{}/_delta_log/{version:020}.json", self.name)
    }

    pub(super) fn checkpoint(&self, version: u64) -> String {
        format!("{}/_delta_log/{version:020}.checkpoint.parquet", self.name)
    }
}

/// Applies a line of a commit; none where it does more than add rows.
fn apply_added(line: &str, wants: &dyn Fn(&Partition) -> bool, files: &mut Vec<NamedFile>) -> Option<()> {
    let action: Action<'_> = serde_json::from_str(line).ok()?;
    let changes_table = action.metadata.is_some() || action.protocol.is_some();
    let takes_rows = action.remove.is_some_and(|remove| remove.data_change);
    if changes_table || takes_rows {
        return None;
    }
    if let Some(add) = action.add.filter(|add| add.data_change) {
        files.extend(add.file(wants)?);
    }
    Some(())
}
