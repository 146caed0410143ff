//! What has changed in a table since a version.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, StructArray};
use delta_kernel::KernelError;
use delta_kernel::commit_range::{CommitRange, DeltaAction};
use delta_kernel::engine::arrow_data::ArrowEngineData;

use crate::delta::error::TableError;
use crate::delta::file_stats::FileStats;
use crate::delta::files::boolean_column;
use crate::delta::partition_values::{Partition, map_entries};
use crate::delta::table::Table;

/// A partition, and the least and the greatest value of a column in a file of it, where the log has them.
pub type PartitionRange = (Partition, Option<(i64, i64)>);

/// The partitions that changed since a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Rows were added to or removed from these partitions only.
    Partitions { added: BTreeSet<PartitionRange>, removed: BTreeSet<Partition> },
    /// The log does not reach back to the version.
    Unknown,
}

impl Table {
    /// Returns the partitions whose rows changed after version `after`, up to version `until`, with the values of
    /// a column in the files that were added.
    ///
    /// Commits that only move rows to other files do not count.
    ///
    /// # Errors
    /// Fails where the log cannot be read.
    pub fn changes(&self, after: u64, until: u64, column: &str) -> Result<Change, TableError> {
        let (mut added, mut removed) = (BTreeSet::new(), BTreeSet::new());
        if after >= until {
            return Ok(Change::Partitions { added, removed });
        }
        let engine = self.engine.as_ref();
        let range =
            CommitRange::builder_for(self.url.as_str(), after + 1).with_end_version(until).build(engine);
        let range = match range {
            Ok(range) => range,
            Err(
                KernelError::StartVersionNotFound { .. }
                | KernelError::MissingVersion(_)
                | KernelError::EmptyLog,
            ) => {
                return Ok(Change::Unknown);
            }
            Err(error) => return Err(self.failed(error)),
        };
        let actions = [DeltaAction::Add, DeltaAction::Remove];
        let engine_handle = std::sync::Arc::clone(&self.engine);
        for commit in range.commits(engine_handle, None, &actions).map_err(|e| self.failed(e))? {
            let commit = commit.map_err(|e| self.failed(e))?;
            for data in commit.get_actions(engine).map_err(|e| self.failed(e))? {
                let data =
                    data.and_then(ArrowEngineData::try_from_engine_data).map_err(|e| self.failed(e))?;
                let unexpected = || self.damaged("the files of a commit have an unexpected form");
                let batch = data.record_batch();
                let mut remove = |partition, _: Option<&str>| {
                    removed.insert(partition);
                };
                collect(batch, "remove", &mut remove).ok_or_else(unexpected)?;
                let mut add = |partition, stats: Option<&str>| {
                    added.insert((partition, stats.and_then(|stats| range_of(stats, column))));
                };
                collect(batch, "add", &mut add).ok_or_else(unexpected)?;
            }
        }
        Ok(Change::Partitions { added, removed })
    }
}

/// Calls `touch` with the partition and the statistics of each file of an action that changes rows.
fn collect(batch: &RecordBatch, action: &str, touch: &mut dyn FnMut(Partition, Option<&str>)) -> Option<()> {
    let actions: &StructArray = batch.column_by_name(action)?.as_struct_opt()?;
    let changes_data = boolean_column(actions, "dataChange")?;
    let partitions = actions.column_by_name("partitionValues")?.as_map_opt()?;
    let stats: Option<&StringArray> = actions.column_by_name("stats").and_then(|of| of.as_string_opt());
    for row in (0..batch.num_rows()).filter(|&row| actions.is_valid(row)) {
        if changes_data.is_valid(row) && changes_data.value(row) {
            let stats = stats.filter(|stats| stats.is_valid(row)).map(|stats| stats.value(row));
            touch(map_entries(partitions, row)?, stats);
        }
    }
    Some(())
}

/// Returns the least and the greatest value of a column in statistics.
fn range_of(stats: &str, column: &str) -> Option<(i64, i64)> {
    let (least, most) = FileStats::parse(stats)?.0.range(column);
    least.as_i64().zip(most.as_i64())
}
