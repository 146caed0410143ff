//! Aggregates of some items as they are right now: those that were made, and what came in since.
//!
//! Invariant: the answer is what it would be after a rollup, which nothing here does or waits for.
//!
//! Where events only came in, and none of them has an id, their rows add to the aggregates that stand.
//! Where some have ids, or rows went, the hours that a rollup would sum anew are, as it would.

use std::collections::BTreeSet;
use std::ops::Range;

use rayon::prelude::*;

use crate::delta::{FilesSince, LogReader, NamedFile, Partition, Version};
use crate::lake::{HourPartition, Lake, LakeError, events_log, read_events_of};
use crate::model::{AggregateRow, AggregateRows, Date, Hour};
use crate::parquet_format::{DictionaryInterner, EventBatch};
use crate::progress::Progress;
use crate::rollup::apply::aggregate_category;
use crate::rollup::plan::{DayPlan, HourFile, Plan, Scope, app_id, plan_on};
use crate::rollup::read::{Place, place_of};
use crate::rollup::seek::seek;
use crate::rollup::settle::{Settled, settle};
use crate::rollup::{ROLLUPS, RollupError, Rollups, Wanted};
use crate::storage::Store;

/// How often the tables are looked at again when files were vacuumed meanwhile.
const MAX_LOOKS: u32 = 10;

/// Whose aggregates are asked for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// In order, each once.
    pub items: &'a [&'a str],
    pub wanted: Wanted<'a>,
    /// Only what lies below this top-level category.
    pub top_level: Option<&'a str>,
}

/// The aggregates of one moment.
pub struct Present {
    store: Store,
    standing: Vec<(Place, NamedFile)>,
    fresh: Fresh,
    /// The versions of both tables.
    versions: (Option<u64>, u64),
}

/// What the aggregates that stand do not have.
enum Fresh {
    /// Rows that add to them.
    Rows(Vec<HourFile>),
    /// Hours that are to be re-aggregated.
    Hours(Box<(Lake, Plan)>),
}

/// How much of the log to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// What came since the last rollup, if that is all there is to know.
    Short,
    /// All of it.
    Long,
}

/// Looks at the aggregates of some event types and hours as they are at one moment.
///
/// # Errors
/// Fails as the look does, or where there is no lake; a file that was vacuumed between the look at a
/// table's log and at the file is no failure, but looked for again.
pub fn look<T>(
    store: &Store,
    wanted: &Wanted<'_>,
    at: impl Fn(&Present) -> Result<T, RollupError>,
) -> Result<T, RollupError> {
    let mut seen = None;
    let mut way = Way::Short;
    for _ in 0..MAX_LOOKS {
        let present = Present::of(store, wanted, way)?;
        match at(&present) {
            Err(error) if is_gone(&error) && (way == Way::Short || seen != Some(present.versions)) => {
                if way == Way::Long {
                    seen = Some(present.versions);
                }
                way = Way::Long;
            }
            looked => return looked,
        }
    }
    at(&Present::of(store, wanted, Way::Long)?)
}

fn is_gone(error: &RollupError) -> bool {
    match error {
        RollupError::Store(error) | RollupError::Lake(LakeError::Store(error)) => error.is_not_found(),
        _ => false,
    }
}

