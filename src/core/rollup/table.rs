//! The `rollups` table: its schema, its files, and the partition and hours of each.
//!
//! Invariant: a file holds one or more hours of one event type, top-level category and day, and no
//! hour of these is in two files.
//!
//! ```text
//! rollups/event_type=purchase/category=GROCERY/date=2017-01-07/….parquet
//! ```

use std::ops::Range;

use bytes::Bytes;

use crate::delta::{
    Column, ColumnType, LiveFile, LogReader, NamedFile, Table, TableSchema, VacuumPlan, VacuumRule,
};
use crate::lake::DryRun;
use crate::model::{AggregateRows, Date, EventTypes, Hour, Timestamp};
use crate::parquet_format::{AggregateBlock, ColumnsError, DictionaryInterner, ItemRange, decode_aggregates};
use crate::rollup::error::RollupError;
use crate::storage::Store;

/// The folder of the table below the lake.
pub(super) const ROLLUPS: &str = "rollups";
const SCHEMA: TableSchema = TableSchema {
    partitions: &[
        Column("event_type", ColumnType::Text),
        Column("category", ColumnType::Text),
        Column("date", ColumnType::Date),
    ],
    columns: &[
        Column("hour", ColumnType::Integer),
        Column("item_id", ColumnType::Text),
        Column("categories", ColumnType::TextList),
        Column("is_primary", ColumnType::Boolean),
        Column("purchases", ColumnType::Long),
        Column("units", ColumnType::Decimal(38, 4)),
        Column("amount", ColumnType::Decimal(38, 4)),
    ],
};

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

/// The partition of a rollup file, and the hours of its day that it may hold.
#[derive(Clone)]
pub(super) struct DayPartition {
    pub event_type: String,
    pub category: Option<String>,
    pub date: Date,
    first_hour: i32,
    last_hour: i32,
}

impl DayPartition {
    /// Returns the partition of some hours of a day, the first and the last.
    pub fn new(event_type: String, category: Option<String>, date: Date, hours: (i32, i32)) -> DayPartition {
        DayPartition { event_type, category, date, first_hour: hours.0, last_hour: hours.1 }
    }

    /// Returns the first and the last hour of the day that the file may hold.
    pub fn hours_of_day(&self) -> (i32, i32) {
        (self.first_hour, self.last_hour)
    }

    /// Reads a file's partition values, and the range of hours in the log's column statistics.
    ///
    /// # Errors
    /// [`RollupError::BadPartition`] where a value is missing or malformed.
    pub fn of(file: &NamedFile) -> Result<DayPartition, RollupError> {
        let text = |name: &str| file.partition.get(name).and_then(Option::as_deref);
        let bad = || RollupError::BadPartition { file: path_of(file) };
        let hour = |values: &serde_json::Value, default: i32| {
            values["hour"].as_i64().and_then(|hour| i32::try_from(hour).ok()).unwrap_or(default)
        };
        Ok(DayPartition {
            event_type: text("event_type").ok_or_else(bad)?.to_owned(),
            category: text("category").map(str::to_owned),
            date: text("date").and_then(Date::parse).ok_or_else(bad)?,
            first_hour: hour(&file.min_values, 0),
            last_hour: hour(&file.max_values, 23),
        })
    }

    /// Returns whether the file may hold rows of an hour.
    pub fn may_contain(&self, hour: Hour) -> bool {
        hour.date() == self.date && (self.first_hour..=self.last_hour).contains(&hour.of_day())
    }

    /// Returns whether the file may hold selected rows.
    pub fn overlaps(&self, selection: &Selection<'_>) -> bool {
        let first = Hour::of(self.date, self.first_hour);
        let last = Hour::of(self.date, self.last_hour);
        let overlaps = first < selection.hours.end && last >= selection.hours.start;
        overlaps && selection.event_types.counting(&self.event_type).is_some()
    }

    /// Returns the moment the file's day ends.
    pub fn end(&self) -> Timestamp {
        Hour::of(self.date, 24).start()
    }
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
        let table = Table::open(store, ROLLUPS, SCHEMA)?;
        Ok(table.map(|table| Rollups { store: store.clone(), table }))
    }

    /// Opens the table, or creates it.
    ///
    /// # Errors
    /// Fails where it cannot be read or created.
    pub fn open_or_create(store: &Store) -> Result<Rollups, RollupError> {
        let table = Table::open_or_create(store, ROLLUPS, SCHEMA, &[])?;
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
        let vacuum = self.table.plan_vacuum(&self.store, rule)?;
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
        Ok(DayPartition::of(file)?.date)
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
        let date = DayPartition::of(file)?.date;
        let bytes = self.bytes_of(file)?;
        decode(bytes, date, into).map_err(|source| RollupError::Columns { file: path_of(file), source })
    }

    /// Returns a file's bytes.
    pub(super) fn bytes_of(&self, file: &NamedFile) -> Result<Bytes, RollupError> {
        bytes_of(&self.store, file)
    }
}

/// Returns a file's bytes.
pub(super) fn bytes_of(store: &Store, file: &NamedFile) -> Result<Bytes, RollupError> {
    Ok(store.get_checked(&path_of(file))?)
}

fn decode(bytes: Bytes, date: Date, into: &mut AggregateRows) -> Result<(), ColumnsError> {
    let hours = std::array::from_fn(|hour| i32::try_from(hour).ok().map(|hour| Hour::of(date, hour)));
    let (mut interner, mut block) = (DictionaryInterner::default(), AggregateBlock::default());
    for batch in decode_aggregates(bytes, &ItemRange::default(), None)? {
        let batch = batch?;
        batch.read(&mut interner, &mut into.path_sets, &mut block);
        for of_item in &block.items {
            let item = into.items.code(batch.item_id(of_item.row));
            into.rows.extend(batch.rows_of(of_item, &block, &hours).map(|row| row.of_item(item)));
        }
    }
    Ok(())
}
