//! Compaction: the rollup files of a category's day rewritten as one.
//!
//! It is done in steps, as that of the `events` table; a rollup that runs meanwhile waits for one commit at most,
//! and what it rewrites is left as it is.
//!
//! Invariant: no aggregate changes. A run that ends between two steps has lost nothing.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::delta::{CommitKind, LiveFile, Rewrite, Rewriter, StepLimits};
use crate::model::{AggregateRows, Date, Timestamp};
use crate::rollup::error::RollupError;
use crate::rollup::table::{DayPartition, ROLLUPS, Rollups};
use crate::rollup::write::{lines_of, write_lines};
use crate::storage::BulkWriter;

/// A day of one event type and top-level category.
pub type CategoryDay = (String, Option<String>, Date);

/// Files of one day and category that become one.
pub struct DayMerge {
    pub day: CategoryDay,
    files: Vec<LiveFile>,
}

impl DayMerge {
    /// Returns how many files become one.
    pub fn files(&self) -> u64 {
        self.files.len() as u64
    }
}

/// A compaction of the `rollups` table.
pub struct AggregateCompaction<'a> {
    rollups: &'a Rollups,
    rewriter: Rewriter<'a>,
    steps: Vec<Vec<DayMerge>>,
}

impl Rollups {
    /// Decides what to compact: the days that ended before `until` and have several files.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn plan_compaction(
        &self,
        until: Timestamp,
        limits: StepLimits,
    ) -> Result<AggregateCompaction<'_>, RollupError> {
        let newest = self.table.newest()?;
        let mut days: BTreeMap<CategoryDay, Vec<LiveFile>> = BTreeMap::new();
        for file in newest.files()? {
            let partition = DayPartition::of(&file)?;
            if partition.end() <= until {
                let day = (partition.event_type, partition.category, partition.date);
                days.entry(day).or_default().push(file);
            }
        }
        let merges = days.into_iter().map(|(day, files)| DayMerge { day, files });
        let merges = merges.filter(|merge| merge.files.len() > 1).collect();
        let steps = limits.steps(merges, |merge| &merge.files);
        Ok(AggregateCompaction { rollups: self, rewriter: Rewriter::of(&newest), steps })
    }
}

impl AggregateCompaction<'_> {
    /// Returns the steps, and what each merges.
    pub fn steps(&self) -> &[Vec<DayMerge>] {
        &self.steps
    }

    /// Returns how many days of categories are to be compacted, and how many files they have.
    pub fn size(&self) -> (u64, u64) {
        let merges = || self.steps.iter().flatten();
        (merges().count() as u64, merges().map(DayMerge::files).sum())
    }

    /// Does all steps; calls `done` with the number of files after each. Returns how many days were compacted,
    /// and how many files they had; those that a rollup has replaced meanwhile are left as they are.
    ///
    /// # Errors
    /// Fails where the disk does; what the steps before have done stays.
    pub fn run(mut self, now_ms: i64, done: &dyn Fn(u64)) -> Result<(u64, u64), RollupError> {
        let (mut days, mut files) = (0, 0);
        for step in std::mem::take(&mut self.steps) {
            let bulk = self.rollups.store.bulk_writer(ROLLUPS)?;
            let rewrites: Result<Vec<Rewrite>, RollupError> =
                step.par_iter().map(|merge| self.rollups.merge(merge, &bulk)).collect();
            let rewrites = rewrites?;
            let written = Some(bulk.finish()?);
            let are_done = self.rewriter.commit(CommitKind::Optimize, &rewrites, written, now_ms)?;
            for (merge, _) in step.iter().zip(are_done).filter(|(_, is_done)| *is_done) {
                days += 1;
                files += merge.files();
            }
            done(step.iter().map(DayMerge::files).sum());
        }
        Ok((days, files))
    }
}

impl Rollups {
    /// Writes the file that the files of a day become; it is not durable yet.
    fn merge(&self, merge: &DayMerge, bulk: &BulkWriter<'_>) -> Result<Rewrite, RollupError> {
        let (event_type, category, date) = &merge.day;
        let mut aggregates = AggregateRows::default();
        for file in &merge.files {
            self.read_file(file, &mut aggregates)?;
        }
        let lines = lines_of(&aggregates, aggregates.sorted());
        let add = write_lines(event_type, category.as_deref(), *date, lines, bulk)?;
        Ok(Rewrite { removes: merge.files.clone(), adds: add.into_iter().collect() })
    }
}
