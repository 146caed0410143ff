//! Compaction: replaces the small files of a day with few large ones that have the same rows.
//!
//! It is done in steps. Each reads and writes some files and commits them; only the commit waits for its turn
//! among those of ingests, and what they append meanwhile does not make a step begin again.
//!
//! Invariant: no row changes. A run that ends between two steps has lost nothing.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::delta::{CommitKind, LiveFile, NewFile, Rewrite, Rewriter, StepLimits, Version};
use crate::lake::compaction_record::CompactionDays;
use crate::lake::error::LakeError;
use crate::lake::events_table::EVENTS;
use crate::lake::file_sharing::FileSharing;
use crate::lake::open::Lake;
use crate::lake::partition::{DayPartition, FilePartition, category_name_of, run_of};
use crate::model::{Date, Hour, Sharing, Timestamp};
use crate::parquet_format::{MergedEvents, merge_events};
use crate::storage::{BulkWriter, unique_id};

/// A file with so many rows stays as it is. It bounds the memory of a compaction, since the rows of the files
/// that are merged are held; and what a late event costs, whose hour is read from all files that have it.
const LARGE_ROWS: u64 = 1 << 18;

/// Files of one day and group of categories that are merged.
pub struct DayMerge {
    /// The day, and the hours of all files.
    pub partition: FilePartition,
    /// The name of their only category, or else of the shard.
    pub category: String,
    /// Which files its small categories share.
    sharing: Sharing,
    files: Vec<LiveFile>,
}

impl DayMerge {
    fn of(day: DayPartition, sharing: Sharing, files: Vec<(FilePartition, LiveFile)>) -> Option<DayMerge> {
        let hours = || files.iter().map(|(partition, _)| partition.hours_of_day());
        let first = hours().map(|(first, _)| first).min()?;
        let last = hours().map(|(_, last)| last).max()?;
        let category = category_name_of(&files);
        let files = files.into_iter().map(|(_, file)| file).collect();
        Some(DayMerge { partition: FilePartition::new(day, (first, last)), category, sharing, files })
    }

    /// Returns how many files are merged.
    pub fn files(&self) -> u64 {
        self.files.len() as u64
    }
}

/// A compaction of the `events` table.
pub struct Compaction<'a> {
    lake: &'a Lake,
    days: CompactionDays,
    /// How many files of days that have ended were looked at.
    files: usize,
    rewriter: Rewriter<'a>,
    steps: Vec<Vec<DayMerge>>,
}

/// How many files were merged, and into how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergedFiles {
    pub files: u64,
    pub written: u64,
}

