//! A plan carried out: the planned hours aggregated, their files written, the commit made ready.

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::delta::{Commit, LiveFile, NewFile, Partition};
use crate::lake::{Lake, hive_folder, partition_map};
use crate::model::{AggregateRow, AggregateRows, Date, Hour};
use crate::parquet_format::{AggregateLine, Encoded, encode_aggregates};
use crate::progress::{Progress, Stage};
use crate::rollup::compare::{Differing, Ordered, compare, is_as_stood};
use crate::rollup::hour::{HourByHour, Tally};
use crate::rollup::plan::{DayPlan, Plan};
use crate::rollup::settle::{Settled, settle, settle_hours};
use crate::rollup::{ROLLUPS, RollupError, Rollups, Summary};
use crate::storage::{BulkWriter, unique_id};

/// A day with more rows keeps all threads busy by itself, and holds so much of its ids and aggregates in
/// memory that no other is aggregated meanwhile.
const ROWS_OF_A_LARGE_DAY: u64 = 1_000_000;

/// What a day comes to.
struct DayOutcome {
    event_type: String,
    hours: u64,
    conflicts: u64,
    /// How many hours had to be as they stood, and how many may have changed; none where nothing was compared.
    compared: Option<(u64, u64)>,
    categories: Vec<CategoryOutcome>,
}

/// What one category's day comes to.
struct CategoryOutcome {
    add: Option<NewFile>,
    removes: Vec<LiveFile>,
    tally: Tally,
    /// Rows that were not as they stood, by hour.
    differing: Differing,
}

/// Writes the planned aggregates, durable but not yet named by any commit, and returns the commit.
///
/// # Errors
/// Fails where the disk does, a file is damaged or a sum does not fit.
pub(super) fn apply(
    lake: &Lake,
    rollups: &Rollups,
    plan: &Plan,
    now_ms: i64,
    progress: &Progress,
) -> Result<(Commit, Summary), RollupError> {
    let bulk = rollups.store.bulk_writer(ROLLUPS)?;
    let (large, small): (Vec<&DayPlan>, Vec<&DayPlan>) =
        plan.days.iter().partition(|day| day.rows() > ROWS_OF_A_LARGE_DAY);
    let apply = |day: &&DayPlan| apply_day(lake, rollups, day, &bulk, progress);
    let days: Result<Vec<DayOutcome>, RollupError> = small.par_iter().map(apply).collect();
    let mut days = days?;
    for day in &large {
        days.push(apply(day)?);
    }
    bulk.finish()?;
    let mut summary = Summary::default();
    let mut commit = Commit {
        transactions: vec![(plan.app_id.clone(), plan.covers.cast_signed())],
        now_ms,
        ..Commit::default()
    };
    for day in days {
        summary.hours += day.hours;
        summary.conflicts += day.conflicts;
        if let Some((hours, changed)) = day.compared {
            let compared = summary.compared.get_or_insert_default();
            compared.hours += hours;
            compared.changed_hours += changed;
            for (hour, rows) in day.categories.iter().flat_map(|of| &of.differing) {
                *compared.differing.entry((*hour, day.event_type.clone())).or_default() += rows;
            }
        }
        for outcome in day.categories {
            summary.events += outcome.tally.events;
            summary.repeated += outcome.tally.repeated;
            summary.rows += outcome.add.as_ref().map_or(0, |file| file.rows);
            commit.adds.extend(outcome.add);
            commit.removes.extend(outcome.removes);
        }
    }
    summary.files_added = commit.adds.len() as u64;
    summary.files_removed = commit.removes.len() as u64;
    commit.metrics = vec![
        ("numHours", summary.hours),
        ("numEvents", summary.events),
        ("numRepeatedEvents", summary.repeated),
        ("numConflictingEventIds", summary.conflicts),
        ("numOutputRows", summary.rows),
    ];
    Ok((commit, summary))
}

/// Aggregates one day's hours.
fn apply_day(
    lake: &Lake,
    rollups: &Rollups,
    day: &DayPlan,
    bulk: &BulkWriter<'_>,
    progress: &Progress,
) -> Result<DayOutcome, RollupError> {
    let settled = settle(lake, day)?;
    // A changed hour may decide which of two events counts in another.
    let changed = match &day.changed {
        Some(hours) if !hours.is_empty() => Some(settle_hours(lake, day, hours)?.hours),
        hours => hours.clone(),
    };
    let categories: Result<Vec<CategoryOutcome>, RollupError> = settled
        .categories()
        .into_iter()
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|category| apply_category(lake, rollups, &settled, changed.as_ref(), category, bulk, progress))
        .collect();
    let hours = settled.hours.len() as u64;
    Ok(DayOutcome {
        event_type: day.event_type.clone(),
        compared: changed.map(|changed| {
            let may_differ = settled.hours.intersection(&changed).count() as u64;
            (hours - may_differ, may_differ)
        }),
        hours,
        conflicts: settled.disputes.len() as u64,
        categories: categories?,
    })
}

