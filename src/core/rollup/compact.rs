//! Compaction: the rollup files of a category's day rewritten as one.
//!
//! Invariant: no aggregate changes.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::delta::{Commit, CommitKind, LiveFile, NewFile, Outcome};
use crate::model::{AggregateRows, Date, Timestamp};
use crate::rollup::error::RollupError;
use crate::rollup::table::{DayPartition, ROLLUPS, Rollups};
use crate::rollup::write::{lines_of, write_lines};

/// A day of one event type and top-level category.
pub type CategoryDay = (String, Option<String>, Date);

/// The days whose files are to become one file each.
pub struct CompactionPlan {
    /// The version that was read.
    version: u64,
    days: Vec<(CategoryDay, Vec<LiveFile>)>,
}

impl CompactionPlan {
    /// Returns the days, and how many files each has.
    pub fn days(&self) -> impl Iterator<Item = (&CategoryDay, u64)> {
        self.days.iter().map(|(day, files)| (day, files.len() as u64))
    }

    /// Returns how many days of categories are to be compacted, and how many files they have.
    pub fn size(&self) -> (u64, u64) {
        (self.days.len() as u64, self.days.iter().map(|(_, files)| files.len() as u64).sum())
    }
}

impl Rollups {
    /// Decides which days to compact: those that ended before `until` and have several files.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn plan_compaction(&self, until: Timestamp) -> Result<CompactionPlan, RollupError> {
        let newest = self.table.newest()?;
        let mut days: BTreeMap<CategoryDay, Vec<LiveFile>> = BTreeMap::new();
        for file in newest.files()? {
            let partition = DayPartition::of(&file)?;
            if partition.end() <= until {
                let day = (partition.event_type, partition.category, partition.date);
                days.entry(day).or_default().push(file);
            }
        }
        let days = days.into_iter().filter(|(_, files)| files.len() > 1).collect();
        Ok(CompactionPlan { version: newest.number(), days })
    }

    /// Compacts as planned, in one commit. Returns how many days were compacted, and how many files
    /// they had; none where another commit came since the plan was made, and the next run does it.
    ///
    /// # Errors
    /// Fails where the disk does; the table is then unchanged.
    pub fn compact(&self, plan: &CompactionPlan, now_ms: i64) -> Result<(u64, u64), RollupError> {
        let newest = self.table.newest()?;
        if plan.days.is_empty() || newest.number() != plan.version {
            return Ok((0, 0));
        }
        let bulk = self.store.bulk_writer(ROLLUPS)?;
        let adds: Result<Vec<Option<NewFile>>, RollupError> = plan
            .days
            .par_iter()
            .map(|((event_type, category, date), files)| {
                let mut aggregates = AggregateRows::default();
                for file in files {
                    self.read_file(file, &mut aggregates)?;
                }
                let lines = lines_of(&aggregates, aggregates.sorted());
                write_lines(event_type, category.as_deref(), *date, lines, &bulk)
            })
            .collect();
        let adds: Vec<NewFile> = adds?.into_iter().flatten().collect();
        bulk.finish()?;
        let removes: Vec<LiveFile> = plan.days.iter().flat_map(|(_, files)| files.clone()).collect();
        let (days, files) = plan.size();
        let metrics = vec![("numAddedFiles", days), ("numRemovedFiles", files)];
        let commit =
            Commit { kind: CommitKind::Optimize, adds, removes, metrics, now_ms, ..Commit::default() };
        match newest.commit(&commit)? {
            Outcome::Committed(_) => Ok((days, files)),
            Outcome::Conflict => Ok((0, 0)),
        }
    }
}