impl Lake {
    /// Decides what to compact: days that ended before `closed` and have several small files, and hours that
    /// ended before it, of days that go on.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn plan_compaction(
        &self,
        closed: Timestamp,
        limits: StepLimits,
    ) -> Result<Compaction<'_>, LakeError> {
        let newest = self.events.newest()?;
        let days = CompactionDays::of(&self.store, EVENTS, &newest, closed)?;
        self.plan_compaction_of(&newest, days, closed, limits)
    }

    fn plan_compaction_of<'a>(
        &'a self,
        newest: &Version<'a>,
        days: CompactionDays,
        closed: Timestamp,
        limits: StepLimits,
    ) -> Result<Compaction<'a>, LakeError> {
        let (mut files, mut hours) = (Vec::new(), BTreeMap::<(String, Date), BTreeSet<Hour>>::new());
        for file in newest.files_of_days(&days.range(), &|of| days.has(of))? {
            let bad = || LakeError::BadPartition { file: file.path.clone() };
            let partition = FilePartition::of(&file).ok_or_else(bad)?;
            let day = (partition.day.event_type.clone(), partition.day.date);
            hours.entry(day).or_default().extend(partition.hours());
            files.push((partition, file));
        }
        let is_ended = |(partition, _): &&(FilePartition, LiveFile)| days.has_ended(partition.day.date);
        let looked_at = files.iter().filter(is_ended).count();
        let mut file_sharing = FileSharing::default();
        // Those that go on may still become large.
        for (partition, file) in files.iter().filter(|(partition, _)| partition.day.end() <= closed) {
            file_sharing.add(partition, file.rows);
        }
        let mut together: BTreeMap<_, Vec<(FilePartition, LiveFile)>> = BTreeMap::new();
        for (partition, file) in files.into_iter().filter(|(_, file)| file.rows < LARGE_ROWS) {
            // Over an hour without events, nothing is merged: the hours of files tell which have some.
            let of_day = &hours[&(partition.day.event_type.clone(), partition.day.date)];
            let run = run_of(of_day, partition.first());
            let has_ended = partition.day.end() <= closed;
            if has_ended || partition.last().plus(1).start() <= closed {
                let hour = (!has_ended).then_some(partition.hours_of_day().1);
                let (group, sharing) = match has_ended {
                    true => (file_sharing.merged_group(&partition), file_sharing.sharing(&partition)),
                    false => (partition.day.group.clone(), Sharing::ByShard),
                };
                let day = DayPartition { group, ..partition.day.clone() };
                together.entry((day, run, hour, sharing)).or_default().push((partition, file));
            }
        }
        let merges = together.into_iter().flat_map(|((day, _, _, sharing), files)| {
            let merged = merged_together(files).into_iter();
            merged.filter_map(move |files| DayMerge::of(day.clone(), sharing, files))
        });
        let steps = limits.steps(merges.collect(), |merge| &merge.files);
        Ok(Compaction { lake: self, days, files: looked_at, rewriter: Rewriter::of(newest), steps })
    }
}

impl<'a> Compaction<'a> {
    /// Returns the steps, and what each merges.
    pub fn steps(&self) -> &[Vec<DayMerge>] {
        &self.steps
    }

    /// Returns how many files are to be merged, and into how many if no category gets files of its own.
    pub fn size(&self) -> (u64, u64) {
        let merges = || self.steps.iter().flatten();
        (merges().map(DayMerge::files).sum(), merges().count() as u64)
    }

    /// Does all steps; calls `done` with the number of files after each. Files that others have replaced
    /// meanwhile are left as they are. Returns what was merged.
    ///
    /// # Errors
    /// Fails where the disk does; what the steps before have done stays.
    pub fn run(mut self, now_ms: i64, done: &dyn Fn(u64)) -> Result<MergedFiles, LakeError> {
        let (mut merged, mut is_complete) = (MergedFiles::default(), true);
        let mut steps = std::mem::take(&mut self.steps).into_iter().peekable();
        if steps.peek().is_none() {
            self.days.record_nothing_to_do(&self.rewriter, self.files, now_ms)?;
        }
        while let Some(step) = steps.next() {
            let is_last = is_complete && steps.peek().is_none();
            let recorded = is_last.then(|| self.days.recorded());
            let recorded = recorded.as_ref().map_or(&[][..], |of| &of[..]);
            is_complete &= self.run_step(&step, recorded, now_ms, &mut merged)?;
            done(step.iter().map(DayMerge::files).sum());
        }
        Ok(merged)
    }

    /// Does a step, and returns whether nothing of it was left as it was.
    fn run_step(
        &mut self,
        step: &[DayMerge],
        recorded: &[(String, i64)],
        now_ms: i64,
        merged: &mut MergedFiles,
    ) -> Result<bool, LakeError> {
        let bulk = self.lake.store.bulk_writer(EVENTS)?;
        let name = unique_id();
        let rewrite = |(number, merge): (usize, &DayMerge)| {
            let adds = self.lake.merge(merge, &format!("{name}-{number:05}"), &bulk)?;
            Ok(Rewrite { removes: merge.files.clone(), adds })
        };
        let rewrites: Result<Vec<Rewrite>, LakeError> = step.par_iter().enumerate().map(rewrite).collect();
        let rewrites = rewrites?;
        let written = Some(bulk.finish()?);
        let are_done = self.rewriter.commit(CommitKind::Optimize, &rewrites, written, recorded, now_ms)?;
        for (rewrite, _) in rewrites.iter().zip(&are_done).filter(|(_, is_done)| **is_done) {
            merged.files += rewrite.removes.len() as u64;
            merged.written += rewrite.adds.len() as u64;
        }
        Ok(are_done.into_iter().all(|is_done| is_done))
    }
}

