//! The `rollups` table: its schema, its files, and the partition and hours of each.
//!
//! Invariant: a file holds one or more hours of one event type, group of categories and day, and no hour of a
//! category is in two files.
//!
//! ```text
//! rollups/event_type=purchase/category_group=~07/date=2017-01-07/….parquet
//! ```

use std::ops::Range;

use bytes::Bytes;

use crate::delta::{LiveFile, LogReader, NamedFile, Table, VacuumPlan, VacuumRule};
use crate::lake::{DryRun, FilePartition, ROLLUPS, ROLLUPS_SCHEMA};
use crate::model::{AggregateRows, Date, EventTypes, Hour, Shard, category_of_set};
use crate::parquet_format::{AggregateBlock, ColumnsError, DictionaryInterner, ItemRange, decode_aggregates};
use crate::rollup::error::RollupError;
use crate::storage::Store;

/// The `rollups` table.
pub struct Rollups {
    pub(super) store: Store,
    pub(super) table: Table,
}

/// The event types and hours whose aggregates are read.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    pub event_types: &'a EventTypes,
    /// First hour, and the hour after the last.
    pub hours: Range<Hour>,
}

impl Selection<'_> {
    /// Returns whether a file may hold selected rows.
    pub(super) fn overlaps(&self, partition: &FilePartition) -> bool {
        partition.overlaps(&self.hours) && self.event_types.counting(&partition.day.event_type).is_some()
    }
}

/// Returns the partition of a file, and the hours of its day that it may hold.
///
/// # Errors
/// [`RollupError::BadPartition`] where a value is missing or malformed.
pub(super) fn partition_of(file: &NamedFile) -> Result<FilePartition, RollupError> {
    FilePartition::of(file).ok_or_else(|| RollupError::BadPartition { file: path_of(file) })
}

/// Returns whether some files have categories of other shards, too.
///
/// # Errors
/// As [`partition_of`].
pub(super) fn is_part_of_any(files: &[LiveFile], shard: Shard) -> Result<bool, RollupError> {
    for file in files {
        if shard.is_part_of(partition_of(file)?.day.group.shard()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the version number of the table, by the names of its commits; none where there is no table.
pub fn version(store: &Store) -> Option<u64> {
    LogReader::new(store, ROLLUPS).number()
}

/// Returns the log of the table in a store.
pub fn log(store: &Store) -> LogReader<'_> {
    LogReader::new(store, ROLLUPS)
}

/// Returns a file's path below the lake.
pub(super) fn path_of(file: &NamedFile) -> String {
    format!("{ROLLUPS}/{}", file.path)
}

impl Rollups {
    /// Opens the table; none where nothing was ever aggregated.
    ///
    /// # Errors
    /// Fails where it cannot be read.
    pub fn open(store: &Store) -> Result<Option<Rollups>, RollupError> {
        let table = Table::open(store, ROLLUPS, ROLLUPS_SCHEMA)?;
        Ok(table.map(|table| Rollups { store: store.clone(), table }))
    }

    /// Opens the table, or creates it.
    ///
    /// # Errors
    /// Fails where it cannot be read or created.
    pub fn open_or_create(store: &Store) -> Result<Rollups, RollupError> {
        let table = Table::open_or_create(store, ROLLUPS, ROLLUPS_SCHEMA, &[])?;
        Ok(Rollups { store: store.clone(), table })
    }

    /// Returns the version number of the newest version, and its files.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn files(&self) -> Result<(u64, Vec<LiveFile>), RollupError> {
        let newest = self.table.newest()?;
        Ok((newest.number(), newest.files()?))
    }

    /// Removes, or only lists, the files that are no longer referenced; no rollup may be running.
    ///
    /// # Errors
    /// Fails where the disk does; only unreferenced files are removed.
    pub fn vacuum(&self, rule: &VacuumRule, dry_run: DryRun) -> Result<VacuumPlan, RollupError> {
        let mut vacuum = self.table.plan_vacuum(&self.store, rule)?;
        vacuum.data.extend(self.outdated_months(rule)?);
        vacuum.data.extend(self.outdated_indexes(rule)?);
        if dry_run == DryRun::No {
            vacuum.remove(&self.store)?;
        }
        Ok(vacuum)
    }

    /// Returns the day of a file's aggregates.
    ///
    /// # Errors
    /// [`RollupError::BadPartition`] where its partition is malformed.
    pub fn date_of(file: &LiveFile) -> Result<Date, RollupError> {
        Ok(partition_of(file)?.day.date)
    }

    /// Checks a file, which is decoded only if it has no checksum, and returns how many rows it has.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn check_file(&self, file: &LiveFile) -> Result<u64, RollupError> {
        if self.store.check_whole(&path_of(file), file.size_bytes)? {
            return Ok(file.rows);
        }
        let mut aggregates = AggregateRows::default();
        self.read_file(file, &mut aggregates)?;
        Ok(aggregates.rows.len() as u64)
    }

    /// Appends all rows of a file.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub(super) fn read_file(&self, file: &NamedFile, into: &mut AggregateRows) -> Result<(), RollupError> {
        read_file(&self.store, file, into)
    }

    /// Returns all rows that some files have of a shard.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub(super) fn read_shard(&self, files: &[LiveFile], shard: Shard) -> Result<AggregateRows, RollupError> {
        let mut rows = AggregateRows::default();
        for file in files {
            self.read_file(file, &mut rows)?;
        }
        if is_part_of_any(files, shard)? {
            let is_of = |set: &str| shard.has(category_of_set(set));
            let are_of: Vec<bool> = rows.path_sets.iter().map(is_of).collect();
            rows.rows.retain(|row| are_of[row.path_set as usize]);
        }
        Ok(rows)
    }

    /// Returns a file's bytes.
    pub(super) fn bytes_of(&self, file: &NamedFile) -> Result<Bytes, RollupError> {
        bytes_of(&self.store, file)
    }
}

/// Appends all rows of a file.
pub(super) fn read_file(
    store: &Store,
    file: &NamedFile,
    into: &mut AggregateRows,
) -> Result<(), RollupError> {
    read_file_of(store, &partition_of(file)?, file, into)
}

/// Appends all rows of a file, given its partition.
pub(super) fn read_file_of(
    store: &Store,
    partition: &FilePartition,
    file: &NamedFile,
    into: &mut AggregateRows,
) -> Result<(), RollupError> {
    let bytes = bytes_of(store, file)?;
    decode(bytes, &partition.hours_by_number(|_| true), into)
        .map_err(|source| RollupError::Columns { file: path_of(file), source })
}

/// Returns a file's bytes.
pub(super) fn bytes_of(store: &Store, file: &NamedFile) -> Result<Bytes, RollupError> {
    Ok(store.get_checked(&path_of(file))?)
}

fn decode(bytes: Bytes, hours: &[Option<Hour>], into: &mut AggregateRows) -> Result<(), ColumnsError> {
    let (mut interner, mut block) = (DictionaryInterner::default(), AggregateBlock::default());
    for batch in decode_aggregates(bytes, &ItemRange::default(), None)? {
        let batch = batch?.within(hours.len())?;
        batch.read(&mut interner, &mut into.path_sets, &mut block);
        for of_item in &block.items {
            let item = into.items.code(batch.item_id(of_item.row));
            into.rows.extend(batch.rows_of(of_item, &block, hours).map(|row| row.of_item(item)));
        }
    }
    Ok(())
}
