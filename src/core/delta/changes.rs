//! What has changed in a table since a version.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use delta_kernel::KernelError;
use delta_kernel::commit_range::{CommitRange, DeltaAction};
use delta_kernel::engine::arrow_data::ArrowEngineData;

use crate::delta::error::TableError;
use crate::delta::files::{Partition, boolean_column, map_entries};
use crate::delta::table::Table;

/// The partitions that changed since a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Rows were added to or removed from these partitions only.
    Partitions { added: BTreeSet<Partition>, removed: BTreeSet<Partition> },
    /// The log does not reach back to the version.
    Unknown,
}

impl Table {
    /// Returns the partitions whose rows changed after version `after`, up to version `until`.
    ///
    /// Commits that only move rows to other files do not count.
    ///
    /// # Errors
    /// Fails where the log cannot be read.
    pub fn changes(&self, after: u64, until: u64) -> Result<Change, TableError> {
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
                for (action, touched) in [("add", &mut added), ("remove", &mut removed)] {
                    collect(data.record_batch(), action, touched)
                        .ok_or_else(|| self.damaged("the files of a commit have an unexpected form"))?;
                }
            }
        }
        Ok(Change::Partitions { added, removed })
    }
}

fn collect(batch: &RecordBatch, action: &str, touched: &mut BTreeSet<Partition>) -> Option<()> {
    let actions: &StructArray = batch.column_by_name(action)?.as_struct_opt()?;
    let changes_data = boolean_column(actions, "dataChange")?;
    let partitions = actions.column_by_name("partitionValues")?.as_map_opt()?;
    for row in (0..batch.num_rows()).filter(|&row| actions.is_valid(row)) {
        if changes_data.is_valid(row) && changes_data.value(row) {
            touched.insert(map_entries(partitions, row)?);
        }
    }
    Some(())
}
