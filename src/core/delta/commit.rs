//! Commits: files added, files removed and application transactions, atomically.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, Int64Builder, MapBuilder, MapFieldNames, RecordBatch,
    StringBuilder, StructArray, new_null_array,
};
use arrow::datatypes::{Field, Fields, Int32Type, Schema};
use arrow::error::ArrowError;
use delta_kernel::FilteredEngineData;
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::transaction::{CommitResult, CommittedTransaction, UpdateTableOperation};

use crate::delta::error::TableError;
use crate::delta::files::LiveFile;
use crate::delta::log_reader::LogReader;
use crate::delta::partition_values::Partition;
use crate::delta::table::{ENGINE_INFO, Table, Version};
use crate::parquet_format::{ColumnStats, Encoded};
use crate::storage::url_encoded;

/// Commits after which a checkpoint is written, so that opening a table stays fast.
const COMMITS_PER_CHECKPOINT: u64 = 50;
/// Added and removed files after which one is written too, since a commit may have thousands: each time a table is
/// opened, the commits since the checkpoint are read several times.
const FILES_PER_CHECKPOINT: u64 = 1_024;
/// A share of the files of the last checkpoint after which one is written: the work for all checkpoints of a table
/// that grows is a multiple of that for the last.
const SHARE_PER_CHECKPOINT: u64 = 8;

/// A file to add: it is written and synced, and no commit names it yet.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Path below the table's folder.
    pub path: String,
    pub partition: Partition,
    pub size_bytes: u64,
    pub rows: u64,
    /// Shared, since a commit may have to be tried again.
    pub columns: Arc<[ColumnStats]>,
}

impl NewFile {
    /// Returns the new file at a path below the table's folder.
    pub fn of(path: String, partition: Partition, encoded: Encoded) -> NewFile {
        let size_bytes = encoded.bytes.len() as u64;
        NewFile { path, partition, size_bytes, rows: encoded.rows, columns: encoded.columns.into() }
    }

    /// Returns the least and the greatest value of a column of 32-bit integers.
    pub fn range_of(&self, column: &str) -> Option<(i32, i32)> {
        let (least, most) = self.columns.iter().find(|of| of.name == column)?.range.as_ref()?;
        let value = |of: &ArrayRef| of.as_primitive_opt::<Int32Type>().map(|of| of.value(0));
        value(least).zip(value(most))
    }
}

/// Whether a commit changes the table's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitKind {
    /// Rows are added or removed.
    #[default]
    Write,
    /// The same rows are stored in other files.
    Optimize,
}

/// What a commit changes.
#[derive(Default)]
pub struct Commit {
    pub kind: CommitKind,
    /// Application ids and their new versions; [`Version::transaction`] returns them.
    pub transactions: Vec<(String, i64)>,
    pub adds: Vec<NewFile>,
    pub removes: Vec<LiveFile>,
    /// Operation metrics in the table's history.
    pub metrics: Vec<(&'static str, u64)>,
    /// The moment of the commit, in milliseconds since 1970: the files' modification time.
    pub now_ms: i64,
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is on disk as this version.
    Committed(u64),
    /// Another process committed first; read the table again.
    Conflict,
}

impl Version<'_> {
    /// Commits on top of this version.
    ///
    /// # Errors
    /// Fails where the log cannot be written; the table is then as it was before.
    pub fn commit(&self, commit: &Commit) -> Result<Outcome, TableError> {
        let table = self.table;
        let engine = table.engine.as_ref();
        let metrics = commit.metrics.iter().map(|(name, value)| (*name, Some(value.to_string())));
        let operation = match commit.kind {
            CommitKind::Write => UpdateTableOperation::Write,
            CommitKind::Optimize => UpdateTableOperation::Optimize,
        };
        let mut transaction = Arc::clone(&self.snapshot)
            .update_table(operation, ENGINE_INFO, commit.kind == CommitKind::Write)
            .build(engine, Box::new(FileSystemCommitter::new()))
            .map_err(|e| table.failed(e))?
            .with_operation_metrics(metrics);
        for (app_id, version) in &commit.transactions {
            transaction = transaction.with_transaction_id(app_id.clone(), *version);
        }
        if !commit.adds.is_empty() {
            let batch = add_batch(&commit.adds, commit.now_ms);
            let batch =
                batch.map_err(|e| table.damaged(&format!("the new files cannot be described: {e}")))?;
            transaction.add_files(Box::new(ArrowEngineData::new(batch)));
        }
        for removed in removals(&commit.removes) {
            transaction.remove_files(removed.map_err(|e| table.failed(e))?);
        }
        match transaction.commit(engine).map_err(|e| table.failed(e))? {
            CommitResult::Committed(committed) => {
                table.after(&committed, (commit.adds.len() + commit.removes.len()) as u64);
                Ok(Outcome::Committed(committed.commit_version()))
            }
            CommitResult::Conflicted(_) => {
                table.store.back_off();
                Ok(Outcome::Conflict)
            }
            CommitResult::Retryable(retryable) => Err(table.failed(retryable.error)),
        }
    }
}

impl Version<'_> {
    /// Returns whether the log names the files of a commit on this version, or may do so although it failed:
    /// they must stay.
    pub fn may_name_files(&self, outcome: &Result<Outcome, TableError>) -> bool {
        match outcome {
            Ok(Outcome::Committed(_)) => true,
            Ok(Outcome::Conflict) => false,
            Err(_) => !self.table.store.is_missing(&self.table.path_of_commit(self.number() + 1)),
        }
    }
}

