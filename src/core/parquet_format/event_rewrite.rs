//! Rewrites files of the `events` table: several merged into one, or one without some batches.

use std::collections::HashSet;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{
    SortColumn, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch,
};
use bytes::Bytes;

use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::events::{BATCH, COLUMNS, DICTIONARIES, PLAIN, ROWS_PER_GROUP};
use crate::parquet_format::fields::texts;
use crate::parquet_format::parquet_file::{Encoded, decode};

/// Returns one file with the rows of several, sorted by item, time and event id.
///
/// # Errors
/// Fails where the bytes are not such files.
pub fn merge_events(files: Vec<Bytes>) -> Result<Encoded, ColumnsError> {
    let mut batches = Vec::new();
    for file in files {
        for batch in decode(file, &COLUMNS)? {
            batches.push(batch?);
        }
    }
    let schema = batches.first().map(RecordBatch::schema).ok_or(ColumnsError::Column("ts"))?;
    let all = concat_batches(&schema, &batches)?;
    let keys = ["item_id", "ts", "event_id"].map(|name| all.column_by_name(name).cloned());
    let keys = keys.into_iter().flatten().map(|values| SortColumn { values, options: None });
    let order = lexsort_to_indices(&keys.collect::<Vec<_>>(), None)?;
    Encoded::of(&take_record_batch(&all, &order)?, ROWS_PER_GROUP, &DICTIONARIES, &PLAIN)
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
    for rows in decode(bytes.clone(), &COLUMNS)? {
        let rows = rows?;
        let stays: BooleanArray = texts(&rows, BATCH)?.iter().map(|id| Some(!is_of(id))).collect();
        kept.push(filter_record_batch(&rows, &stays)?);
    }
    let schema = kept.first().map(RecordBatch::schema).ok_or(ColumnsError::Column(BATCH))?;
    Ok(Some(Encoded::of(&concat_batches(&schema, &kept)?, ROWS_PER_GROUP, &DICTIONARIES, &PLAIN)?))
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
