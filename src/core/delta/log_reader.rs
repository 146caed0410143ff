//! Reads a table's log without opening the table.
//!
//! Opening a table reads every commit since the last checkpoint, again for each question, with all
//! statistics of each file. An answer about a few items needs less: the files of a day or two, and
//! those added since a known version, which are mostly none.
//!
//! Invariant: a log that this program could not have written is not interpreted here; whoever opens
//! the table decides about it.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, AsArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{Int32Type, Int64Type};
use serde::Deserialize;
use serde_json::Value;

use crate::delta::files::{NamedFile, Partition, map_entries};
use crate::delta::log_actions::{Action, Transaction};
use crate::delta::log_checksums::{CHECKSUMS, check, checkpoint_name, version_of_checksum};
use crate::delta::schema::{READER_VERSION, WRITER_VERSION};
use crate::parquet_format::decode_nested;
use crate::storage::{Store, StoreError, StoredFile, checksum, url_decoded};

/// The log of one table.
pub struct LogReader<'a> {
    store: &'a Store,
    name: &'a str,
}

/// A table's newest version, as far as it was asked for.
#[derive(Default)]
pub struct TableState {
    pub number: u64,
    /// The files of the wanted partitions; their statistics may be missing.
    pub files: Vec<NamedFile>,
    table_id: String,
    transactions: HashMap<String, i64>,
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

/// The file `_last_checkpoint`.
#[derive(Deserialize)]
pub(super) struct Hint {
    pub version: u64,
    pub parts: Option<u64>,
}

/// A commit that was read.
struct CommitText {
    text: String,
    checksum: u64,
    /// Of the commit before it, where it has that.
    previous: Option<u64>,
}

impl TableState {
    /// Returns the table's own id, which a table that is created again does not share.
    pub fn table_id(&self) -> &str {
        &self.table_id
    }

