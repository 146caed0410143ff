//! A table's log, looked at without opening the table.
//!
//! Opening a table reads every commit since the last sum of its log, again for each thing that is
//! asked, all that is said of each file included. An answer about a few items needs less: the files
//! of a day or two, and what came in since a version that is known, which mostly is nothing.
//!
//! Invariant: whatever is not said in the way that we say it is not understood here, and for whoever
//! opens the table to judge.

use std::borrow::Cow;
use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{Int32Type, Int64Type};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::delta::files::map_entries;
use crate::delta::schema::{READER_VERSION, WRITER_VERSION};
use crate::delta::{NamedFile, Partition};
use crate::parquet_format::decode_nested;
use crate::storage::{Store, StoreError, url_decoded};

/// The log of one table.
pub struct LogReader<'a> {
    store: &'a Store,
    name: &'a str,
}

/// A table's newest version, as far as it was asked for.
#[derive(Default)]
pub struct State {
    pub number: u64,
    /// The files of the wanted partitions; their numbers of rows and ends of columns may be missing.
    pub files: Vec<NamedFile>,
    table_id: String,
    transactions: HashMap<String, i64>,
}

/// What the commits after a version say.
pub enum FilesSince {
    /// These files came in with new rows up to a version, and nothing else has changed any.
    Appended { until: u64, files: Vec<NamedFile> },
    /// Rows may have gone, or the log does not say it in the way that ours do.
    Unknown,
}

/// What a sum of the log has that is read here.
const SUMMED: [&str; 8] = [
    "add.path",
    "add.size",
    "add.partitionValues",
    "add.deletionVector.storageType",
    "txn.appId",
    "txn.version",
    "metaData.id",
    "protocol",
];

/// One line of a commit.
#[derive(Deserialize)]
struct Action<'a> {
    #[serde(borrow)]
    add: Option<Add<'a>>,
    #[serde(borrow)]
    remove: Option<Remove<'a>>,
    txn: Option<Transaction>,
    #[serde(rename = "metaData")]
    metadata: Option<Metadata>,
    protocol: Option<Protocol>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Add<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    partition_values: Partition,
    size: u64,
    data_change: bool,
    /// A text, left as it is until somebody wants it.
    #[serde(borrow)]
    stats: Option<&'a RawValue>,
    #[serde(borrow)]
    deletion_vector: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remove<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    data_change: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transaction {
    app_id: String,
    version: i64,
}

#[derive(Deserialize)]
struct Metadata {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Protocol {
    min_reader_version: i32,
    min_writer_version: i32,
    #[serde(default)]
    reader_features: Vec<String>,
    #[serde(default)]
    writer_features: Vec<String>,
}

/// Where a sum of the log is.
#[derive(Deserialize)]
struct Hint {
    version: u64,
    parts: Option<u64>,
}

impl State {
    /// Returns the table's own id, which a table made anew does not share.
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
    pub fn of(store: &'a Store, name: &'a str) -> LogReader<'a> {
        LogReader { store, name }
    }