impl Present {
    fn of(store: &Store, wanted: &Wanted<'_>, way: Way) -> Result<Present, RollupError> {
        let days = wanted.hours.start.date()..=wanted.hours.end.plus(-1).date();
        let wants = |partition: &Partition| {
            let text = |name: &str| partition.get(name).and_then(Option::as_deref);
            // What lies in no known partition is for those to judge who read it.
            let is_of_days = text("date").and_then(Date::parse).is_none_or(|date| days.contains(&date));
            is_of_days
                && text("event_type").is_none_or(|of| wanted.event_types.iter().any(|asked| asked == of))
        };
        // The aggregates first: whatever events are seen then, these are none that the aggregates do not know.
        if way == Way::Short
            && let Some(present) = Present::shortly(store, &wants)?
        {
            return Ok(present);
        }
        let rollups = Rollups::open(store)?;
        let newest = rollups.as_ref().map(|rollups| rollups.table.newest()).transpose()?;
        let files = newest.as_ref().map(|newest| newest.files_of(&wants)).transpose()?;
        let standing = placed(files.into_iter().flatten().map(NamedFile::from))?;
        let lake = Lake::open(store.clone())?;
        let mut plan = plan_on(&lake, newest.as_ref(), Scope::Changed)?;
        plan.days.retain(|day| days.contains(&day.date) && wanted.event_types.contains(&day.event_type));
        let versions = (newest.as_ref().map(Version::number), plan.covers);
        Ok(Present { store: store.clone(), standing, fresh: Fresh::Hours(Box::new((lake, plan))), versions })
    }

    /// Looks at what the tables' logs say by themselves; none where more may have happened than
    /// that files came in since the last rollup, or an event of theirs has an id.
    fn shortly(store: &Store, wants: &dyn Fn(&Partition) -> bool) -> Result<Option<Present>, RollupError> {
        let Some(rollups) = LogReader::new(store, ROLLUPS).newest(wants)? else { return Ok(None) };
        let events = events_log(store);
        let Some(id) = events.table_id()? else { return Ok(None) };
        let covered = rollups.transaction(&app_id(&id)).and_then(|version| u64::try_from(version).ok());
        let Some(covered) = covered else { return Ok(None) };
        let FilesSince::Appended { until, files } = events.files_since(covered, wants)? else {
            return Ok(None);
        };
        let mut added = Vec::with_capacity(files.len());
        for file in files {
            let Some(partition) = HourPartition::of(&file.partition) else { return Ok(None) };
            let of = HourFile { partition, file };
            if of.has_ids() {
                return Ok(None);
            }
            added.push(of);
        }
        let (standing, versions) = (placed(rollups.files.into_iter())?, (Some(rollups.number), until));
        Ok(Some(Present { store: store.clone(), standing, fresh: Fresh::Rows(added), versions }))
    }

    /// Returns the days that may have aggregates.
    pub fn days(&self) -> BTreeSet<Date> {
        let standing = self.standing.iter().map(|(place, _)| place.date);
        match &self.fresh {
            Fresh::Rows(files) => standing.chain(files.iter().map(|of| of.partition.hour.date())).collect(),
            Fresh::Hours(fresh) => standing.chain(fresh.1.days.iter().map(|day| day.date)).collect(),
        }
    }

    /// Returns the aggregates of some items in some of the hours that are looked at.
    ///
    /// The same item, hour and set of paths may come several times: aggregates add.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn aggregates(&self, asked: &Asked<'_>) -> Result<AggregateRows, RollupError> {
        if asked.items.is_empty() {
            return Ok(AggregateRows::default());
        }
        let (settled, added): (Vec<Settled<'_>>, &[HourFile]) = match &self.fresh {
            Fresh::Rows(files) => (Vec::new(), files),
            Fresh::Hours(fresh) => {
                let days = fresh.1.days.iter().filter(|day| asked.may_want(day));
                (days.map(|day| settle(&fresh.0, day)).collect::<Result<_, _>>()?, &[])
            }
        };
        let standing =
            self.standing.par_iter().filter(|(place, _)| asked.may_be_in(place)).map(|(place, file)| {
                let anew = settled.iter().find(|of| of.is_of(&place.event_type, place.date));
                let stands = |hour: &Hour| !anew.is_some_and(|of| of.hours.contains(hour));
                seek(&self.store, file, asked.items, &asked.hours_of(place.date, stands))
            });
        let added = added
            .par_iter()
            .filter(|of| asked.may_want_hour(&of.partition))
            .map(|of| self.rows_of(of, asked));
        let parts: Result<Vec<AggregateRows>, RollupError> = standing.chain(added).collect();
        let mut found = AggregateRows::default();
        parts?.iter().for_each(|part| found.append(part));
        if let Fresh::Hours(fresh) = &self.fresh {
            for day in &settled {
                append_anew(&fresh.0, day, asked, &mut found)?;
            }
        }
        Ok(found)
    }

    /// Returns the rows of some items of a file none of whose events has an id.
    fn rows_of(&self, of: &HourFile, asked: &Asked<'_>) -> Result<AggregateRows, RollupError> {
        let (mut found, mut coder) = (AggregateRows::default(), DictionaryInterner::default());
        read_events_of(&self.store, &of.file, asked.items, &mut |batch: &EventBatch| {
            let mut path_sets = Vec::with_capacity(batch.rows());
            batch.path_sets(&mut coder, &mut found.path_sets, &mut path_sets);
            for (row, path_set) in path_sets.into_iter().enumerate() {
                if asked.items.binary_search(&batch.item_id(row)).is_ok() {
                    let item = found.items.code(batch.item_id(row));
                    let (hour, is_primary) = (of.partition.hour, batch.is_primary(row));
                    found.rows.push(AggregateRow {
                        item,
                        path_set,
                        hour,
                        is_primary,
                        aggregate: batch.aggregate(row),
                    });
                }
            }
        })?;
        Ok(found)
    }
}

