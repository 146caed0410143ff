//! Expires events: removes the days past the retention from the `events` table.
//!
//! Invariant: a day is removed as a whole, so that no hour has the events of some categories only.

use std::collections::BTreeSet;

use crate::delta::{CommitKind, LiveFile, Partition, Rewrite, Rewriter, Version};
use crate::lake::error::LakeError;
use crate::lake::open::Lake;
use crate::lake::partition::{DayPartition, FilePartition};
use crate::model::{Date, Hour};

/// How often hours are looked for again where files of them came or went meanwhile. Those that are added later
/// are for the next run.
const MAX_ROUNDS: u32 = 3;

/// The hours to be expired, and what they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    pub hours: BTreeSet<Hour>,
    pub files: u64,
    pub rows: u64,
}

impl Lake {
    /// Returns what would expire: the days that end before `oldest`.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn plan_expire(&self, oldest: Hour) -> Result<Expired, LakeError> {
        let mut expired = Expired::default();
        for (partition, file) in before(&self.events.newest()?, oldest)? {
            expired.add(&partition, &file);
        }
        Ok(expired)
    }

    /// Removes every day that ends before `oldest`, in one commit where nobody else changes these meanwhile.
    ///
    /// # Errors
    /// Fails where the disk does; the table then stays as it was before the last commit.
    pub fn expire_before(&self, oldest: Hour, now_ms: i64) -> Result<Expired, LakeError> {
        let mut expired = Expired::default();
        for _ in 0..MAX_ROUNDS {
            let newest = self.events.newest()?;
            let files = before(&newest, oldest)?;
            if files.is_empty() {
                break;
            }
            let removal = |(_, file): &(FilePartition, LiveFile)| Rewrite {
                removes: vec![file.clone()],
                adds: Vec::new(),
            };
            let removals: Vec<Rewrite> = files.iter().map(removal).collect();
            let mut rewriter = Rewriter::of(&newest);
            let are_gone = rewriter.commit(CommitKind::Write, &removals, None, &[], now_ms)?;
            for ((partition, file), _) in files.iter().zip(are_gone).filter(|(_, is_gone)| *is_gone) {
                expired.add(partition, file);
            }
            if rewriter.is_alone() {
                break;
            }
        }
        Ok(expired)
    }
}

impl Expired {
    fn add(&mut self, partition: &FilePartition, file: &LiveFile) {
        self.hours.extend(partition.hours());
        self.files += 1;
        self.rows += file.rows;
    }
}

/// Returns the files of days that end before `oldest`.
fn before(newest: &Version<'_>, oldest: Hour) -> Result<Vec<(FilePartition, LiveFile)>, LakeError> {
    let days = Date::MIN..=Date::new(oldest.date().number() - 1);
    // A malformed partition is an error.
    let is_before = |of: &Partition| DayPartition::of(of).is_none_or(|day| days.contains(&day.date));
    let with_partition = |file: LiveFile| match FilePartition::of(&file) {
        Some(partition) => Ok((partition, file)),
        None => Err(LakeError::BadPartition { file: file.path.clone() }),
    };
    newest.files_of_days(&days, &is_before)?.into_iter().map(with_partition).collect()
}
