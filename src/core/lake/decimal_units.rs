//! The upgrade of a lake to format 4: quantities and units become decimals of four places.
//!
//! Invariant: each of the two tables is changed by one commit, which changes no row.

use bytes::Bytes;

use crate::delta::{Column, LiveFile, Replacement, Table, TableSchema};
use crate::lake::category_groups::is_grouped;
use crate::lake::error::LakeError;
use crate::lake::events_table::{EVENTS, EVENTS_UNTIL_4, QUANTITY, SCHEMA};
use crate::lake::rewrite_files::{NewPlace, replace_files};
use crate::lake::rollups_table::{ROLLUPS, ROLLUPS_SCHEMA, ROLLUPS_UNTIL_4, UNITS};
use crate::parquet_format::{ColumnsError, Encoded, rewrite_aggregates, with_decimal_quantities};
use crate::storage::Store;

/// Rewrites the files of both tables; a table that was changed before stays as it is.
///
/// # Errors
/// Names a file that is damaged; fails where the disk does, or another process commits at the same time.
pub(super) fn make_units_decimal(store: &Store, now_ms: i64) -> Result<(), LakeError> {
    if !is_grouped(store, EVENTS, SCHEMA) {
        change(store, EVENTS, EVENTS_UNTIL_4, QUANTITY, with_decimal_quantities, now_ms)?;
    }
    if !is_grouped(store, ROLLUPS, ROLLUPS_SCHEMA) {
        change(store, ROLLUPS, ROLLUPS_UNTIL_4, UNITS, rewrite_aggregates, now_ms)?;
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
    let place_of = |of: &LiveFile| {
        let folder = of.path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        Ok(NewPlace { folder, partition: of.partition.clone(), constants: Vec::new() })
    };
    let commit = |files: &[Replacement]| newest.change_column(store, column, files, now_ms);
    replace_files(store, name, &newest, &place_of, &|bytes, _| rewritten(bytes), &commit)?;
    Ok(table.checkpoint()?)
}
