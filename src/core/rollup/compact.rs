//! Compaction: the rollup files of a shard's day rewritten as one, with further ones for its large categories.
//!
//! It is done in steps, as that of the `events` table; a rollup that runs meanwhile waits for one commit at most,
//! and what it rewrites is left as it is.
//!
//! Invariant: no aggregate changes. A run that ends between two steps has lost nothing.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::delta::{CommitKind, LiveFile, Rewrite, Rewriter, StepLimits};
use crate::lake::{CompactionDays, DayPartition, FilePartition, ROLLUPS, category_name_of};
use crate::model::{AggregateRows, CategoryGroup, Date, Shard, Timestamp};
use crate::rollup::error::RollupError;
use crate::rollup::table::{Rollups, partition_of};
use crate::rollup::write::encode_day;
use crate::storage::BulkWriter;

/// A day of one event type and shard.
type ShardDay = (String, Shard, Date);

/// Files of one day and shard that are merged.
pub struct DayMerge {
    day: ShardDay,
    /// The name of their only category, or else of the shard.
    category: String,
    files: Vec<LiveFile>,
}

impl DayMerge {
    /// Returns the event type, the name of the category or of the shard, and the date.
    pub fn day(&self) -> (&str, &str, Date) {
        (&self.day.0, &self.category, self.day.2)
    }

    fn of(day: ShardDay, files: Vec<(FilePartition, LiveFile)>) -> Option<DayMerge> {
        let mut groups: BTreeMap<&CategoryGroup, usize> = BTreeMap::new();
        for (partition, _) in &files {
            *groups.entry(&partition.day.group).or_default() += 1;
        }
        groups.values().any(|files| *files > 1).then_some(())?;
        let category = category_name_of(&files);
        Some(DayMerge { day, category, files: files.into_iter().map(|(_, file)| file).collect() })
    }

    /// Returns how many files are merged.
    pub fn files(&self) -> u64 {
        self.files.len() as u64
    }
}

/// A compaction of the `rollups` table.
pub struct AggregateCompaction<'a> {
    rollups: &'a Rollups,
    days: CompactionDays,
    /// How many files of days that have ended were looked at.
    files: usize,
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
        let mut days: BTreeMap<ShardDay, Vec<(FilePartition, LiveFile)>> = BTreeMap::new();
        let mut files = 0;
        let looked_at = CompactionDays::of(&self.store, ROLLUPS, &newest, until)?;
        for file in newest.files_of_days(&looked_at.range(), &|of| looked_at.has(of))? {
            let partition = partition_of(&file)?;
            let DayPartition { event_type, date, group } = &partition.day;
            files += usize::from(looked_at.has_ended(*date));
            if partition.day.end() <= until {
                let day = (event_type.clone(), group.shard(), *date);
                days.entry(day).or_default().push((partition, file));
            }
        }
        let merges = days.into_iter().filter_map(|(day, files)| DayMerge::of(day, files)).collect();
        let steps = limits.steps(merges, |merge| &merge.files);
        Ok(AggregateCompaction {
            rollups: self,
            days: looked_at,
            files,
            rewriter: Rewriter::of(&newest),
            steps,
        })
    }
}

impl AggregateCompaction<'_> {
    /// Returns the steps, and what each merges.
    pub fn steps(&self) -> &[Vec<DayMerge>] {
        &self.steps
    }

    /// Returns how many files are to be merged, and into how many if no category gets files of its own.
    pub fn size(&self) -> (u64, u64) {
        let merges = || self.steps.iter().flatten();
        (merges().map(DayMerge::files).sum(), merges().count() as u64)
    }

    /// Does all steps; calls `done` with the number of files after each. Returns how many files were merged, and
    /// into how many; those that a rollup has replaced meanwhile are left as they are.
    ///
    /// # Errors
    /// Fails where the disk does; what the steps before have done stays.
    pub fn run(mut self, now_ms: i64, done: &dyn Fn(u64)) -> Result<(u64, u64), RollupError> {
        let (mut files, mut written_files, mut is_complete) = (0, 0, true);
        let mut steps = std::mem::take(&mut self.steps).into_iter().peekable();
        if steps.peek().is_none() {
            self.days.record_nothing_to_do(&self.rewriter, self.files, now_ms)?;
        }
        while let Some(step) = steps.next() {
            let is_last = is_complete && steps.peek().is_none();
            let recorded = is_last.then(|| self.days.recorded());
            let recorded = recorded.as_ref().map_or(&[][..], |of| &of[..]);
            let bulk = self.rollups.store.bulk_writer(ROLLUPS)?;
            let rewrites: Result<Vec<Rewrite>, RollupError> =
                step.par_iter().map(|merge| self.rollups.merge(merge, &bulk)).collect();
            let rewrites = rewrites?;
            let written = Some(bulk.finish()?);
            let are_done =
                self.rewriter.commit(CommitKind::Optimize, &rewrites, written, recorded, now_ms)?;
            is_complete &= are_done.iter().all(|is_done| *is_done);
            for (rewrite, _) in rewrites.iter().zip(are_done).filter(|(_, is_done)| *is_done) {
                files += rewrite.removes.len() as u64;
                written_files += rewrite.adds.len() as u64;
            }
            done(step.iter().map(DayMerge::files).sum());
        }
        Ok((files, written_files))
    }
}

impl Rollups {
    /// Writes what the files of a day become; it is not durable yet.
    fn merge(&self, merge: &DayMerge, bulk: &BulkWriter<'_>) -> Result<Rewrite, RollupError> {
        let (event_type, _, date) = &merge.day;
        let mut aggregates = AggregateRows::default();
        for file in &merge.files {
            self.read_file(file, &mut aggregates)?;
        }
        let files = encode_day(event_type, *date, &aggregates, &aggregates.order())?;
        let adds = files.into_iter().map(|file| file.write(bulk)).collect::<Result<_, _>>()?;
        Ok(Rewrite { removes: merge.files.clone(), adds })
    }
}