    /// Returns the version an application last recorded.
    pub fn transaction(&self, app_id: &str) -> Option<i64> {
        self.transactions.get(app_id).copied()
    }
}

impl<'a> LogReader<'a> {
    /// Returns the log of the table in the store's folder `name`, which need not be there.
    pub fn new(store: &'a Store, name: &'a str) -> LogReader<'a> {
        LogReader { store, name }
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
        let mut last = None;
        while let Some(commit) = self.commit(state.number + 1)? {
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
        Ok(Some(state).filter(|state| self.is_still_there(begins) && self.is_newest(state.number)))
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
        Ok(self.beginning(&|_| false, &CHECKPOINT_COLUMNS)?.map(|state| state.table_id))
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
        let begins = match self.hint().ok()? {
            Some(hint) => hint.version,
            None => self.store.is_there(&self.path(0)).then_some(0)?,
        };
        // Commits are numbered without a gap, and there are few since the last checkpoint.
        Some((begins..).find(|number| !self.store.is_there(&self.path(number + 1))).unwrap_or(begins))
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
        while let Some(commit) = self.commit(until + 1)? {
            until += 1;
            if commit.text.lines().any(|line| apply_added(line, wants, &mut files).is_none()) {
                return Ok(FilesSince::Unknown);
            }
        }
        // Commits are numbered without a gap, and go in the order of their numbers: where the known
        // one is still there, so are those after it, up to the newest.
        match self.store.is_there(&self.path(after)) && self.is_newest(until) {
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
        if hint.parts.is_some() {
            return Ok(None);
        }
        let bytes = match self.store.get(&self.checkpoint(hint.version)) {
            Err(error) if error.is_not_found() => return Ok(None),
            bytes => bytes?,
        };
        self.check_checkpoint(hint.version, &bytes)?;
        let mut state = TableState { number: hint.version, ..TableState::default() };
        let Ok(batches) = decode_nested(bytes, columns) else { return Ok(None) };
        for batch in batches {
            if batch.ok().and_then(|batch| state.apply_checkpoint(&batch, wants)).is_none() {
                return Ok(None);
            }
        }
        Ok(Some(state).filter(|state| !state.table_id.is_empty()))
    }

    pub(super) fn hint(&self) -> Result<Option<Hint>, StoreError> {
        let path = format!("{}/_delta_log/_last_checkpoint", self.name);
        match self.store.get(&path) {
            Ok(bytes) => {
                check(&path, &bytes).map_err(|_| self.store.damaged(&path))?;
                Ok(serde_json::from_slice(&bytes).ok())
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns whether the checkpoint or commit that a read began with is still there.
    fn is_still_there(&self, begins: u64) -> bool {
        [self.checkpoint(begins), self.path(begins)].iter().any(|path| self.store.is_there(path))
    }

    /// Returns whether no checkpoint is of a later version: commits before it may be removed.
    fn is_newest(&self, number: u64) -> bool {
        self.hint().is_ok_and(|hint| hint.is_none_or(|hint| hint.version <= number))
    }

    fn commit(&self, version: u64) -> Result<Option<CommitText>, StoreError> {
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

    /// Returns whether a checkpoint has a checksum; fails where it has another than its own.
    pub(super) fn check_checkpoint(&self, version: u64, bytes: &[u8]) -> Result<bool, StoreError> {
        let folder = format!("{}/{CHECKSUMS}", self.name);
        if self.store.is_there(&format!("{folder}/{}", checkpoint_name(version, checksum(bytes)))) {
            return Ok(true);
        }
        let has_another =
            |file: &StoredFile| file.path.rsplit('/').next().and_then(version_of_checksum) == Some(version);
        match self.store.files(&folder)?.iter().any(has_another) {
            true => Err(self.store.damaged(&self.checkpoint(version))),
            false => Ok(false),
        }
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

impl TableState {
    /// Applies a line of the commit that created the table; none where it has an unexpected form.
    fn apply_first(&mut self, line: &str) -> Option<()> {
        let action: Action<'_> = serde_json::from_str(line).ok()?;
        if let Some(metadata) = action.metadata {
            self.table_id = metadata.id;
        }
        let is_ours = action.protocol.is_none_or(|protocol| protocol.is_ours());
        (is_ours && action.add.is_none()).then_some(())
    }

    /// Applies a line of a commit; none where it has an unexpected form.
    fn apply(
        &mut self,
        line: &str,
        wants: &dyn Fn(&Partition) -> bool,
        files: &mut HashMap<String, NamedFile>,
    ) -> Option<()> {
        let action: Action<'_> = serde_json::from_str(line).ok()?;
        if action.metadata.is_some() || action.protocol.is_some() {
            return None;
        }
        if let Some(Transaction { app_id, version }) = action.txn {
            self.transactions.insert(app_id, version);
        }
        if let Some(remove) = action.remove {
            files.remove(&url_decoded(&remove.path));
        }
        if let Some(add) = action.add
            && let Some(file) = add.file(wants)?
        {
            files.insert(file.path.clone(), file);
        }
        Some(())
    }

    /// Applies rows of a checkpoint; none where they have an unexpected form.
    fn apply_checkpoint(&mut self, batch: &RecordBatch, wants: &dyn Fn(&Partition) -> bool) -> Option<()> {
        let of = |name: &str| batch.column_by_name(name)?.as_struct_opt();
        fn text<'a>(of: &'a StructArray, name: &str) -> Option<&'a StringArray> {
            of.column_by_name(name)?.as_string_opt()
        }
        let (add, txn, metadata, protocol) = (of("add")?, of("txn")?, of("metaData")?, of("protocol")?);
        let is_ours = |name: &str, version: i32| {
            let versions = protocol.column_by_name(name)?.as_primitive_opt::<Int32Type>()?;
            let rows = (0..batch.num_rows()).filter(|&row| protocol.is_valid(row));
            rows.clone().all(|row| versions.value(row) == version).then_some(())
        };
        is_ours("minReaderVersion", READER_VERSION)?;
        is_ours("minWriterVersion", WRITER_VERSION)?;
        for name in ["readerFeatures", "writerFeatures"] {
            let Some(features) = protocol.column_by_name(name) else { continue };
            let features = features.as_list_opt::<i32>()?;
            let rows = (0..batch.num_rows()).filter(|&row| protocol.is_valid(row));
            rows.clone().all(|row| features.value_length(row) == 0).then_some(())?;
        }
        let (path, size) = (text(add, "path")?, add.column_by_name("size")?.as_primitive_opt::<Int64Type>()?);
        let partitions = add.column_by_name("partitionValues")?.as_map_opt()?;
        let stats = text(add, "stats");
        let vectors = add.column_by_name("deletionVector").and_then(AsArray::as_struct_opt);
        let (app_id, version) =
            (text(txn, "appId")?, txn.column_by_name("version")?.as_primitive_opt::<Int64Type>()?);
        for row in 0..batch.num_rows() {
            if metadata.is_valid(row) {
                text(metadata, "id")?.value(row).clone_into(&mut self.table_id);
            }
            if txn.is_valid(row) {
                self.transactions.insert(app_id.value(row).to_owned(), version.value(row));
            }
            if add.is_valid(row) {
                if vectors.is_some_and(|vectors| vectors.is_valid(row)) {
                    return None;
                }
                let partition = map_entries(partitions, row)?;
                if wants(&partition) {
                    let size_bytes = size.value(row).max(0).unsigned_abs();
                    let stats = stats.filter(|stats| stats.is_valid(row)).map(|stats| stats.value(row));
                    let stats = stats.and_then(|stats| serde_json::from_str(stats).ok());
                    let stats = stats.unwrap_or(Value::Null);
                    self.files.push(NamedFile::of(path.value(row), size_bytes, partition, stats));
                }
            }
        }
        Some(())
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
