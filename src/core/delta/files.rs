//! The files of a table's version.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use arrow::array::{
    Array, AsArray, BooleanArray, Int64Array, MapArray, RecordBatch, StringArray, StructArray,
};
use arrow::datatypes::Int64Type;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use serde_json::Value;

use crate::delta::error::TableError;
use crate::delta::table::{Table, Version};
use crate::storage::url_decoded;

/// A partition's values by column; `None` where the rows have no value.
pub type Partition = BTreeMap<String, Option<String>>;

/// A data file, as a table's log describes it.
#[derive(Clone, Debug)]
pub struct NamedFile {
    /// Path below the table's folder.
    pub path: String,
    pub size_bytes: u64,
    pub partition: Partition,
    pub rows: u64,
    /// Statistics of the log by column: nulls, the smallest and the largest value.
    pub null_counts: Value,
    pub min_values: Value,
    pub max_values: Value,
}

/// A file of the table's newest version.
#[derive(Clone)]
pub struct LiveFile {
    file: NamedFile,
    /// The log's own row about the file, which its removal needs.
    pub(super) origin: (Arc<RecordBatch>, usize),
}

impl Deref for LiveFile {
    type Target = NamedFile;

    fn deref(&self) -> &NamedFile {
        &self.file
    }
}

impl From<LiveFile> for NamedFile {
    fn from(live: LiveFile) -> NamedFile {
        live.file
    }
}

impl Version<'_> {
    /// Returns the files of this version, sorted by path.
    ///
    /// # Errors
    /// Fails where the log cannot be read.
    pub fn files(&self) -> Result<Vec<LiveFile>, TableError> {
        self.files_of(&|_| true)
    }

    /// Returns the files of the wanted partitions, sorted by path.
    ///
    /// # Errors
    /// Fails where the log cannot be read.
    pub fn files_of(&self, wants: &dyn Fn(&Partition) -> bool) -> Result<Vec<LiveFile>, TableError> {
        let failed = |e| self.table.failed(e);
        let scan = Arc::clone(&self.snapshot).scan_builder().build().map_err(failed)?;
        let mut files = Vec::new();
        for scanned in scan.scan_metadata(self.table.engine.as_ref()).map_err(failed)? {
            let (data, mut selected) = scanned.map_err(failed)?.scan_files.into_parts();
            let data = ArrowEngineData::try_from_engine_data(data).map_err(failed)?;
            let batch = Arc::new(data.record_batch().clone());
            selected.resize(batch.num_rows(), true);
            self.table.collect(&batch, &selected, wants, &mut files)?;
        }
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }
}

impl NamedFile {
    /// Returns a file as far as reading it needs.
    pub fn new(path: &str, size_bytes: u64, rows: u64) -> NamedFile {
        NamedFile {
            path: path.to_owned(),
            size_bytes,
            partition: Partition::new(),
            rows,
            null_counts: Value::Null,
            min_values: Value::Null,
            max_values: Value::Null,
        }
    }

    /// Returns a file from the log's description, where paths are URL-encoded.
    pub(super) fn of(path: &str, size_bytes: u64, partition: Partition, mut stats: Value) -> NamedFile {
        let mut of_columns = |name: &str| stats.get_mut(name).map(Value::take).unwrap_or_default();
        NamedFile {
            path: url_decoded(path),
            size_bytes,
            partition,
            null_counts: of_columns("nullCount"),
            min_values: of_columns("minValues"),
            max_values: of_columns("maxValues"),
            rows: stats["numRecords"].as_u64().unwrap_or(0),
        }
    }
}

impl Table {
    fn collect(
        &self,
        batch: &Arc<RecordBatch>,
        selected: &[bool],
        wants: &dyn Fn(&Partition) -> bool,
        files: &mut Vec<LiveFile>,
    ) -> Result<(), TableError> {
        let damaged = || self.damaged("its files have an unexpected form");
        let column = |name: &str| batch.column_by_name(name).ok_or_else(damaged);
        let path: &StringArray = column("path")?.as_string_opt().ok_or_else(damaged)?;
        let size: &Int64Array = column("size")?.as_primitive_opt::<Int64Type>().ok_or_else(damaged)?;
        let stats: &StringArray = column("stats")?.as_string_opt().ok_or_else(damaged)?;
        let constants: &StructArray = column("fileConstantValues")?.as_struct_opt().ok_or_else(damaged)?;
        let partitions = constants.column_by_name("partitionValues").ok_or_else(damaged)?;
        let partitions = partitions.as_map_opt().ok_or_else(damaged)?;
        for row in (0..batch.num_rows()).filter(|&row| selected[row]) {
            let partition = map_entries(partitions, row).ok_or_else(damaged)?;
            if !wants(&partition) {
                continue;
            }
            let stats: Value = match stats.is_valid(row) {
                true => serde_json::from_str(stats.value(row)).map_err(|_| damaged())?,
                false => Value::Null,
            };
            let size_bytes = size.value(row).max(0).unsigned_abs();
            let file = NamedFile::of(path.value(row), size_bytes, partition, stats);
            files.push(LiveFile { file, origin: (Arc::clone(batch), row) });
        }
        Ok(())
    }
}

/// Returns the texts of one map value.
pub(super) fn map_entries(maps: &MapArray, row: usize) -> Option<Partition> {
    let entries = maps.value(row);
    let keys: &StringArray = entries.column(0).as_string_opt()?;
    let values: &StringArray = entries.column(1).as_string_opt()?;
    let value_at = |at: usize| values.is_valid(at).then(|| values.value(at).to_owned());
    Some((0..entries.len()).map(|at| (keys.value(at).to_owned(), value_at(at))).collect())
}

/// Returns the boolean column of that name, if it is one.
pub(super) fn boolean_column<'a>(of: &'a StructArray, name: &str) -> Option<&'a BooleanArray> {
    of.column_by_name(name)?.as_boolean_opt()
}