/// Returns the aggregates of a category's events in a day's hours.
pub(super) fn aggregate_category(
    lake: &Lake,
    settled: &Settled<'_>,
    category: &Option<String>,
    progress: &Progress,
) -> Result<(AggregateRows, Tally), RollupError> {
    let mut hours = HourByHour::default();
    let mut tally = Tally::default();
    for (hour, files) in settled.events(category) {
        let of_hour = hours.add(lake, hour, &files, settled)?;
        tally.events += of_hour.events;
        tally.repeated += of_hour.repeated;
        progress.advance(Stage::Rollup, files.iter().map(|file| file.rows).sum());
    }
    Ok((hours.aggregates, tally))
}

fn apply_category(
    lake: &Lake,
    rollups: &Rollups,
    settled: &Settled<'_>,
    changed: Option<&BTreeSet<Hour>>,
    category: &Option<String>,
    bulk: &BulkWriter<'_>,
    progress: &Progress,
) -> Result<CategoryOutcome, RollupError> {
    let (mut aggregates, tally) = aggregate_category(lake, settled, category, progress)?;
    let standing = settled.standing(category);
    let day = settled.day;
    if !day.from_ground {
        let mut stood = AggregateRows::default();
        for file in &standing {
            rollups.read_day(file, &mut stood)?;
        }
        let mut of_rebuilt = AggregateRows::default();
        of_rebuilt.append_where(&stood, |row| settled.hours.contains(&row.hour));
        if of_rebuilt.is_same_as(&aggregates) {
            let (add, removes, differing) = (None, Vec::new(), Differing::new());
            return Ok(CategoryOutcome { add, removes, tally, differing });
        }
        aggregates.append_where(&stood, |row| !settled.hours.contains(&row.hour));
    }
    let order = aggregates.order();
    let lines = lines_of(&aggregates, aggregates.in_order(&order));
    let file = encode_lines(&day.event_type, category.as_deref(), day.date, lines)?;
    let bytes = file.as_ref().map(|file| &file.encoded.bytes);
    let differing = match changed {
        // The same rows are the same bytes, so that what stood need not be decoded.
        Some(changed) if !is_as_stood(rollups, &standing, bytes) => compare(
            rollups,
            day.date,
            &standing,
            &Ordered { aggregates: &aggregates, order: &order },
            changed,
        ),
        _ => Differing::new(),
    };
    let add = file.map(|file| file.put(bulk)).transpose()?;
    Ok(CategoryOutcome { add, removes: standing, tally, differing })
}

/// Writes one category's day, sorted for merging; nothing where it has no rows.
pub(super) fn write_day(
    event_type: &str,
    category: Option<&str>,
    date: Date,
    aggregates: &AggregateRows,
    bulk: &BulkWriter<'_>,
) -> Result<Option<NewFile>, RollupError> {
    write_lines(event_type, category, date, lines_of(aggregates, aggregates.sorted()), bulk)
}

fn lines_of<'a>(
    aggregates: &'a AggregateRows,
    rows: impl Iterator<Item = AggregateRow> + 'a,
) -> impl Iterator<Item = AggregateLine<'a>> + 'a {
    rows.map(|row| AggregateLine {
        hour_of_day: row.hour.of_day(),
        item_id: aggregates.items.name(row.item),
        paths: aggregates.path_sets.name(row.path_set),
        is_primary: row.is_primary,
        aggregate: row.aggregate,
    })
}

/// Writes one category's day of lines in the order of rollup files; nothing where there are none.
pub(super) fn write_lines<'a>(
    event_type: &str,
    category: Option<&str>,
    date: Date,
    lines: impl IntoIterator<Item = AggregateLine<'a>>,
    bulk: &BulkWriter<'_>,
) -> Result<Option<NewFile>, RollupError> {
    let file = encode_lines(event_type, category, date, lines)?;
    file.map(|file| file.put(bulk)).transpose()
}

/// A file that is not written yet.
struct Encoding {
    path: String,
    partition: Partition,
    encoded: Encoded,
}

impl Encoding {
    fn put(self, bulk: &BulkWriter<'_>) -> Result<NewFile, RollupError> {
        bulk.put(&format!("{ROLLUPS}/{}", self.path), self.encoded.bytes.clone())?;
        Ok(NewFile::of(self.path, self.partition, self.encoded))
    }
}

fn encode_lines<'a>(
    event_type: &str,
    category: Option<&str>,
    date: Date,
    lines: impl IntoIterator<Item = AggregateLine<'a>>,
) -> Result<Option<Encoding>, RollupError> {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_none() {
        return Ok(None);
    }
    let folder = hive_folder(event_type, category, date);
    let path = format!("{folder}/{}.parquet", unique_id());
    let encoded =
        encode_aggregates(lines).map_err(|source| RollupError::Columns { file: path.clone(), source })?;
    Ok(Some(Encoding { path, partition: partition_map(event_type, category, date), encoded }))
}
