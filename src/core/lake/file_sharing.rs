//! Which days are so small that a compaction merges the files of all their shards.
//!
//! Invariant: whether a day is small depends on the rows of its files alone, so that a compaction of the same files
//! always decides the same.

use std::collections::BTreeMap;

use crate::lake::partition::FilePartition;
use crate::model::{CategoryGroup, Date, ROWS_OF_SHARDS, Sharing};

/// A day that grew after all shards had shared a file is merged once more, to have files of each shard again, unless
/// it has so many rows that those of all shards would need much memory.
const MAX_ROWS_TO_SPLIT: u64 = 64 * ROWS_OF_SHARDS;

/// The rows that categories share files for, by event type and day.
#[derive(Default)]
pub struct FileSharing(BTreeMap<(String, Date), SharedRows>);

#[derive(Clone, Copy, Default)]
struct SharedRows {
    rows: u64,
    /// Whether a file has categories of several shards.
    has_all: bool,
}

impl FileSharing {
    /// Counts the rows of a file.
    pub fn add(&mut self, partition: &FilePartition, rows: u64) {
        let day = &partition.day;
        if day.group.is_shared() {
            let shared = self.0.entry((day.event_type.clone(), day.date)).or_default();
            shared.rows += rows;
            shared.has_all |= day.group == CategoryGroup::SharedByAll;
        }
    }

    /// Returns the group with whose files a file is merged.
    pub fn merged_group(&self, partition: &FilePartition) -> CategoryGroup {
        let SharedRows { rows, has_all } = self.shared(partition);
        let is_merged = rows < ROWS_OF_SHARDS || has_all && rows < MAX_ROWS_TO_SPLIT;
        match partition.day.group.is_shared() && is_merged {
            true => CategoryGroup::SharedByAll,
            false => partition.day.group.clone(),
        }
    }

    /// Returns which files the small categories of a file's day share.
    pub fn sharing(&self, partition: &FilePartition) -> Sharing {
        match self.shared(partition).rows < ROWS_OF_SHARDS {
            true => Sharing::ByAll,
            false => Sharing::ByShard,
        }
    }

    fn shared(&self, partition: &FilePartition) -> SharedRows {
        let day = (partition.day.event_type.clone(), partition.day.date);
        self.0.get(&day).copied().unwrap_or_default()
    }
}
