//! Aggregates written straight into the table of a lake without events.
//!
//! A shop of billions of purchases can so be measured without its events. Recomputing everything, and
//! verifying the lake, would both report that the events are missing.

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::delta::{Commit, NewFile, Outcome};
use crate::lake::{DayPartition, Lake, ROLLUPS};
use crate::model::{CategoryGroup, Date, Sharing};
use crate::parquet_format::AggregateLine;
use crate::rollup::error::RollupError;
use crate::rollup::plan::{Scope, plan};
use crate::rollup::table::Rollups;
use crate::rollup::update::Summary;
use crate::rollup::write::{Output, encode};
use crate::storage::BulkWriter;

/// Writes loaded aggregates, one category's day after the other.
pub struct Load<'a> {
    event_type: &'a str,
    bulk: &'a BulkWriter<'a>,
}

/// A category's day of loaded aggregates, written but not yet named by any commit.
pub struct LoadedDay(Option<NewFile>);

impl Load<'_> {
    /// Writes a category's day of lines sorted by item, set of paths, kind of copy and hour.
    ///
    /// # Errors
    /// Fails where the disk does, or the lines do not fit into Parquet.
    pub fn write<'a>(
        &self,
        category: &str,
        date: Date,
        lines: impl IntoIterator<Item = AggregateLine<'a>>,
    ) -> Result<LoadedDay, RollupError> {
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_none() {
            return Ok(LoadedDay(None));
        }
        let partition_of = |rows: u64| {
            let rows = usize::try_from(rows).unwrap_or(usize::MAX);
            let group = CategoryGroup::of(Some(category), rows, Sharing::ByShard);
            DayPartition { event_type: self.event_type.to_owned(), date, group }
        };
        encode(lines, partition_of)?.write(&Output::Bulk(self.bulk)).map(|file| LoadedDay(Some(file)))
    }
}

/// Fills the table of a lake without events in one commit, as though it covered the events; the
/// categories are written in parallel.
///
/// # Errors
/// Refuses a lake that holds events or aggregates; fails where a category does or the disk does.
pub fn load<C: Sync>(
    lake: &Lake,
    event_type: &str,
    categories: &[C],
    now_ms: i64,
    write: impl Fn(&Load<'_>, &C) -> Result<Vec<LoadedDay>, RollupError> + Sync,
) -> Result<Summary, RollupError> {
    let rollups = Rollups::open_or_create(lake.store())?;
    let _turn = rollups.table.wait_for_turn()?;
    let newest = rollups.table.newest()?;
    let plan = plan(lake, Some(&newest), Scope::all(), &BTreeSet::new(), &[])?;
    if !plan.days.is_empty() {
        return Err(RollupError::NotEmpty);
    }
    let bulk = rollups.store.bulk_writer(ROLLUPS)?;
    let load = Load { event_type, bulk: &bulk };
    let days: Result<Vec<Vec<LoadedDay>>, RollupError> =
        categories.par_iter().with_max_len(1).map(|category| write(&load, category)).collect();
    let adds: Vec<NewFile> = days?.into_iter().flatten().filter_map(|LoadedDay(file)| file).collect();
    let written = bulk.finish()?;
    let summary = Summary {
        rows: adds.iter().map(|file| file.rows).sum(),
        files_added: adds.len() as u64,
        ..Summary::default()
    };
    let commit = Commit {
        transactions: plan.transactions,
        adds,
        metrics: vec![("numOutputRows", summary.rows)],
        now_ms,
        ..Commit::default()
    };
    let outcome = newest.commit(&commit);
    if newest.may_name_files(&outcome) {
        written.keep();
    }
    match outcome? {
        Outcome::Committed(_) => Ok(summary),
        Outcome::Conflict => Err(RollupError::NotEmpty),
    }
}