    /// Returns the newest version, with the files of the wanted partitions; none where there is no
    /// table, or the log is not understood.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn newest(&self, wants: &dyn Fn(&Partition) -> bool) -> Result<Option<State>, StoreError> {
        let Some(mut state) = self.beginning(wants)? else { return Ok(None) };
        let begins = state.number;
        let mut files: HashMap<String, NamedFile> =
            std::mem::take(&mut state.files).into_iter().map(|file| (file.path.clone(), file)).collect();
        while let Some(commit) = self.commit(state.number + 1)? {
            state.number += 1;
            if commit.lines().any(|line| state.note(line, wants, &mut files).is_none()) {
                return Ok(None);
            }
        }
        state.files = files.into_values().collect();
        state.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(Some(state).filter(|state| self.is_still_there(begins) && self.is_newest(state.number)))
    }

    /// Returns the table's own id; none where the log is not understood.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn table_id(&self) -> Result<Option<String>, StoreError> {
        if let Some(commit) = self.commit(0)? {
            let actions = commit.lines().filter_map(|line| serde_json::from_str::<Action<'_>>(line).ok());
            return Ok(actions.filter_map(|action| action.metadata).map(|of| of.id).next());
        }
        Ok(self.beginning(&|_| false)?.map(|state| state.table_id))
    }

    /// Returns the number of the newest version, by looking at the names of commits alone; none where there
    /// is no table.
    pub fn number(&self) -> Option<u64> {
        let begins = match self.hint().ok()? {
            Some(hint) => hint.version,
            None => self.store.is_there(&self.path(0)).then_some(0)?,
        };
        // Commits are numbered without a gap, and there are few since the last sum.
        Some((begins..).find(|number| !self.store.is_there(&self.path(number + 1))).unwrap_or(begins))
    }

    /// Returns what came after a version, of the wanted partitions.
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
            if commit.lines().any(|line| note_added(line, wants, &mut files).is_none()) {
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

    /// Returns the version that the last sum of the log is of, or the first.
    fn beginning(&self, wants: &dyn Fn(&Partition) -> bool) -> Result<Option<State>, StoreError> {
        let Some(hint) = self.hint()? else {
            let Some(commit) = self.commit(0)? else { return Ok(None) };
            let mut state = State::default();
            let noted: Option<()> = commit.lines().try_for_each(|line| state.note_first(line));
            return Ok(noted.map(|()| state).filter(|state| !state.table_id.is_empty()));
        };
        if hint.parts.is_some() {
            return Ok(None);
        }
        let bytes = match self.store.get(&self.sum(hint.version)) {
            Err(error) if error.is_not_found() => return Ok(None),
            bytes => bytes?,
        };
        let mut state = State { number: hint.version, ..State::default() };
        let Ok(batches) = decode_nested(bytes, &SUMMED) else { return Ok(None) };
        for batch in batches {
            if batch.ok().and_then(|batch| state.take_in(&batch, wants)).is_none() {
                return Ok(None);
            }
        }
        Ok(Some(state).filter(|state| !state.table_id.is_empty()))
    }

    fn hint(&self) -> Result<Option<Hint>, StoreError> {
        match self.store.get(&format!("{}/_delta_log/_last_checkpoint", self.name)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Tells whether what a reading began with is still there.
    fn is_still_there(&self, begins: u64) -> bool {
        [self.sum(begins), self.path(begins)].iter().any(|path| self.store.is_there(path))
    }

    /// Tells whether no sum of the log is of a later version: commits before it may be gone.
    fn is_newest(&self, number: u64) -> bool {
        self.hint().is_ok_and(|hint| hint.is_none_or(|hint| hint.version <= number))
    }

    fn commit(&self, version: u64) -> Result<Option<String>, StoreError> {
        match self.store.get(&self.path(version)) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn path(&self, version: u64) -> String {
        format!("{}/_delta_log/{version:020}.json", self.name)
    }

    fn sum(&self, version: u64) -> String {
        format!("{}/_delta_log/{version:020}.checkpoint.parquet", self.name)
    }
}

impl State {
    /// Takes in a line of the commit that made the table; none where it is not ours.
    fn note_first(&mut self, line: &str) -> Option<()> {
        let action: Action<'_> = serde_json::from_str(line).ok()?;
        if let Some(metadata) = action.metadata {
            self.table_id = metadata.id;
        }
        let is_ours = action.protocol.is_none_or(|protocol| protocol.is_ours());
        (is_ours && action.add.is_none()).then_some(())
    }

    /// Takes in a line of a commit; none where it is not understood.
    fn note(
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

    /// Takes in rows of a sum of the log; none where they are not understood.
    fn take_in(&mut self, batch: &RecordBatch, wants: &dyn Fn(&Partition) -> bool) -> Option<()> {
        let of = |name: &str| batch.column_by_name(name)?.as_struct_opt();
        fn text<'a>(of: &'a StructArray, name: &str) -> Option<&'a StringArray> {
            of.column_by_name(name)?.as_string_opt()
        }
        let (add, txn, metadata, protocol) = (of("add")?, of("txn")?, of("metaData")?, of("protocol")?);
        let ours = |name: &str, version: i32| {
            let versions = protocol.column_by_name(name)?.as_primitive_opt::<Int32Type>()?;
            let rows = (0..batch.num_rows()).filter(|&row| protocol.is_valid(row));
            rows.clone().all(|row| versions.value(row) == version).then_some(())
        };
        ours("minReaderVersion", READER_VERSION)?;
        ours("minWriterVersion", WRITER_VERSION)?;
        for name in ["readerFeatures", "writerFeatures"] {
            let Some(features) = protocol.column_by_name(name) else { continue };
            let features = features.as_list_opt::<i32>()?;
            let rows = (0..batch.num_rows()).filter(|&row| protocol.is_valid(row));
            rows.clone().all(|row| features.value_length(row) == 0).then_some(())?;
        }
        let (path, size) = (text(add, "path")?, add.column_by_name("size")?.as_primitive_opt::<Int64Type>()?);
        let partitions = add.column_by_name("partitionValues")?.as_map_opt()?;
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
                    self.files.push(NamedFile::of(path.value(row), size_bytes, partition, Value::Null));
                }
            }
        }
        Some(())
    }
}

impl Protocol {
    fn is_ours(&self) -> bool {
        let asks_nothing = self.reader_features.is_empty() && self.writer_features.is_empty();
        (self.min_reader_version, self.min_writer_version) == (READER_VERSION, WRITER_VERSION) && asks_nothing
    }
}

impl Add<'_> {
    /// Returns the file, if it is wanted; none at all where it is not understood.
    fn file(self, wants: &dyn Fn(&Partition) -> bool) -> Option<Option<NamedFile>> {
        if self.deletion_vector.is_some() {
            return None;
        }
        if !wants(&self.partition_values) {
            return Some(None);
        }
        let stats = match self.stats {
            Some(text) => serde_json::from_str(&serde_json::from_str::<String>(text.get()).ok()?).ok()?,
            None => Value::Null,
        };
        Some(Some(NamedFile::of(&self.path, self.size, self.partition_values, stats)))
    }
}

/// Takes in a line of a commit; none where it is not one of those that only add rows.
fn note_added(line: &str, wants: &dyn Fn(&Partition) -> bool, files: &mut Vec<NamedFile>) -> Option<()> {
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