impl Table {
    /// Remembers the new version, and writes a checkpoint where the log has grown long.
    fn after(&self, committed: &CommittedTransaction, files: u64) {
        let files_since_checkpoint = self.files_since_checkpoint.fetch_add(files, Ordering::Relaxed) + files;
        let Some(snapshot) = committed.post_commit_snapshot() else { return };
        let mut snapshot = Arc::clone(snapshot);
        let commits = committed.post_commit_stats().commits_since_checkpoint;
        if commits >= COMMITS_PER_CHECKPOINT || self.are_many(files_since_checkpoint) {
            // The commit is valid without its checkpoint; the next one tries again.
            if let Ok((_, checkpointed)) = snapshot.checkpoint(self.engine.as_ref(), None) {
                snapshot = checkpointed;
                self.files_since_checkpoint.store(0, Ordering::Relaxed);
            }
        }
        self.remember(snapshot);
    }

    /// Returns whether so many files are worth a checkpoint.
    fn are_many(&self, files: u64) -> bool {
        files >= FILES_PER_CHECKPOINT && {
            let last = LogReader::new(&self.store, &self.name).hint().ok().flatten();
            files >= last.and_then(|of| of.files).unwrap_or_default() / SHARE_PER_CHECKPOINT
        }
    }
}

/// Returns the rows that describe new files to the kernel, in its `add_files_schema`.
fn add_batch(adds: &[NewFile], now_ms: i64) -> Result<RecordBatch, ArrowError> {
    let mut path = StringBuilder::new();
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut partition = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    let mut size = Int64Builder::new();
    let mut modified = Int64Builder::new();
    let mut records = Int64Builder::new();
    for add in adds {
        path.append_value(url_encoded(&add.path));
        for (column, value) in &add.partition {
            partition.keys().append_value(column);
            partition.values().append_option(value.as_deref());
        }
        partition.append(true)?;
        size.append_value(add.size_bytes.cast_signed());
        modified.append_value(now_ms);
        records.append_value(add.rows.cast_signed());
    }
    let columns: [(&str, ArrayRef); 5] = [
        ("path", Arc::new(path.finish())),
        ("partitionValues", Arc::new(partition.finish())),
        ("size", Arc::new(size.finish())),
        ("modificationTime", Arc::new(modified.finish())),
        ("stats", Arc::new(stats(adds, Arc::new(records.finish()))?)),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), *name == "stats"))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, c)| c).collect())
}

/// Returns the statistics column; all files of a commit have the same columns, of which some have not the
/// last ones.
fn stats(adds: &[NewFile], records: ArrayRef) -> Result<StructArray, ArrowError> {
    let widest: &[ColumnStats] =
        adds.iter().map(|add| &*add.columns).max_by_key(|of| of.len()).unwrap_or(&[]);
    let columns = 0..widest.len();
    let facts = |column: usize| adds.iter().map(move |add| add.columns.get(column));
    let name = |column: usize| widest[column].name.as_str();
    let nulls = columns.clone().map(|column| {
        let counts: Int64Array = facts(column).map(|of| of.map(|of| of.nulls.cast_signed())).collect();
        (name(column), Arc::new(counts) as ArrayRef)
    });
    let ends = |pick: fn(&(ArrayRef, ArrayRef)) -> &ArrayRef| -> Result<ArrayRef, ArrowError> {
        let ranged = columns.clone().filter_map(|column| Some((column, widest[column].range.as_ref()?)));
        let values = ranged.map(|(column, (of_type, _))| {
            let none = new_null_array(of_type.data_type(), 1);
            let range = |of: Option<&'_ ColumnStats>| of.and_then(|of| of.range.as_ref()).map(pick).cloned();
            let values: Vec<ArrayRef> =
                facts(column).map(|of| range(of).unwrap_or_else(|| Arc::clone(&none))).collect();
            let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
            Ok((name(column), arrow::compute::concat(&values)?))
        });
        Ok(Arc::new(struct_of(values.collect::<Result<Vec<_>, ArrowError>>()?)?))
    };
    struct_of(vec![
        ("numRecords", records),
        ("nullCount", Arc::new(struct_of(nulls.collect())?)),
        ("minValues", ends(|(min, _)| min)?),
        ("maxValues", ends(|(_, max)| max)?),
    ])
}

fn struct_of(columns: Vec<(&str, ArrayRef)>) -> Result<StructArray, ArrowError> {
    let fields: Fields =
        columns.iter().map(|(name, c)| Field::new(*name, c.data_type().clone(), true)).collect();
    StructArray::try_new(fields, columns.into_iter().map(|(_, column)| column).collect(), None)
}

/// Returns the log's own rows about the files, one selection for each batch they were read in.
fn removals(removes: &[LiveFile]) -> impl Iterator<Item = delta_kernel::KernelResult<FilteredEngineData>> {
    let mut batches: HashMap<*const RecordBatch, (Arc<RecordBatch>, Vec<bool>)> = HashMap::new();
    for file in removes {
        let (batch, row) = &file.origin;
        let (_, selected) = batches
            .entry(Arc::as_ptr(batch))
            .or_insert_with(|| (Arc::clone(batch), vec![false; batch.num_rows()]));
        selected[*row] = true;
    }
    batches.into_values().map(|(batch, selected)| {
        FilteredEngineData::try_new(Box::new(ArrowEngineData::new(batch.as_ref().clone())), selected)
    })
}
