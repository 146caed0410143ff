//! Small files of one hour into one: the same rows, laid out anew.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use crate::delta::{Commit, CommitKind, LiveFile, NewFile, Outcome};
use crate::lake::append::MAX_TRIES;
use crate::lake::{EVENTS, HourPartition, Lake, LakeError};
use crate::model::Timestamp;
use crate::parquet_format::merge_events;
use crate::storage::unique_name;

/// The hours whose files are to become one file each.
#[derive(Default)]
pub struct MergePlan {
    hours: Vec<(HourPartition, Vec<LiveFile>)>,
}

impl MergePlan {
    /// Returns the hours, and how many files each has.
    pub fn hours(&self) -> impl Iterator<Item = (&HourPartition, u64)> {
        self.hours.iter().map(|(partition, files)| (partition, files.len() as u64))
    }

    /// Returns how many hours of categories there are to merge, and how many files they have.
    pub fn size(&self) -> (u64, u64) {
        (self.hours.len() as u64, self.hours.iter().map(|(_, files)| files.len() as u64).sum())
    }
}

impl Lake {
    /// Decides which hours to merge: those that ended before `closed` and lie in several files.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn plan_merges(&self, closed: Timestamp) -> Result<MergePlan, LakeError> {
        let mut hours: BTreeMap<HourPartition, Vec<LiveFile>> = BTreeMap::new();
        for file in self.events.newest()?.files()? {
            let bad = || LakeError::BadPartition { file: file.path.clone() };
            let partition = HourPartition::of(&file.partition).ok_or_else(bad)?;
            if partition.hour.plus(1).start() <= closed {
                hours.entry(partition).or_default().push(file);
            }
        }
        Ok(MergePlan { hours: hours.into_iter().filter(|(_, files)| files.len() > 1).collect() })
    }

    /// Merges as planned, in one commit that changes no row; hours that someone else changed
    /// meanwhile stay as they are. Returns how many were merged, and how many files they had.
    ///
    /// # Errors
    /// Fails where the disk does; the table is then as it was before.
    pub fn merge(&self, plan: &MergePlan, now_ms: i64) -> Result<(u64, u64), LakeError> {
        if plan.hours.is_empty() {
            return Ok((0, 0));
        }
        let bulk = self.store.bulk_writer(EVENTS)?;
        let name = unique_name();
        let merged: Result<Vec<NewFile>, LakeError> = plan
            .hours
            .par_iter()
            .enumerate()
            .map(|(number, (partition, files))| {
                let path = format!("{}/{name}-{number:05}.parquet", partition.folder());
                let whole = files.iter().map(|file| self.store.get(&format!("{EVENTS}/{}", file.path)));
                let encoded = merge_events(whole.collect::<Result<_, _>>()?)
                    .map_err(|source| LakeError::Columns { file: path.clone(), source })?;
                if encoded.rows != files.iter().map(|file| file.rows).sum::<u64>() {
                    return Err(LakeError::LostRows { file: path });
                }
                bulk.put(&format!("{EVENTS}/{path}"), encoded.bytes.clone())?;
                Ok(NewFile::of(path, partition.values(), encoded))
            })
            .collect();
        let merged = merged?;
        bulk.finish()?;
        self.commit_merges(plan, &merged, now_ms)
    }

    fn commit_merges(
        &self,
        plan: &MergePlan,
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
