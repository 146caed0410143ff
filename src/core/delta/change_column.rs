//! Changes a table's columns: every file is replaced by one that has the new ones.
//!
//! The kernel commits no change of a column's type or of the partitioning, so these commits are written here, as
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md> describes it: the new metadata, and for each
//! file a `remove` and an `add` that change no row.

use std::sync::Arc;

use arrow::array::{Array, AsArray, StringArray};
use delta_kernel::schema::{SchemaRef, StructField, StructType};
use serde_json::{Value, json};

use crate::delta::commit::Outcome;
use crate::delta::error::TableError;
use crate::delta::files::LiveFile;
use crate::delta::log_checksums::{LogFile, with_checksum};
use crate::delta::partition_values::Partition;
use crate::delta::schema::{Column, TableSchema};
use crate::delta::table::{ENGINE_INFO, Version};
use crate::storage::{Store, checksum, url_encoded};

/// A file that replaces another one: it is written and synced, and no commit names it yet.
pub struct Replacement {
    pub of: LiveFile,
    /// Path below the table's folder.
    pub path: String,
    pub size_bytes: u64,
    pub partition: Partition,
    /// Columns that are new in the file, and have one value in all of its rows; a text or a number, or null.
    pub constants: Vec<(&'static str, Value)>,
}

impl Version<'_> {
    /// Returns whether the table has a column of this name and type.
    pub fn has(&self, column: Column) -> bool {
        let field = column.to_delta();
        self.snapshot.schema().field(field.name()).is_some_and(|of| of.data_type() == field.data_type())
    }

    /// Commits a column's new type, with a replacement for each of the table's files; their statistics must
    /// hold for the new values, too.
    ///
    /// # Errors
    /// Fails where the log cannot be written; the table is then as it was before.
    pub fn change_column(
        &self,
        store: &Store,
        column: Column,
        files: &[Replacement],
        now_ms: i64,
    ) -> Result<Outcome, TableError> {
        let schema = with_type(&self.snapshot.schema(), &column.to_delta());
        let metadata = self.metadata_with(&schema, None)?;
        self.replace_files(store, ("CHANGE COLUMN", json!({"column": column.0})), &metadata, files, now_ms)
    }

    /// Commits other columns and another partitioning, with a replacement for each of the table's files.
    ///
    /// # Errors
    /// Fails where the log cannot be written; the table is then as it was before.
    pub fn change_schema(
        &self,
        store: &Store,
        schema: TableSchema,
        files: &[Replacement],
        now_ms: i64,
    ) -> Result<Outcome, TableError> {
        let partitions = schema.partition_columns();
        let metadata = self.metadata_with(&schema.to_delta(), Some(&partitions))?;
        self.replace_files(
            store,
            ("REPLACE COLUMNS", json!({"partitionBy": json!(partitions).to_string()})),
            &metadata,
            files,
            now_ms,
        )
    }

    fn replace_files(
        &self,
        store: &Store,
        (operation, parameters): (&str, Value),
        metadata: &Value,
        files: &[Replacement],
        now_ms: i64,
    ) -> Result<Outcome, TableError> {
        let mut lines = vec![
            json!({"commitInfo": {
                "timestamp": now_ms,
                "operation": operation,
                "operationParameters": parameters,
                "engineInfo": ENGINE_INFO,
            }}),
            json!({"metaData": metadata}),
        ];
        for file in files {
            lines.extend(self.replaced(file, now_ms)?);
        }
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let number = self.number() + 1;
        let path = format!("{}/_delta_log/{number:020}.json", self.table.name);
        let before = store.get(&format!("{}/_delta_log/{:020}.json", self.table.name, self.number()));
        let before = before.ok().map(|bytes| checksum(&bytes));
        let commit = with_checksum(&path, LogFile::Commit(number), text.as_bytes(), before);
        let is_new = store.put_new_durably(&path, commit.into())?;
        Ok(if is_new { Outcome::Committed(number) } else { Outcome::Conflict })
    }

    /// Returns the metadata with another schema, and other partition columns where these change, too.
    fn metadata_with(&self, schema: &SchemaRef, partitions: Option<&[&str]>) -> Result<Value, TableError> {
        let metadata = self.snapshot.table_configuration().metadata();
        let partitions = partitions.map_or_else(|| json!(metadata.partition_columns()), |of| json!(of));
        let schema = serde_json::to_string(schema).map_err(|e| self.table.damaged(&e.to_string()))?;
        let mut value = json!({
            "id": metadata.id(),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema,
            "partitionColumns": partitions,
            "configuration": metadata.configuration(),
        });
        let optional = [
            ("name", metadata.name().map(Value::from)),
            ("description", metadata.description().map(Value::from)),
            ("createdTime", metadata.created_time().map(Value::from)),
        ];
        for (name, of) in optional {
            if let Some(of) = of {
                value[name] = of;
            }
        }
        Ok(value)
    }

    fn replaced(&self, file: &Replacement, now_ms: i64) -> Result<[Value; 2], TableError> {
        let damaged = || self.table.damaged("its files have an unexpected form");
        let (batch, row) = &file.of.origin;
        let text = |name: &str| -> Option<&StringArray> { batch.column_by_name(name)?.as_string_opt() };
        let (path, stats) = (text("path").ok_or_else(damaged)?, text("stats").ok_or_else(damaged)?);
        let stats = stats.is_valid(*row).then(|| with_constants(stats.value(*row), file));
        let remove = json!({"remove": {
            "path": path.value(*row),
            "deletionTimestamp": now_ms,
            "dataChange": false,
            "extendedFileMetadata": true,
            "partitionValues": file.of.partition,
            "size": file.of.size_bytes,
        }});
        let add = json!({"add": {
            "path": url_encoded(&file.path),
            "partitionValues": file.partition,
            "size": file.size_bytes,
            "modificationTime": now_ms,
            "dataChange": false,
            "stats": stats,
        }});
        Ok([remove, add])
    }
}

/// Returns statistics with those of the new columns of a file.
fn with_constants(stats: &str, file: &Replacement) -> String {
    let Ok(mut stats) = serde_json::from_str::<Value>(stats) else { return stats.to_owned() };
    for (column, value) in &file.constants {
        stats["nullCount"][column] = if value.is_null() { file.of.rows } else { 0 }.into();
        if !value.is_null() {
            stats["minValues"][column] = value.clone();
            stats["maxValues"][column] = value.clone();
        }
    }
    stats.to_string()
}

/// Returns a schema in which one column has another type.
fn with_type(schema: &SchemaRef, column: &StructField) -> SchemaRef {
    let fields = schema.fields().map(|field| match field.name() == column.name() {
        true => column.clone(),
        false => field.clone(),
    });
    Arc::new(StructType::new_unchecked(fields))
}
