//! Expires hours: removes those past the retention from the `events` table.

use std::collections::BTreeSet;

use crate::delta::{Commit, LiveFile, Outcome, Version};
use crate::lake::append::MAX_TRIES;
use crate::lake::error::LakeError;
use crate::lake::open::Lake;
use crate::lake::partition::HourPartition;
use crate::model::Hour;

/// The hours to be expired, and what they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    pub hours: BTreeSet<Hour>,
    pub files: u64,
    pub rows: u64,
}

impl Lake {
    /// Returns which hours before `oldest` would expire.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn plan_expire(&self, oldest: Hour) -> Result<Expired, LakeError> {
        Ok(before(&self.events.newest()?, oldest)?.1)
    }

    /// Removes every hour before `oldest`, in one commit.
    ///
    /// # Errors
    /// Fails where the disk does; the table then stays as it was.
    pub fn expire_before(&self, oldest: Hour, now_ms: i64) -> Result<Expired, LakeError> {
        for _ in 0..MAX_TRIES {
            let newest = self.events.newest()?;
            let (removes, expired) = before(&newest, oldest)?;
            if removes.is_empty() {
                return Ok(expired);
            }
            let metrics = vec![("numRemovedFiles", expired.files), ("numDeletedRows", expired.rows)];
            let commit = Commit { removes, metrics, now_ms, ..Commit::default() };
            if let Outcome::Committed(_) = newest.commit(&commit)? {
                return Ok(expired);
            }
        }
        Err(LakeError::Contended { tries: MAX_TRIES })
    }
}

fn before(newest: &Version<'_>, oldest: Hour) -> Result<(Vec<LiveFile>, Expired), LakeError> {
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
    let expired = Expired { hours, files: removes.len() as u64, rows };
    Ok((removes, expired))
}
