//! Run records as Parquet: one row each, with the spans as a list.
//!
//! The caller's type is serialized; this file only defines the columns. Fields without a column are not
//! stored, so a new field of the record needs a new column here.
//!
//! ```text
//! id, command, started, …    texts, numbers, moments
//! due, before, after         structs
//! counts, stage_seconds      maps
//! asked                      list<string>
//! batches                    list<struct<input, id, outcome>>
//! spans                      list<struct<span_id, parent_span_id, name, started, ended, outcome, attributes>>
//! ```

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use arrow::error::ArrowError;
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::panic_guard::{GuardedBatches, guarded};
use crate::parquet_format::parquet_file::{plain_options, write};

/// Rows of a group.
const ROWS_PER_GROUP: usize = 1 << 16;

/// Returns the file of some records.
///
/// # Errors
/// Fails where a value does not fit its column, such as an invalid time.
pub fn encode_run_records<T: Serialize>(runs: &[T]) -> Result<Bytes, ColumnsError> {
    let unwritable = |e: ArrowError| ColumnsError::Unwritable(e.to_string());
    let builder = ReaderBuilder::new(Arc::new(schema())).with_batch_size(runs.len().max(1));
    let mut decoder = builder.build_decoder().map_err(unwritable)?;
    decoder.serialize(runs).map_err(unwritable)?;
    let batch = decoder.flush().map_err(unwritable)?;
    let batch = batch.ok_or_else(|| ColumnsError::Unwritable("there are no records".to_owned()))?;
    write(&batch, ROWS_PER_GROUP, &[], &[])
}

/// Returns the records of a file.
///
/// # Errors
/// Fails where the bytes are not a Parquet file of such records.
pub fn decode_run_records<T: DeserializeOwned>(bytes: Bytes) -> Result<Vec<T>, ColumnsError> {
    let batches = guarded(|| {
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, plain_options())?;
        Ok(GuardedBatches::of(builder.with_batch_size(ROWS_PER_GROUP).build()?))
    })?;
    let mut runs = Vec::new();
    for batch in batches {
        let batch = batch?;
        let lines = guarded(|| {
            let mut writer = LineDelimitedWriter::new(Vec::new());
            writer.write(&batch)?;
            writer.finish()?;
            Ok(writer.into_inner())
        })?;
        for run in serde_json::Deserializer::from_slice(&lines).into_iter() {
            runs.push(run.map_err(|e| ColumnsError::Unreadable(e.to_string()))?);
        }
    }
    Ok(runs)
}

fn schema() -> Schema {
    let versions = || group(vec![number("events"), number("rollups"), text("ranking")]);
    let span = group(vec![
        text("span_id"),
        text("parent_span_id"),
        text("name"),
        moment("started"),
        moment("ended"),
        text("outcome"),
        map("attributes", DataType::Utf8),
    ]);
    Schema::new(vec![
        number("schema"),
        text("id"),
        text("command"),
        list("asked", DataType::Utf8),
        field("due", group(vec![text("job"), moment("at"), number("attempt")])),
        moment("started"),
        moment("ended"),
        field("seconds", DataType::Float64),
        text("outcome"),
        text("message"),
        number("exit_code"),
        number("signal"),
        text("version"),
        text("machine"),
        text("boot"),
        text("namespace"),
        number("process"),
        number("process_start_ticks"),
        text("trace_id"),
        text("span_id"),
        text("parent_span_id"),
        field("before", versions()),
        field("after", versions()),
        map("counts", DataType::Int64),
        list("batches", group(vec![text("input"), text("id"), text("outcome")])),
        number("input_bytes"),
        number("read_bytes"),
        number("written_bytes"),
        map("stage_seconds", DataType::Float64),
        list("spans", span),
        number("peak_memory_bytes"),
        text("output_tail"),
    ])
}

fn field(name: &str, of: DataType) -> Field {
    Field::new(name, of, true)
}

fn text(name: &str) -> Field {
    field(name, DataType::Utf8)
}

fn number(name: &str) -> Field {
    field(name, DataType::Int64)
}

fn moment(name: &str) -> Field {
    field(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
}

fn group(fields: Vec<Field>) -> DataType {
    DataType::Struct(Fields::from(fields))
}

fn list(name: &str, of: DataType) -> Field {
    field(name, DataType::List(Arc::new(field("element", of))))
}

fn map(name: &str, of: DataType) -> Field {
    let entry = group(vec![Field::new("key", DataType::Utf8, false), field("value", of)]);
    field(name, DataType::Map(Arc::new(Field::new("key_value", entry, false)), false))
}
