//! Hours past the retention, taken out of the `events` table.

use std::collections::BTreeSet;

use crate::delta::{Commit, LiveFile, Outcome, Version};
use crate::lake::append::MAX_TRIES;
use crate::lake::{HourPartition, Lake, LakeError};
use crate::model::Hour;

/// The hours to be dropped, and what they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Hours of the clock.
    pub hours: BTreeSet<Hour>,
    pub files: u64,
    pub rows: u64,
}

impl Lake {
    /// Says what dropping every hour before `oldest` would come to.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn plan_drop(&self, oldest: Hour) -> Result<Dropped, LakeError> {
        Ok(before(&self.events.newest()?, oldest)?.1)
    }

    /// Drops every hour before `oldest`, in one commit.
    ///
    /// # Errors
    /// Fails where the disk does; the table is then as it was before.
    pub fn drop_before(&self, oldest: Hour, now_ms: i64) -> Result<Dropped, LakeError> {
        for _ in 0..MAX_TRIES {
            let newest = self.events.newest()?;
            let (removes, dropped) = before(&newest, oldest)?;
            if removes.is_empty() {
                return Ok(dropped);
            }
            let metrics = vec![("numRemovedFiles", dropped.files), ("numDeletedRows", dropped.rows)];
            let commit = Commit { removes, metrics, now_ms, ..Commit::default() };
            if let Outcome::Committed(_) = newest.commit(&commit)? {
                return Ok(dropped);
            }
        }
        Err(LakeError::Contended { tries: MAX_TRIES })
    }
}

fn before(newest: &Version<'_>, oldest: Hour) -> Result<(Vec<LiveFile>, Dropped), LakeError> {
    let mut removes = Vec::new();
    let mut hours = BTreeSet::new();
    for file in newest.files()? {
        let bad = || LakeError::BadPartition { file: file.path.clone() };
        let hour = HourPartition::of(&file.partition).ok_or_else(bad)?.hour;
        if hour < oldest {
            hours.insert(hour);
            removes.push(file);
        }
    }
    let rows = removes.iter().map(|file| file.rows).sum();
    let dropped = Dropped { hours, files: removes.len() as u64, rows };
    Ok((removes, dropped))
}
