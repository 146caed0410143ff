//! Compaction: replaces the small files of an hour with one that has the same rows.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use crate::delta::{Commit, CommitKind, LiveFile, NewFile, Outcome};
use crate::lake::append::MAX_TRIES;
use crate::lake::error::LakeError;
use crate::lake::events_table::EVENTS;
use crate::lake::open::Lake;
use crate::lake::partition::HourPartition;
use crate::model::Timestamp;
use crate::parquet_format::merge_events;
use crate::storage::unique_id;

/// The hours whose files are replaced with one file each.
#[derive(Default)]
pub struct CompactionPlan {
    hours: Vec<(HourPartition, Vec<LiveFile>)>,
}

impl CompactionPlan {
    /// Returns the hours, and how many files each has.
    pub fn hours(&self) -> impl Iterator<Item = (&HourPartition, u64)> {
        self.hours.iter().map(|(partition, files)| (partition, files.len() as u64))
    }

    /// Returns how many hours of categories there are to compact, and how many files they have.
    pub fn size(&self) -> (u64, u64) {
        (self.hours.len() as u64, self.hours.iter().map(|(_, files)| files.len() as u64).sum())
    }
}

impl Lake {
    /// Decides which hours to compact: those that ended before `closed` and have several files.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn plan_compaction(&self, closed: Timestamp) -> Result<CompactionPlan, LakeError> {
        let mut hours: BTreeMap<HourPartition, Vec<LiveFile>> = BTreeMap::new();
        for file in self.events.newest()?.files()? {
            let bad = || LakeError::BadPartition { file: file.path.clone() };
            let partition = HourPartition::of(&file.partition).ok_or_else(bad)?;
            if partition.hour.plus(1).start() <= closed {
                hours.entry(partition).or_default().push(file);
            }
        }
        Ok(CompactionPlan { hours: hours.into_iter().filter(|(_, files)| files.len() > 1).collect() })
    }

    /// Compacts as planned, in one commit that changes no row; hours that another process has changed
    /// are left as they are. Returns how many were compacted, and how many files they had.
    ///
    /// # Errors
    /// Fails where the disk does; the table then stays as it was.
    pub fn compact(&self, plan: &CompactionPlan, now_ms: i64) -> Result<(u64, u64), LakeError> {
        if plan.hours.is_empty() {
            return Ok((0, 0));
        }
        let bulk = self.store.bulk_writer(EVENTS)?;
        let name = unique_id();
        let merged: Result<Vec<NewFile>, LakeError> = plan
            .hours
            .par_iter()
            .enumerate()
            .map(|(number, (partition, files))| {
                let unique = format!("{name}-{number:05}");
                let folder = partition.folder();
                let whole =
                    files.iter().map(|file| self.store.get_checked(&format!("{EVENTS}/{}", file.path)));
                let encoded = merge_events(whole.collect::<Result<_, _>>()?)
                    .map_err(|source| LakeError::Columns { file: format!("{folder}/{unique}"), source })?;
                let path = format!("{folder}/{}", encoded.name(&unique));
                if encoded.rows != files.iter().map(|file| file.rows).sum::<u64>() {
                    return Err(LakeError::LostRows { file: path });
                }
                bulk.put(&format!("{EVENTS}/{path}"), encoded.bytes.clone())?;
                Ok(NewFile::of(path, partition.values(), encoded))
            })
            .collect();
        let merged = merged?;
        bulk.finish()?;
        self.commit_compaction(plan, &merged, now_ms)
    }

    fn commit_compaction(
        &self,
        plan: &CompactionPlan,
        merged: &[NewFile],
        now_ms: i64,
    ) -> Result<(u64, u64), LakeError> {
        for _ in 0..MAX_TRIES {
            let newest = self.events.newest()?;
            let live: HashMap<String, LiveFile> =
                newest.files()?.into_iter().map(|file| (file.path.clone(), file)).collect();
            let mut commit = Commit { kind: CommitKind::Optimize, now_ms, ..Commit::default() };
            for ((_, files), add) in plan.hours.iter().zip(merged) {
                let standing: Vec<LiveFile> =
                    files.iter().filter_map(|file| live.get(&file.path).cloned()).collect();
                if standing.len() == files.len() {
                    commit.removes.extend(standing);
                    commit.adds.push(add.clone());
                }
            }
            let (hours, files) = (commit.adds.len() as u64, commit.removes.len() as u64);
            commit.metrics = vec![("numAddedFiles", hours), ("numRemovedFiles", files)];
            if hours == 0 {
                return Ok((0, 0));
            }
            if let Outcome::Committed(_) = newest.commit(&commit)? {
                return Ok((hours, files));
            }
        }
        Err(LakeError::Contended { tries: MAX_TRIES })
    }
}
