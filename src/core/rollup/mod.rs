//! Events into aggregates: the `rollups` table, brought up to date with what changed in `events`.
//!
//! Invariant: a rollup row is a pure function of the events of its hour, whatever the order they
//! came in; the table's own log says up to which version of `events` it is true.
//!
//! ```text
//! rollups/event_type=purchase/category=GROCERY/date=2017-01-07/….parquet
//! ```
//!
//! A file holds one or more hours of its day, and no hour lies in two files.
//!
//! # Where the time goes
//!
//! Small files bound a rollup: it opens as many as there are categories and hours. Of the CPU time
//! of summing three million purchases from 7,500 files anew, 14 % opens files and reads their
//! bytes, 13 % takes rows out of these, a sixth of that for footers; 9 % numbers items and paths
//! and 5 % adds. Writing 1.5 million aggregates takes more than a third: 4 % sorting, 8 % encoding, 13 %
//! compressing, 6 % creating and writing 350 files. Planning from the table's log takes 8 %, and
//! letting go of what the log says of each file 4 %. Allocating memory, within all of these, is
//! 14 %. Where as many files were removed seconds before, looking for inodes comes on top: some
//! file systems pass over those that were given back just now.
//!
//! ```text
//! topsell datagen --purchases 3000000 --items 300000 --leaves 1000 --tops 50 logs
//! topsell --lake lake ingest logs
//! perf record --call-graph dwarf,16384 topsell --threads 1 --lake lake rollup --all
//! perf report --no-inline --children
//! ```

mod apply;
mod compare;
mod conflicts;
mod cursor;
mod error;
mod heads;
mod hour;
mod items;
mod load;
mod merge;
mod plan;
mod present;
mod read;
mod recount;
mod seek;
mod settle;

use std::collections::BTreeMap;

use crate::delta::{
    Column, ColumnType, LiveFile, LogReader, Outcome, Table, TableSchema, VacuumPlan, VacuumRule,
};
use crate::lake::{DryRun, Lake, LakeError};
use crate::model::{AggregateRows, Hour};
use crate::progress::{Count, Progress, Stage};
use crate::storage::Store;

pub use error::RollupError;
pub use items::{ItemAggregates, Part, Pinned};
pub use load::{Load, LoadedDay, load};
pub use merge::MergePlan;
pub use plan::{Plan, Scope, plan};
pub use present::{Asked, Present, look};
pub use read::Wanted;
pub use recount::{Recount, recount};

const ROLLUPS: &str = "rollups";
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
        Column("units", ColumnType::Long),
        Column("amount", ColumnType::Decimal(38, 4)),
    ],
};
/// How often a rollup begins again when another one comes first.
const MAX_TRIES: u32 = 100;

/// The `rollups` table.
pub struct Rollups {
    store: Store,
    table: Table,
}

/// What a rollup has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Hours of an event type that were re-aggregated.
    pub hours: u64,
    /// Events they hold, each counted once.
    pub events: u64,
    /// Copies left out because their event id counts already.
    pub repeated: u64,
    /// Event ids that came with different contents.
    pub conflicts: u64,
    /// Rows written.
    pub rows: u64,
    pub files_added: u64,
    pub files_removed: u64,
    /// How the recomputed aggregates differ from those that were stored; none where nothing was stored.
    pub compared: Option<Compared>,
}

/// Recomputed aggregates compared with those that were stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Hours of an event type whose events were the same as when they were aggregated before.
    pub hours: u64,
    /// Hours that were not compared, since their events had changed.
    pub changed_hours: u64,
    /// Rows that were not what their events add up to, by hour and event type.
    pub differing: BTreeMap<(Hour, String), u64>,
}

/// Returns the number of the table's newest version, by the names of its commits; none where there is none.
pub fn version(store: &Store) -> Option<u64> {
    LogReader::new(store, ROLLUPS).number()
}

/// Brings the rollups up to date with the lake's events, in one commit; does nothing where
/// nothing changed.
///
/// # Errors
/// Fails where the disk does, a file is damaged or a sum does not fit; the table is then as it
/// was before.
pub fn rollup(lake: &Lake, scope: Scope, now_ms: i64, progress: &Progress) -> Result<Summary, RollupError> {
    let rollups = Rollups::open_or_create(lake.store())?;
    progress.begin(Stage::Rollup, None);
    for _ in 0..MAX_TRIES {
        let newest = rollups.table.newest()?;
        let plan = plan(lake, &newest, scope)?;
        if plan.is_nothing() {
            progress.end(Stage::Rollup);
            return Ok(Summary::default());
        }
        progress.begin(Stage::Rollup, Some(plan.rows()));
        let (commit, summary) = apply::apply(lake, &rollups, &plan, now_ms, progress)?;
        if let Outcome::Committed(_) = newest.commit(&commit)? {
            progress.count(Count::HoursRebuilt, summary.hours);
            progress.count(Count::EventsRolledUp, summary.events);
            progress.count(Count::EventsRepeated, summary.repeated);
            progress.count(Count::EventIdsInConflict, summary.conflicts);
            progress.count(Count::RollupRows, summary.rows);
            if let Some(compared) = &summary.compared {
                progress.count(Count::HoursDiffering, compared.differing.len() as u64);
                progress.count(Count::RowsDiffering, compared.differing.values().sum());
            }
            progress.end(Stage::Rollup);
            return Ok(summary);
        }
    }
    Err(LakeError::Contended { tries: MAX_TRIES }.into())
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

    /// Opens the table, or makes it.
    ///
    /// # Errors
    /// Fails where it cannot be read or made.
    pub fn open_or_create(store: &Store) -> Result<Rollups, RollupError> {
        let table = Table::open_or_create(store, ROLLUPS, SCHEMA, &[])?;
        Ok(Rollups { store: store.clone(), table })
    }

    /// Returns the newest version's number, and the files that it names.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn files(&self) -> Result<(u64, Vec<LiveFile>), RollupError> {
        let newest = self.table.newest()?;
        Ok((newest.number(), newest.files()?))
    }

    /// Removes, or only names, the files that nobody needs any more; nobody may be summing.
    ///
    /// # Errors
    /// Fails where the disk does; what is removed no version needed.
    pub fn vacuum(&self, rule: &VacuumRule, dry_run: DryRun) -> Result<VacuumPlan, RollupError> {
        let vacuum = self.table.plan_vacuum(&self.store, rule)?;
        if dry_run == DryRun::No {
            vacuum.remove(&self.store)?;
        }
        Ok(vacuum)
    }

    /// Reads a file whole and returns how many rows it has.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn check_file(&self, file: &LiveFile) -> Result<u64, RollupError> {
        let mut aggregates = AggregateRows::default();
        self.read_day(file, &mut aggregates)?;
        Ok(aggregates.rows.len() as u64)
    }
}
