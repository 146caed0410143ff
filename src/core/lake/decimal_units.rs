//! The upgrade of a lake to format 4: quantities and units become decimals of four places.
//!
//! Invariant: each of the two tables is changed by one commit, which changes no row.

use bytes::Bytes;
use rayon::prelude::*;

use crate::delta::{Column, LiveFile, Outcome, Replacement, Table, TableError, TableSchema};
use crate::lake::category_groups::is_grouped;
use crate::lake::error::LakeError;
use crate::lake::events_table::{EVENTS, EVENTS_UNTIL_4, QUANTITY, SCHEMA};
use crate::lake::rollups_table::{ROLLUPS, ROLLUPS_SCHEMA, ROLLUPS_UNTIL_4, UNITS};
use crate::parquet_format::{ColumnsError, Encoded, with_decimal_quantities, with_decimal_units};
use crate::storage::{Store, unique_id};

/// Rewrites the files of both tables; a table that was changed before stays as it is.
///
/// # Errors
/// Names a file that is damaged; fails where the disk does, or another process commits at the same time.
pub(super) fn make_units_decimal(store: &Store, now_ms: i64) -> Result<(), LakeError> {
    if !is_grouped(store, EVENTS, SCHEMA) {
        change(store, EVENTS, EVENTS_UNTIL_4, QUANTITY, with_decimal_quantities, now_ms)?;
    }
    if !is_grouped(store, ROLLUPS, ROLLUPS_SCHEMA) {
        change(store, ROLLUPS, ROLLUPS_UNTIL_4, UNITS, with_decimal_units, now_ms)?;
    }
    Ok(())
}

fn change(
    store: &Store,
    name: &str,
    schema: TableSchema,
    column: Column,
    rewritten: fn(&Bytes) -> Result<Encoded, ColumnsError>,
    now_ms: i64,
) -> Result<(), LakeError> {
    let Some(table) = Table::open(store, name, schema)? else { return Ok(()) };
    let newest = table.newest()?;
    if newest.has(column) {
        return Ok(());
    }
    let bulk = store.bulk_writer(name)?;
    let replace = |of: LiveFile| {
        let file = format!("{name}/{}", of.path);
        let encoded = rewritten(&store.get_checked(&file)?)
            .map_err(|source| LakeError::Columns { file: file.clone(), source })?;
        if encoded.rows != of.rows {
            return Err(LakeError::LostRows { file });
        }
        let folder = of.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = format!("{folder}/{}", encoded.name(&unique_id()));
        bulk.put(&format!("{name}/{path}"), encoded.bytes.clone())?;
        let size_bytes = encoded.bytes.len() as u64;
        let partition = of.partition.clone();
        Ok(Replacement { of, path, size_bytes, partition, constants: Vec::new() })
    };
    let files: Result<Vec<Replacement>, LakeError> = newest.files()?.into_par_iter().map(replace).collect();
    let files = files?;
    let written = bulk.finish()?;
    let outcome = newest.change_column(store, column, &files, now_ms);
    if newest.may_name_files(&outcome) {
        written.keep();
    }
    match outcome? {
        Outcome::Committed(_) => Ok(table.checkpoint()?),
        Outcome::Conflict => Err(TableError::Contended { table: name.to_owned(), tries: 1 }.into()),
    }
}
