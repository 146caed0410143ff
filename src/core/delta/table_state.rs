//! A table's version, put together from a checkpoint and the commits after it.
//!
//! Invariant: what this program could not have written is not interpreted.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{Int32Type, Int64Type};

use crate::delta::file_stats::FileStats;
use crate::delta::files::NamedFile;
use crate::delta::log_actions::{Action, Transaction};
use crate::delta::partition_values::{Partition, map_entries};
use crate::delta::schema::{READER_VERSION, WRITER_VERSION};
use crate::storage::url_decoded;

/// A table's newest version, as far as it was asked for.
#[derive(Default)]
pub struct TableState {
    pub number: u64,
    /// The files of the wanted partitions; their statistics may be missing.
    pub files: Vec<NamedFile>,
    pub(super) table_id: String,
    pub(super) transactions: HashMap<String, i64>,
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

impl TableState {
    /// Applies a line of the commit that created the table; none where it has an unexpected form.
    pub(super) fn apply_first(&mut self, line: &str) -> Option<()> {
        let action: Action<'_> = serde_json::from_str(line).ok()?;
        if let Some(metadata) = action.metadata {
            self.table_id = metadata.id;
        }
        let is_ours = action.protocol.is_none_or(|protocol| protocol.is_ours());
        (is_ours && action.add.is_none()).then_some(())
    }

    /// Applies a line of a commit; none where it has an unexpected form.
    pub(super) fn apply(
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

    /// Takes the table's id from some rows of a checkpoint; none where the table needs what is not read here, or the rows
    /// have an unexpected form.
    pub(super) fn apply_metadata(&mut self, batch: &RecordBatch) -> Option<()> {
        let (metadata, protocol) = (struct_of(batch, "metaData")?, struct_of(batch, "protocol")?);
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
        for row in (0..batch.num_rows()).filter(|&row| metadata.is_valid(row)) {
            text(metadata, "id")?.value(row).clone_into(&mut self.table_id);
        }
        Some(())
    }

    /// Applies rows of a checkpoint; none where they have an unexpected form.
    pub(super) fn apply_checkpoint(
        &mut self,
        batch: &RecordBatch,
        wants: &dyn Fn(&Partition) -> bool,
    ) -> Option<()> {
        self.apply_metadata(batch)?;
        let (add, txn) = (struct_of(batch, "add")?, struct_of(batch, "txn")?);
        let (path, size) = (text(add, "path")?, add.column_by_name("size")?.as_primitive_opt::<Int64Type>()?);
        let partitions = add.column_by_name("partitionValues")?.as_map_opt()?;
        let stats = text(add, "stats");
        let vectors = add.column_by_name("deletionVector").and_then(AsArray::as_struct_opt);
        let (app_id, version) =
            (text(txn, "appId")?, txn.column_by_name("version")?.as_primitive_opt::<Int64Type>()?);
        for row in 0..batch.num_rows() {
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
                    let stats = stats.and_then(FileStats::parse).unwrap_or_default();
                    self.files.push(NamedFile::of(path.value(row), size_bytes, partition, stats));
                }
            }
        }
        Some(())
    }
}

fn struct_of<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StructArray> {
    batch.column_by_name(name)?.as_struct_opt()
}

fn text<'a>(of: &'a StructArray, name: &str) -> Option<&'a StringArray> {
    of.column_by_name(name)?.as_string_opt()
}
