//! A planned day with its disputes settled: which hours to sum, and which versions count in them.

use std::collections::{BTreeMap, BTreeSet};

use crate::delta::{LiveFile, NamedFile};
use crate::lake::Lake;
use crate::model::Hour;
use crate::rollup::RollupError;
use crate::rollup::conflicts::{Disputes, IdHasher, Limits, disputes};
use crate::rollup::plan::{DayPlan, HourFile};

/// A day that is ready to be aggregated.
pub(super) struct Settled<'a> {
    pub day: &'a DayPlan,
    /// The planned hours, and those where a version lies that no longer counts, or counts again.
    pub hours: BTreeSet<Hour>,
    pub hasher: IdHasher,
    pub disputes: Disputes,
}

/// Settles the disputes about the ids of a day's planned hours, and of the hours that these touch.
///
/// # Errors
/// Names the file that is missing or damaged.
pub(super) fn settle<'a>(lake: &Lake, day: &'a DayPlan) -> Result<Settled<'a>, RollupError> {
    settle_hours(lake, day, &day.hours)
}

/// Settles the same of some of a day's hours.
pub(super) fn settle_hours<'a>(
    lake: &Lake,
    day: &'a DayPlan,
    hours: &BTreeSet<Hour>,
) -> Result<Settled<'a>, RollupError> {
    let hasher = IdHasher::default();
    let (asked, others) = parted(&day.events, hours);
    let mut disputes_of = disputes(lake, &asked, &others, &hasher, Limits::default())?;
    let further: BTreeSet<Hour> = disputes_of.hours(day.date).difference(hours).copied().collect();
    if !further.is_empty() {
        // What these hours dispute with the rest of the day stands as it was, but must be known.
        let (asked, others) = parted(&day.events, &further);
        disputes_of.extend(disputes(lake, &asked, &others, &hasher, Limits::default())?);
    }
    Ok(Settled { day, hours: hours.union(&further).copied().collect(), hasher, disputes: disputes_of })
}

fn parted<'a>(files: &'a [HourFile], hours: &BTreeSet<Hour>) -> (Vec<&'a HourFile>, Vec<&'a HourFile>) {
    files.iter().partition(|of| hours.contains(&of.partition.hour))
}

impl Settled<'_> {
    /// Returns the categories that have events or aggregates in the hours.
    pub fn categories(&self) -> BTreeSet<&Option<String>> {
        let events = self.day.events.iter().filter(|of| self.hours.contains(&of.partition.hour));
        let events = events.map(|of| &of.partition.category);
        let standing = self.day.standing.iter().filter(|(place, _)| self.may_be_rebuilt(place));
        events.chain(standing.map(|(place, _)| &place.category)).collect()
    }

    /// Returns the files of a category's events, by hour.
    pub fn events(&self, category: &Option<String>) -> BTreeMap<Hour, Vec<&NamedFile>> {
        let mut hours: BTreeMap<Hour, Vec<&NamedFile>> = BTreeMap::new();
        for HourFile { partition, file } in &self.day.events {
            if self.hours.contains(&partition.hour) && partition.category == *category {
                hours.entry(partition.hour).or_default().push(file);
            }
        }
        hours
    }

    /// Returns the category's rollup files that may hold one of the hours; all of the day's where
    /// it is aggregated from the ground.
    pub fn standing(&self, category: &Option<String>) -> Vec<LiveFile> {
        let standing = self.day.standing.iter();
        let standing =
            standing.filter(|(place, _)| place.category == *category && self.may_be_rebuilt(place));
        standing.map(|(_, file)| file.clone()).collect()
    }

    fn may_be_rebuilt(&self, place: &crate::rollup::read::Place) -> bool {
        self.day.from_ground || self.hours.iter().any(|hour| place.may_hold(*hour))
    }
}
