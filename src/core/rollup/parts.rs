//! A rollup in several processes: what is to be recomputed as values for others, the outcome of a part, and one commit
//! of all outcomes.
//!
//! A part is some days of event types, or some shards of a large day, as of one version of both tables. Its process
//! writes the files of aggregates itself, under names that follow from the part and from their bytes; nothing names them
//! before the commit.
//!
//! Invariant: the table has the rows that [`crate::rollup::rollup`] would have given it, or is unchanged.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::delta::{LiveFile, Outcome, Partition, StoredNewFile, Version};
use crate::lake::{DayPartition, FilePartition, Lake};
use crate::model::{Date, Hour};
use crate::progress::{Progress, Stage};
use crate::rollup::aggregate::Tally;
use crate::rollup::changes::DayKey;
use crate::rollup::error::RollupError;
use crate::rollup::event_file::EventFile;
use crate::rollup::plan::{DayPlan, Plan, Reason, Scope, plan};
use crate::rollup::table::{Rollups, partition_of};
use crate::rollup::update::{
    DayOutcome, DayShare, Replaces, ShardOutcome, Summary, commit_of, recompute_day, report,
};
use crate::rollup::write::Output;

/// Rows of events that one process aggregates at a time, unless another number of parts is asked for.
const ROWS_PER_PART: u64 = 4_000_000;
/// A large day has at most this many parts: one for each shard, and one for what has no category.
const MAX_SHARES: u64 = 17;

/// What is to be recomputed, in parts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedParts {
    /// The versions of both tables.
    events_version: u64,
    rollups_version: u64,
    /// What the commit records of the version of `events`.
    transactions: Vec<(String, i64)>,
    days: Vec<PlannedDay>,
    parts: Vec<Vec<PlannedShare>>,
}

/// A day of an event type.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct PlannedDay {
    event_type: String,
    /// In days since 1970, as all hours are in hours.
    date: i32,
    reason: Reason,
    hours: Vec<i32>,
    changed_since: Option<Vec<i32>>,
    rows: u64,
}

/// A day by its place, or some of its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PlannedShare {
    day: usize,
    number: usize,
    of: usize,
}