fn placed(files: impl Iterator<Item = NamedFile>) -> Result<Vec<(Place, NamedFile)>, RollupError> {
    files.map(|file| Ok((place_of(&file)?, file))).collect()
}

/// Appends the aggregates of a day's hours that are to be re-aggregated.
fn append_anew(
    lake: &Lake,
    day: &Settled<'_>,
    asked: &Asked<'_>,
    found: &mut AggregateRows,
) -> Result<(), RollupError> {
    for category in day.categories() {
        if !asked.may_want_category(category.as_deref()) {
            continue;
        }
        let (aggregates, _) = aggregate_category(lake, day, category, &Progress::ignored())?;
        let mut codes = vec![None; aggregates.items.len()];
        for item in asked.items {
            if let Some(code) = aggregates.items.find(item) {
                codes[code as usize] = Some(found.items.code(item));
            }
        }
        let sets = found.path_sets.codes_of(&aggregates.path_sets);
        for row in aggregates.rows.iter().filter(|row| asked.wanted.hours.contains(&row.hour)) {
            if let Some(item) = codes[row.item as usize] {
                found.rows.push(AggregateRow { item, path_set: sets[row.path_set as usize], ..*row });
            }
        }
    }
    Ok(())
}

impl Settled<'_> {
    fn is_of(&self, event_type: &str, date: Date) -> bool {
        self.day.event_type == event_type && self.day.date == date
    }
}

impl Asked<'_> {
    fn may_be_in(&self, place: &Place) -> bool {
        place.may_be_wanted(&self.wanted) && self.may_want_category(place.category.as_deref())
    }

    fn may_want(&self, day: &DayPlan) -> bool {
        let hours: Range<Hour> = Hour::of(day.date, 0)..Hour::of(day.date, 24);
        let Range { start, end } = &self.wanted.hours;
        hours.start < *end && *start < hours.end && self.wanted.event_types.contains(&day.event_type)
    }

    fn may_want_hour(&self, partition: &HourPartition) -> bool {
        self.wanted.hours.contains(&partition.hour)
            && self.wanted.event_types.contains(&partition.event_type)
            && self.may_want_category(partition.category.as_deref())
    }

    fn may_want_category(&self, category: Option<&str>) -> bool {
        self.top_level.is_none() || self.top_level == category
    }

    /// Returns the wanted hours of a day, by hour of day.
    fn hours_of(&self, date: Date, stands: impl Fn(&Hour) -> bool) -> [Option<Hour>; 24] {
        std::array::from_fn(|hour| {
            let hour = i32::try_from(hour).ok().map(|hour| Hour::of(date, hour));
            hour.filter(|hour| self.wanted.hours.contains(hour) && stands(hour))
        })
    }
}
