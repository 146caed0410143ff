//! Rewrites files of the `events` table: several merged into one, or one without some batches.

use std::collections::HashSet;

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{
    SortColumn, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch,
};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;

use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::events::{BATCH, COLUMNS, DICTIONARIES, PLAIN, ROWS_PER_GROUP, VERSION};
use crate::parquet_format::fields::texts;
use crate::parquet_format::parquet_file::{Encoded, decode, has_column};

/// Returns one file with the rows of several, sorted by item, time and event id.
///
/// # Errors
/// Fails where the bytes are not such files.
pub fn merge_events(files: Vec<Bytes>) -> Result<Encoded, ColumnsError> {
    let mut batches = Vec::new();
    for file in files {
        batches.extend(rows_of(&file)?);
    }
    let all = concatenated(&batches)?;
    let keys = ["item_id", "ts", "event_id"].map(|name| all.column_by_name(name).cloned());
    let keys = keys.into_iter().flatten().map(|values| SortColumn { values, options: None });
    let order = lexsort_to_indices(&keys.collect::<Vec<_>>(), None)?;
    Encoded::of(&take_record_batch(&all, &order)?, ROWS_PER_GROUP, &DICTIONARIES, &PLAIN)
}

/// Returns a file's rows with all columns; the versions are last.
pub(super) fn rows_of(bytes: &Bytes) -> Result<Vec<RecordBatch>, ColumnsError> {
    let mut columns = COLUMNS.to_vec();
    if has_column(bytes, VERSION)? {
        columns.push(VERSION);
    }
    let rows = decode(bytes.clone(), &columns)?;
    rows.map(|batch| with_versions(&batch?)).collect()
}

/// Adds a column of versions, all null, where there is none.
fn with_versions(batch: &RecordBatch) -> Result<RecordBatch, ColumnsError> {
    if batch.column_by_name(VERSION).is_some() {
        return Ok(batch.clone());
    }
    let none = Arc::new(Int64Array::new_null(batch.num_rows()));
    let fields = batch.schema().fields().iter().cloned().chain([version_field()]).collect::<Vec<_>>();
    let columns = batch.columns().iter().cloned().chain([none as _]).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn version_field() -> Arc<Field> {
    Arc::new(Field::new(VERSION, DataType::Int64, true))
}

/// Returns one batch, without the column of versions where there are none.
fn concatenated(batches: &[RecordBatch]) -> Result<RecordBatch, ColumnsError> {
    let schema = batches.first().map(RecordBatch::schema).ok_or(ColumnsError::Column("ts"))?;
    let mut all = concat_batches(&schema, batches)?;
    let versions = schema.fields().len() - 1;
    if all.column(versions).null_count() == all.num_rows() {
        all.remove_column(versions);
    }
    Ok(all)
}

/// Returns an `events` file without the rows of some batches; `None` where it has none of them.
///
/// # Errors
/// Fails where the bytes are not such a file.
pub fn without_batches(bytes: &Bytes, ids: &HashSet<&str>) -> Result<Option<Encoded>, ColumnsError> {
    let is_of = |id: Option<&str>| id.is_some_and(|id| ids.contains(id));
    let mut are_there = false;
    for rows in decode(bytes.clone(), &[BATCH])? {
        are_there |= texts(&rows?, BATCH)?.iter().any(is_of);
    }
    if !are_there {
        return Ok(None);
    }
    let mut kept = Vec::new();
    for rows in rows_of(bytes)? {
        let stays: BooleanArray = texts(&rows, BATCH)?.iter().map(|id| Some(!is_of(id))).collect();
        kept.push(filter_record_batch(&rows, &stays)?);
    }
    encoded_events(&kept).map(Some)
}

/// Returns the file of some rows as [`rows_of`] gives them, in their order.
pub(super) fn encoded_events(rows: &[RecordBatch]) -> Result<Encoded, ColumnsError> {
    Encoded::of(&concatenated(rows)?, ROWS_PER_GROUP, &DICTIONARIES, &PLAIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parquet_format::events::tests::{
        encoded, groups_of, has_all_items_in_a_dictionary, many_sales,
    };

    #[test]
    fn however_many_items_there_are_all_are_in_the_dictionary_of_a_merged_file() {
        let (file, _) = encoded(&many_sales());
        let merged = merge_events(vec![file.bytes]).expect("it can be rewritten");
        has_all_items_in_a_dictionary(&groups_of(&merged.bytes)[0]);
    }
}