/// What a part has recomputed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartOutcome {
    days: Vec<StoredDay>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredDay {
    share: PlannedShare,
    hours: u64,
    conflicts: (u64, u64),
    compared: Option<(u64, u64)>,
    shards: Vec<StoredShard>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredShard {
    adds: Vec<StoredNewFile>,
    removes: Vec<String>,
    events: u64,
    repeated: u64,
    differing: Vec<(i32, u64)>,
    damaged: Vec<String>,
}

/// Decides what is recomputed, in about so many parts; none where the rollups are up to date.
///
/// # Errors
/// Fails where a table's log cannot be read.
pub fn plan_parts(
    lake: &Lake,
    scope: Scope,
    parts: Option<u64>,
) -> Result<Option<PlannedParts>, RollupError> {
    let rollups = Rollups::open_or_create(lake.store())?;
    let newest = rollups.table.newest()?;
    let plan = plan(lake, Some(&newest), scope, &BTreeSet::new(), &[])?;
    if plan.is_up_to_date {
        return Ok(None);
    }
    let days: Vec<PlannedDay> = plan.days.iter().map(PlannedDay::of).collect();
    let rows_per_part = match parts {
        Some(parts) => plan.rows().div_ceil(parts.max(1)).max(1),
        None => ROWS_PER_PART,
    };
    Ok(Some(PlannedParts {
        events_version: plan.covers,
        rollups_version: newest.number(),
        transactions: plan.transactions,
        parts: packed(&days, rows_per_part),
        days,
    }))
}

/// Splits large days by shards, and packs small ones.
fn packed(days: &[PlannedDay], rows_per_part: u64) -> Vec<Vec<PlannedShare>> {
    let (mut parts, mut part, mut rows_of_part) = (Vec::new(), Vec::new(), 0);
    for (day, PlannedDay { rows, .. }) in days.iter().enumerate() {
        let of = rows.div_ceil(rows_per_part).clamp(1, MAX_SHARES) as usize;
        if of > 1 {
            parts.extend((0..of).map(|number| vec![PlannedShare { day, number, of }]));
            continue;
        }
        if rows_of_part > 0 && rows_of_part + rows > rows_per_part {
            parts.push(std::mem::take(&mut part));
            rows_of_part = 0;
        }
        part.push(PlannedShare { day, number: 0, of });
        rows_of_part += rows;
    }
    parts.extend((!part.is_empty()).then_some(part));
    parts
}

impl PlannedParts {
    /// Returns how many parts there are.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Returns about how many rows of events will be read.
    pub fn rows(&self) -> u64 {
        self.days.iter().map(|day| day.rows).sum()
    }

    /// Returns how many hours of an event type will be recomputed.
    pub fn hours(&self) -> u64 {
        self.days.iter().map(|day| day.hours.len() as u64).sum()
    }

    /// Returns some of the days, with their files.
    fn day_plans(
        &self,
        events: &Version<'_>,
        rollups: &Version<'_>,
        wanted: &BTreeSet<usize>,
    ) -> Result<BTreeMap<usize, DayPlan>, RollupError> {
        let mut plans: BTreeMap<usize, DayPlan> = BTreeMap::new();
        let mut numbers: BTreeMap<DayKey, usize> = BTreeMap::new();
        for number in wanted {
            let Some(day) = self.days.get(*number) else { continue };
            numbers.insert((day.event_type.clone(), Date::new(day.date)), *number);
            plans.insert(*number, day.plan());
        }
        let dates = numbers.keys().map(|(_, date)| *date);
        let Some((first, last)) = dates.clone().min().zip(dates.max()) else { return Ok(plans) };
        // A malformed partition is an error, too.
        let wants = |values: &Partition| {
            DayPartition::of(values).is_none_or(|day| numbers.contains_key(&(day.event_type, day.date)))
        };
        let number_of =
            |partition: &FilePartition| numbers.get(&(partition.day.event_type.clone(), partition.day.date));
        for file in events.files_of_days(&(first..=last), &wants)? {
            let partition = FilePartition::of(&file)
                .ok_or_else(|| RollupError::BadPartition { file: file.path.clone() })?;
            if let Some(day) = number_of(&partition).and_then(|number| plans.get_mut(number)) {
                day.events.push(EventFile { partition, file: file.into(), bytes: None });
            }
        }
        for file in rollups.files_of_days(&(first..=last), &wants)? {
            let partition = partition_of(&file)?;
            if let Some(day) = number_of(&partition).and_then(|number| plans.get_mut(number)) {
                day.stored.push((partition, file));
            }
        }
        Ok(plans)
    }
}

impl PlannedDay {
    fn of(day: &DayPlan) -> PlannedDay {
        let numbers = |hours: &BTreeSet<Hour>| hours.iter().map(|hour| hour.number()).collect();
        PlannedDay {
            event_type: day.event_type.clone(),
            date: day.date.number(),
            reason: day.reason,
            hours: numbers(&day.hours),
            changed_since: day.changed_since.as_ref().map(numbers),
            rows: day.rows(),
        }
    }

    /// Returns the day without its files.
    fn plan(&self) -> DayPlan {
        let hours = |numbers: &Vec<i32>| numbers.iter().map(|number| Hour::new(*number)).collect();
        DayPlan {
            event_type: self.event_type.clone(),
            date: Date::new(self.date),
            reason: self.reason,
            hours: hours(&self.hours),
            events: Vec::new(),
            stored: Vec::new(),
            changed_since: self.changed_since.as_ref().map(hours),
        }
    }
}

/// Recomputes a part, none where there is no such part, and writes its files, under names that begin with the one given.
///
/// # Errors
/// Fails where the disk does, a file is damaged or an aggregate does not fit.
pub fn compute_part(
    lake: &Lake,
    planned: &PlannedParts,
    part: usize,
    name: &str,
    progress: &Progress,
) -> Result<Option<PartOutcome>, RollupError> {
    let Some(shares) = planned.parts.get(part) else { return Ok(None) };
    let rollups = Rollups::open_or_create(lake.store())?;
    let (events, version) = (
        lake.events().at_version(planned.events_version)?,
        rollups.table.at_version(planned.rollups_version)?,
    );
    let days = planned.day_plans(&events, &version, &shares.iter().map(|share| share.day).collect())?;
    let output = Output::OfPart { store: lake.store(), name: name.to_owned() };
    progress.begin(Stage::Rollup, Some(days.values().map(DayPlan::rows).sum()));
    let mut outcome = PartOutcome { days: Vec::new() };
    for share in shares {
        let Some(day) = days.get(&share.day) else { continue };
        let of_day = DayShare { number: share.number, of: share.of };
        let computed = recompute_day(lake, &rollups, day, of_day, &output, progress)?;
        outcome.days.push(StoredDay::of(*share, computed)?);
    }
    progress.end(Stage::Rollup);
    Ok(Some(outcome))
}

impl StoredDay {
    fn of(share: PlannedShare, day: DayOutcome) -> Result<StoredDay, RollupError> {
        let DayOutcome { hours, conflicts, compared, shards, .. } = day;
        let stored = |ShardOutcome { adds, removes, tally, differing, damaged }| {
            let unknown = || RollupError::UnknownOutcome;
            Ok(StoredShard {
                adds: adds
                    .iter()
                    .map(|file| StoredNewFile::of(file).ok_or_else(unknown))
                    .collect::<Result<_, _>>()?,
                removes: removes.iter().map(|file: &LiveFile| file.path.clone()).collect(),
                events: tally.events,
                repeated: tally.repeated,
                differing: differing.into_iter().map(|(hour, rows)| (hour.number(), rows)).collect(),
                damaged,
            })
        };
        let shards = shards.into_iter().map(stored).collect::<Result<_, RollupError>>()?;
        Ok(StoredDay { share, hours, conflicts, compared, shards })
    }

    fn outcome(self, event_type: &str, live: &BTreeMap<&str, &LiveFile>) -> Result<DayOutcome, RollupError> {
        let is_first = self.share.number == 0;
        let shard = |StoredShard { adds, removes, events, repeated, differing, damaged }| {
            let unknown = || RollupError::UnknownOutcome;
            let removed =
                |path: String| live.get(path.as_str()).map(|file| (*file).clone()).ok_or_else(unknown);
            let added = |file: StoredNewFile| file.into_file().ok_or_else(unknown);
            Ok(ShardOutcome {
                adds: adds.into_iter().map(added).collect::<Result<_, _>>()?,
                removes: Vec::into_iter(removes).map(removed).collect::<Result<_, _>>()?,
                tally: Tally { events, repeated },
                differing: Vec::into_iter(differing).map(|(hour, rows)| (Hour::new(hour), rows)).collect(),
                damaged,
            })
        };
        Ok(DayOutcome {
            event_type: event_type.to_owned(),
            // All shares of a day have found the same hours and conflicts.
            hours: if is_first { self.hours } else { 0 },
            conflicts: if is_first { self.conflicts } else { (0, 0) },
            compared: self.compared.map(|compared| if is_first { compared } else { (0, 0) }),
            shards: self.shards.into_iter().map(shard).collect::<Result<_, RollupError>>()?,
        })
    }
}

/// Commits the outcomes of all parts.
///
/// # Errors
/// [`RollupError::ChangedMeanwhile`] where the table is no longer what it was when the rollup was planned; else as
/// [`crate::rollup::rollup`].
pub fn commit_parts(
    lake: &Lake,
    planned: &PlannedParts,
    outcomes: Vec<PartOutcome>,
    replaces: Replaces,
    now_ms: i64,
    progress: &Progress,
) -> Result<Summary, RollupError> {
    let rollups = Rollups::open_or_create(lake.store())?;
    let _turn = rollups.table.wait_for_turn()?;
    let newest = rollups.table.newest()?;
    if newest.number() != planned.rollups_version {
        return Err(RollupError::ChangedMeanwhile);
    }
    let stored: BTreeSet<usize> = (0..planned.days.len()).collect();
    let days = planned.day_plans(&lake.events().at_version(planned.events_version)?, &newest, &stored)?;
    let live =
        days.values().flat_map(|day| &day.stored).map(|(_, file)| (file.path.as_str(), file)).collect();
    let mut of_days = Vec::new();
    for day in outcomes.into_iter().flat_map(|outcome| outcome.days) {
        let of = planned.days.get(day.share.day).ok_or(RollupError::UnknownOutcome)?;
        of_days.push(day.outcome(&of.event_type, &live)?);
    }
    let plan = Plan {
        covers: planned.events_version,
        transactions: planned.transactions.clone(),
        days: planned.days.iter().map(PlannedDay::plan).collect(),
        is_up_to_date: false,
    };
    let (commit, summary) = commit_of(&plan, of_days, now_ms);
    let differing = summary.diff.as_ref().map(|diff| &diff.differing).filter(|of| !of.is_empty());
    if let Some(differing) = differing.filter(|_| replaces == Replaces::DamagedOnly) {
        return Err(RollupError::Differing { differing: differing.clone() });
    }
    match newest.commit(&commit)? {
        Outcome::Committed(_) => {
            report(&summary, progress);
            Ok(summary)
        }
        Outcome::Conflict => Err(RollupError::ChangedMeanwhile),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::Lake;
    use crate::lake::test_events::add_sales_of;
    use crate::rollup::rollup;
    use crate::storage::{Store, temporary};

    fn day(rows: u64) -> PlannedDay {
        PlannedDay {
            event_type: "purchase".to_owned(),
            date: 0,
            reason: Reason::EventsAdded,
            hours: Vec::new(),
            changed_since: None,
            rows,
        }
    }

    #[test]
    fn large_days_are_split_and_small_ones_are_packed() {
        let share = |day, number, of| PlannedShare { day, number, of };
        let days = [day(25), day(4), day(5), day(3), day(1_000), day(0)];
        let parts = packed(&days, 10);
        assert_eq!(parts[..3], [[share(0, 0, 3)], [share(0, 1, 3)], [share(0, 2, 3)]].map(Vec::from));
        assert_eq!(parts.len(), 3 + 1 + 17 + 1);
        assert_eq!(parts[3], [share(1, 0, 1), share(2, 0, 1)]);
        assert_eq!(parts[21], [share(3, 0, 1), share(5, 0, 1)]);
    }

    /// Three days of a shop, two of them so large that their shards are apart.
    fn lake_of(store: &Store) -> Lake {
        let lake = Lake::open_or_create(store.clone(), None).expect("a lake can be made");
        for (batch, (path, hour)) in
            (0..).zip([("Food", 1), ("Toys", 2), ("Books", 26), ("Food", 27), ("", 50)])
        {
            let items: Vec<String> = (0..45).map(|item| format!("item{item}")).collect();
            let sales: Vec<(u32, &str, i32)> =
                (batch * 45..).zip(&items).map(|(id, item)| (id, item.as_str(), 1 + hour)).collect();
            add_sales_of(&lake, path, Hour::new(hour), &sales);
        }
        lake
    }

    fn rows_of(store: &Store) -> Vec<String> {
        let rollups = Rollups::open_or_create(store).expect("it can be read");
        let newest = rollups.table.newest().expect("it can be read");
        let mut rows = Vec::new();
        for file in newest.files().expect("it can be read") {
            let partition = partition_of(&file).expect("it has one");
            let mut read = crate::model::AggregateRows::default();
            crate::rollup::table::read_file_of(store, &partition, &file.into(), &mut read)
                .expect("it can be read");
            rows.extend(read.rows.iter().map(|row| {
                format!(
                    "{:?} {} {:?}",
                    partition.day,
                    read.items.name(row.item),
                    (row.hour, row.is_primary, row.aggregate)
                )
            }));
        }
        rows.sort_unstable();
        rows
    }

    #[test]
    fn parts_in_any_order_and_twice_give_the_table_of_one_rollup() {
        let ((alone, _folder), (apart, _other)) = (temporary(), temporary());
        let lake = lake_of(&alone);
        let expected = rollup(&lake, Scope::Changed, Replaces::DamagedOnly, 0, &Progress::ignored())
            .expect("it is done");
        let lake = lake_of(&apart);
        let planned =
            plan_parts(&lake, Scope::Changed, Some(9)).expect("it can be planned").expect("there is some");
        let json = serde_json::to_vec(&planned).expect("it can be written");
        let planned: PlannedParts = serde_json::from_slice(&json).expect("it was written so");
        assert!(planned.parts() > 4, "{planned:?}");
        let compute = |part: usize| {
            let outcome = compute_part(&lake, &planned, part, &format!("part{part}"), &Progress::ignored());
            let json = serde_json::to_vec(&outcome.expect("it is done").expect("there is one"))
                .expect("it can be written");
            serde_json::from_slice::<PartOutcome>(&json).expect("it was written so")
        };
        let mut outcomes: Vec<PartOutcome> = (0..planned.parts()).rev().map(compute).collect();
        let files = apart.files("rollups").expect("it can be listed").len();
        outcomes[0] = compute(planned.parts() - 1);
        assert_eq!(apart.files("rollups").expect("it can be listed").len(), files, "the same names");
        assert_eq!(rows_of(&apart), [""; 0], "nothing is committed yet");
        let commit = |outcomes| {
            commit_parts(&lake, &planned, outcomes, Replaces::DamagedOnly, 0, &Progress::ignored())
        };
        assert_eq!(commit(outcomes.clone()).expect("it is committed"), expected);
        assert_eq!(rows_of(&apart), rows_of(&alone));
        assert!(matches!(commit(outcomes), Err(RollupError::ChangedMeanwhile)));
        assert!(plan_parts(&lake, Scope::Changed, None).expect("it can be planned").is_none());
    }
}
