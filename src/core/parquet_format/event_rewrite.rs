//! Rewrites files of the `events` table: several merged into one, or one without some batches.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimestampMicrosecondType};
use bytes::Bytes;

use crate::model::{CategoryGroup, Sharing};
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::events::{
    BATCH, CATEGORY, COLUMNS, DICTIONARIES, HOUR, PLAIN, ROWS_PER_GROUP, VERSION,
};
use crate::parquet_format::fields::{numbers, texts};
use crate::parquet_format::parquet_file::{Encoded, decode, has_column};
use crate::parquet_format::pick_rows::{RowOf, all_rows, pick_rows};

/// Some rows of one category or of several that share a file, rewritten.
pub struct MergedEvents {
    pub group: CategoryGroup,
    pub encoded: Encoded,
}

/// Returns the rows of several files of a day in as few files as there are groups of categories, given which share
/// one, each sorted by category, item, time and event id.
///
/// # Errors
/// Fails where the bytes are not such files.
pub fn merge_events(files: Vec<Bytes>, sharing: Sharing) -> Result<Vec<MergedEvents>, ColumnsError> {
    let mut batches = Vec::new();
    for file in files {
        batches.extend(rows_of(&file)?);
    }
    let mut groups: BTreeMap<CategoryGroup, Vec<RowOf>> = BTreeMap::new();
    for (category, rows) in by_category(&batches)? {
        let group = CategoryGroup::of(category.as_deref(), rows.len(), sharing);
        groups.entry(group).or_default().extend(rows);
    }
    let merged = groups
        .into_iter()
        .map(|(group, rows)| Ok(MergedEvents { group, encoded: encoded_events(&batches, &rows)? }));
    merged.collect()
}

/// Returns all rows by category, sorted; those of one item, time and event id in the order in which they were
/// given.
fn by_category(batches: &[RecordBatch]) -> Result<BTreeMap<Option<String>, Vec<RowOf>>, ColumnsError> {
    let mut keys = Vec::with_capacity(batches.len());
    for batch in batches {
        let times = numbers::<TimestampMicrosecondType>(batch, "ts")?;
        keys.push((texts(batch, "item_id")?, times, texts(batch, "event_id")?));
    }
    let categories = batches.iter().map(|batch| texts(batch, CATEGORY)).collect::<Result<Vec<_>, _>>()?;
    let mut rows: BTreeMap<Option<String>, Vec<RowOf>> = BTreeMap::new();
    for (batch, categories) in (0..).zip(&categories) {
        let value = |row: usize| categories.is_valid(row).then(|| categories.value(row));
        let mut start = 0;
        while start < categories.len() {
            let category = value(start);
            let more = (start..categories.len()).take_while(|&row| value(row) == category).count();
            let run = (start as u32..).take(more).map(|row| RowOf { batch, row });
            rows.entry(category.map(str::to_owned)).or_default().extend(run);
            start += more;
        }
    }
    let key = |at: &RowOf| {
        let ((items, times, ids), row) = (&keys[at.batch as usize], at.row as usize);
        (items.value(row), times.value(row), ids.is_valid(row).then(|| ids.value(row)))
    };
    // Each file is sorted so already: a stable sort merges what it finds sorted.
    rows.values_mut().for_each(|rows| rows.sort_by(|a, b| key(a).cmp(&key(b))));
    Ok(rows)
}

/// Returns a file's rows with all columns; the versions are last.
pub(super) fn rows_of(bytes: &Bytes) -> Result<Vec<RecordBatch>, ColumnsError> {
    let mut columns = COLUMNS.to_vec();
    if !has_column(bytes, HOUR)? {
        // A file of an older format, which is upgraded.
        columns.retain(|column| ![HOUR, CATEGORY].contains(column));
    }
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
    let batches = rows_of(bytes)?;
    let mut kept = all_rows(&batches);
    let ids_of = batches.iter().map(|batch| texts(batch, BATCH)).collect::<Result<Vec<_>, _>>()?;
    kept.retain(|at| {
        let (ids, row) = (&ids_of[at.batch as usize], at.row as usize);
        !is_of(ids.is_valid(row).then(|| ids.value(row)))
    });
    encoded_events(&batches, &kept).map(Some)
}

/// Returns the file of some rows of batches as [`rows_of`] gives them; it has no column of versions where
/// none of the rows has one.
pub(super) fn encoded_events(batches: &[RecordBatch], rows: &[RowOf]) -> Result<Encoded, ColumnsError> {
    let mut picked = pick_rows(batches, rows)?;
    let versions = picked.num_columns() - 1;
    if picked.column(versions).null_count() == picked.num_rows() {
        picked.remove_column(versions);
    }
    Encoded::of(&picked, ROWS_PER_GROUP, &DICTIONARIES, &PLAIN)
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
        let merged = merge_events(vec![file.bytes], Sharing::ByShard).expect("it can be rewritten");
        let groups: Vec<String> = merged.iter().map(|of| of.group.to_string()).collect();
        assert_eq!(groups, ["(no category)", "A"]);
        has_all_items_in_a_dictionary(&groups_of(&merged[1].encoded.bytes)[0]);
    }
}
