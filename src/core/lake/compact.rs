//! Compaction: replaces the small files of an hour with few large ones that have the same rows.
//!
//! It is done in steps. Each reads and writes some files and commits them; only the commit waits for its turn
//! among those of ingests, and what they append meanwhile does not make a step begin again.
//!
//! Invariant: no row changes. A run that ends between two steps has lost nothing.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::delta::{CommitKind, LiveFile, NewFile, Rewrite, Rewriter, StepLimits};
use crate::lake::error::LakeError;
use crate::lake::events_table::EVENTS;
use crate::lake::open::Lake;
use crate::lake::partition::HourPartition;
use crate::model::Timestamp;
use crate::parquet_format::merge_events;
use crate::storage::{BulkWriter, unique_id};

/// A file with so many rows stays as it is. It bounds the memory of a compaction, since the rows of the files
/// that become one are held; and of an hour of which late events arrive each day, only these are rewritten.
const LARGE_ROWS: u64 = 1 << 20;

/// Files of one hour and category that become one.
pub struct HourMerge {
    pub partition: HourPartition,
    files: Vec<LiveFile>,
}

impl HourMerge {
    /// Returns how many files become one.
    pub fn files(&self) -> u64 {
        self.files.len() as u64
    }
}

/// A compaction of the `events` table.
pub struct Compaction<'a> {
    lake: &'a Lake,
    rewriter: Rewriter<'a>,
    steps: Vec<Vec<HourMerge>>,
}

/// Hours of categories whose files were merged, and how many files that were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedHours {
    pub hours: BTreeSet<HourPartition>,
    pub files: u64,
}

impl Lake {
    /// Decides what to compact: the hours that ended before `closed` and have several small files.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn plan_compaction(
        &self,
        closed: Timestamp,
        limits: StepLimits,
    ) -> Result<Compaction<'_>, LakeError> {
        let newest = self.events.newest()?;
        let mut hours: BTreeMap<HourPartition, Vec<LiveFile>> = BTreeMap::new();
        for file in newest.files()?.into_iter().filter(|file| file.rows < LARGE_ROWS) {
            let bad = || LakeError::BadPartition { file: file.path.clone() };
            let partition = HourPartition::of(&file.partition).ok_or_else(bad)?;
            if partition.hour.plus(1).start() <= closed {
                hours.entry(partition).or_default().push(file);
            }
        }
        let merges = hours.into_iter().flat_map(|(partition, files)| {
            let merge = move |files| HourMerge { partition: partition.clone(), files };
            merged_together(files).into_iter().map(merge)
        });
        let steps = limits.steps(merges.collect(), |merge| &merge.files);
        Ok(Compaction { lake: self, rewriter: Rewriter::of(&newest), steps })
    }
}

impl<'a> Compaction<'a> {
    /// Returns the steps, and what each merges.
    pub fn steps(&self) -> &[Vec<HourMerge>] {
        &self.steps
    }

    /// Returns how many hours of categories are to be compacted, and how many files they have.
    pub fn size(&self) -> (u64, u64) {
        let merges = || self.steps.iter().flatten();
        let hours: BTreeSet<&HourPartition> = merges().map(|merge| &merge.partition).collect();
        (hours.len() as u64, merges().map(HourMerge::files).sum())
    }

    /// Does all steps; calls `done` with the number of files after each. Files that others have replaced
    /// meanwhile are left as they are. Returns what was merged.
    ///
    /// # Errors
    /// Fails where the disk does; what the steps before have done stays.
    pub fn run(mut self, now_ms: i64, done: &dyn Fn(u64)) -> Result<MergedHours, LakeError> {
        let mut merged = MergedHours::default();
        for step in std::mem::take(&mut self.steps) {
            self.run_step(&step, now_ms, &mut merged)?;
            done(step.iter().map(HourMerge::files).sum());
        }
        Ok(merged)
    }

    fn run_step(
        &mut self,
        step: &[HourMerge],
        now_ms: i64,
        merged: &mut MergedHours,
    ) -> Result<(), LakeError> {
        let bulk = self.lake.store.bulk_writer(EVENTS)?;
        let name = unique_id();
        let rewrite = |(number, merge): (usize, &HourMerge)| {
            let add = self.lake.merge(merge, &format!("{name}-{number:05}"), &bulk)?;
            Ok(Rewrite { removes: merge.files.clone(), adds: vec![add] })
        };
        let rewrites: Result<Vec<Rewrite>, LakeError> = step.par_iter().enumerate().map(rewrite).collect();
        let rewrites = rewrites?;
        let written = Some(bulk.finish()?);
        let are_done = self.rewriter.commit(CommitKind::Optimize, &rewrites, written, now_ms)?;
        for (merge, _) in step.iter().zip(are_done).filter(|(_, is_done)| *is_done) {
            merged.hours.insert(merge.partition.clone());
            merged.files += merge.files();
        }
        Ok(())
    }
}

impl Lake {
    /// Writes the file that files become; it is not durable yet.
    fn merge(&self, merge: &HourMerge, unique: &str, bulk: &BulkWriter<'_>) -> Result<NewFile, LakeError> {
        let folder = merge.partition.folder();
        let whole = merge.files.iter().map(|file| self.store.get_checked(&format!("{EVENTS}/{}", file.path)));
        let encoded = merge_events(whole.collect::<Result<_, _>>()?)
            .map_err(|source| LakeError::Columns { file: format!("{folder}/{unique}"), source })?;
        let path = format!("{folder}/{}", encoded.name(unique));
        if encoded.rows != merge.files.iter().map(|file| file.rows).sum::<u64>() {
            return Err(LakeError::LostRows { file: path });
        }
        bulk.put(&format!("{EVENTS}/{path}"), encoded.bytes.clone())?;
        Ok(NewFile::of(path, merge.partition.values(), encoded))
    }
}

/// Groups small files so that each group but the last becomes a large one; a file alone is no group.
fn merged_together(files: Vec<LiveFile>) -> Vec<Vec<LiveFile>> {
    let mut groups: Vec<Vec<LiveFile>> = Vec::new();
    let mut rows = LARGE_ROWS;
    for file in files {
        if rows >= LARGE_ROWS {
            groups.push(Vec::new());
            rows = 0;
        }
        rows += file.rows;
        if let Some(group) = groups.last_mut() {
            group.push(file);
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}