impl Lake {
    /// Writes what files become; it is not durable yet.
    fn merge(
        &self,
        merge: &DayMerge,
        unique: &str,
        bulk: &BulkWriter<'_>,
    ) -> Result<Vec<NewFile>, LakeError> {
        let day = &merge.partition.day;
        let failed = |source| LakeError::Columns { file: format!("{}/{unique}", day.folder()), source };
        let whole = merge.files.iter().map(|file| self.store.get_checked(&format!("{EVENTS}/{}", file.path)));
        let merged = merge_events(whole.collect::<Result<_, _>>()?, merge.sharing).map_err(failed)?;
        if merged.iter().map(|of| of.encoded.rows).sum::<u64>()
            != merge.files.iter().map(|file| file.rows).sum::<u64>()
        {
            return Err(LakeError::LostRows { file: format!("{}/{unique}", day.folder()) });
        }
        let write = |MergedEvents { group, encoded }: MergedEvents| {
            let partition = DayPartition { group, ..day.clone() };
            let path = format!("{}/{}", partition.folder(), encoded.name(unique));
            bulk.put(&format!("{EVENTS}/{path}"), encoded.bytes.clone())?;
            Ok(NewFile::of(path, partition.values(), encoded))
        };
        merged.into_iter().map(write).collect()
    }
}

/// Groups small files, in the order of their hours, so that each group but the last becomes a large one; a file
/// alone is no group.
fn merged_together(mut files: Vec<(FilePartition, LiveFile)>) -> Vec<Vec<(FilePartition, LiveFile)>> {
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut groups: Vec<Vec<(FilePartition, LiveFile)>> = Vec::new();
    let mut rows = LARGE_ROWS;
    for file in files {
        if rows >= LARGE_ROWS {
            groups.push(Vec::new());
            rows = 0;
        }
        rows += file.1.rows;
        if let Some(group) = groups.last_mut() {
            group.push(file);
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::lake::test_events::add_sales;
    use crate::storage::temporary;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        /// What came late, however late, and what was merged before is found by a compaction that looks only at the
        /// days that changed: it plans what one plans that looks at all.
        #[test]
        fn the_days_that_changed_are_all_that_need_be_looked_at(
            rounds in vec((vec((0..200_i32, 1..3_usize), 0..5), 0..40_i32, any::<bool>()), 1..8),
        ) {
            let (store, _folder) = temporary();
            let lake = Lake::open_or_create(store, None).expect("a lake can be made");
            let mut now = 200;
            for (events, hours, is_run) in rounds {
                for (ago, files) in events {
                    for _ in 0..files {
                        add_sales(&lake, Hour::new(now - ago), &[(1, "item", 1)]);
                    }
                }
                now += hours;
                let closed = Hour::new(now).start();
                let newest = lake.events().newest().expect("the log can be read");
                let all = CompactionDays::all(newest.number(), closed);
                let all = lake.plan_compaction_of(&newest, all, closed, StepLimits::default());
                let planned = lake.plan_compaction(closed, StepLimits::default()).expect("the log can be read");
                let paths = |of: &Compaction<'_>| -> Vec<Vec<String>> {
                    let merges = of.steps.iter().flatten();
                    merges.map(|merge| merge.files.iter().map(|file| file.path.clone()).collect()).collect()
                };
                prop_assert_eq!(paths(&planned), paths(&all.expect("the log can be read")));
                if is_run {
                    planned.run(0, &|_| {}).expect("the disk writes");
                }
            }
        }
    }
}
