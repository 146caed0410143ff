//! Files of one day into one: the same aggregates, laid out anew.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::delta::{Commit, CommitKind, LiveFile, NewFile, Outcome};
use crate::model::{AggregateRows, Date, Timestamp};
use crate::rollup::apply::write_day;
use crate::rollup::read::place_of;
use crate::rollup::{ROLLUPS, RollupError, Rollups};

/// A day of one event type and top-level category.
pub type Day = (String, Option<String>, Date);

/// The days whose files are to become one file each.
pub struct MergePlan {
    /// The version that was looked at.
    version: u64,
    days: Vec<(Day, Vec<LiveFile>)>,
}

impl MergePlan {
    /// Returns the days, and how many files each has.
    pub fn days(&self) -> impl Iterator<Item = (&Day, u64)> {
        self.days.iter().map(|(day, files)| (day, files.len() as u64))
    }

    /// Returns how many days of categories there are to merge, and how many files they have.
    pub fn size(&self) -> (u64, u64) {
        (self.days.len() as u64, self.days.iter().map(|(_, files)| files.len() as u64).sum())
    }
}

impl Rollups {
    /// Decides which days to merge: those that ended before `closed` and lie in several files.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn plan_merges(&self, closed: Timestamp) -> Result<MergePlan, RollupError> {
        let newest = self.table.newest()?;
        let mut days: BTreeMap<Day, Vec<LiveFile>> = BTreeMap::new();
        for file in newest.files()? {
            let place = place_of(&file)?;
            if place.end() <= closed {
                days.entry((place.event_type, place.category, place.date)).or_default().push(file);
            }
        }
        let days = days.into_iter().filter(|(_, files)| files.len() > 1).collect();
        Ok(MergePlan { version: newest.number(), days })
    }

    /// Merges as planned, in one commit that changes no sum. Returns how many days were merged,
    /// and how many files they had; none where anyone has committed since the plan was made, which leaves them for next time.
    ///
    /// # Errors
    /// Fails where the disk does; the table is then as it was before.
    pub fn merge(&self, plan: &MergePlan, now_ms: i64) -> Result<(u64, u64), RollupError> {
        let newest = self.table.newest()?;
        if plan.days.is_empty() || newest.number() != plan.version {
            return Ok((0, 0));
        }
        let bulk = self.store.bulk_writer(ROLLUPS)?;
        let adds: Result<Vec<Option<NewFile>>, RollupError> = plan
            .days
            .par_iter()
            .map(|((event_type, category, date), files)| {
                let mut aggregates = AggregateRows::default();
                for file in files {
                    self.read_day(file, &mut aggregates)?;
                }
                write_day(event_type, category.as_deref(), *date, &aggregates, &bulk)
            })
            .collect();
        let adds: Vec<NewFile> = adds?.into_iter().flatten().collect();
        bulk.finish()?;
        let removes: Vec<LiveFile> = plan.days.iter().flat_map(|(_, files)| files.clone()).collect();
        let (days, files) = plan.size();
        let metrics = vec![("numAddedFiles", days), ("numRemovedFiles", files)];
        let commit =
            Commit { kind: CommitKind::Optimize, adds, removes, metrics, now_ms, ..Commit::default() };
        match newest.commit(&commit)? {
            Outcome::Committed(_) => Ok((days, files)),
            Outcome::Conflict => Ok((0, 0)),
        }
    }
}
