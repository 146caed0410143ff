//! Rankings in memory, read from the lake as of this moment; the sums of past days are kept in files beside it.
//!
//! A file has what the items add up to in some hours of a day, and is named by these hours, by how items are scored and by
//! the files of aggregates that it was read from. So it is the same as what would be read again, or it is not found.
//!
//! Invariant: a ranking is the one that [`decayed_top`](crate::counts::decayed_top) and [`top`](crate::counts::top()) answer
//! with.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::lake::{ITEM_SCORES, UncommittedBatch};
use crate::model::{Date, EventTypes, Hour, Window};
use crate::rank::{LiveRanking, LiveRules};
use crate::rollup::{Categories, LiveAggregates, LiveCounts, RollupError, Selection, live_counts};
use crate::storage::{Store, checksum};

const HOURS_PER_DAY: i32 = 24;

/// Whether the sums of past days are kept in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepsFiles {
    No,
    Yes,
}

/// What to rank, and how.
#[derive(Clone, Debug)]
pub struct LiveRankingQuery<'a> {
    pub rules: LiveRules,
    pub event_types: &'a EventTypes,
    /// Batches that are durable and not in the lake yet; they count, too.
    pub uncommitted: &'a [Arc<UncommittedBatch>],
    pub keeps_files: KeepsFiles,
}

/// Returns the ranking, without lists.
///
/// # Errors
/// Names the file that is missing or damaged, or the item whose aggregates do not fit.
pub fn live_ranking(store: &Store, query: &LiveRankingQuery<'_>) -> Result<LiveRanking, RollupError> {
    let window = query.rules.window;
    let selection = Selection { event_types: query.event_types, hours: window.oldest()..window.as_of() };
    let (ranking, files) = live_counts(store, &selection, query.uncommitted, |counts| {
        let (mut ranking, mut files) = (LiveRanking::new(query.rules), BTreeSet::new());
        // Deduplicated once, for all days that need it.
        let all = LiveAggregates::of(counts)?;
        for hours in days_of(window) {
            files.extend(add_hours_of_day(store, query, (counts, &all), hours, &mut ranking)?);
        }
        Ok((ranking, files))
    })?;
    if query.keeps_files == KeepsFiles::Yes {
        remove_others(store, &files);
    }
    Ok(ranking)
}

/// Writes the files of whole past days that are missing, so that a ranking is soon read after a start.
///
/// # Errors
/// As [`live_ranking`].
pub fn write_live_ranking_files(store: &Store, query: &LiveRankingQuery<'_>) -> Result<(), RollupError> {
    let window = query.rules.window;
    let selection = Selection { event_types: query.event_types, hours: window.oldest()..window.as_of() };
    let files = live_counts(store, &selection, query.uncommitted, |counts| {
        let (mut files, mut all) = (BTreeSet::new(), None);
        for hours in days_of(window).filter(|hours| hours.hours() == HOURS_PER_DAY.unsigned_abs()) {
            let rules = LiveRules { window: hours, ..query.rules };
            let Some(key) = key_of(query, &rules, counts, hours.oldest().date()) else { continue };
            let file = file_of(key);
            if !store.is_there(&file) {
                let all = match &all {
                    Some(all) => all,
                    None => all.insert(LiveAggregates::of(counts)?),
                };
                let mut of_day = LiveRanking::new(rules);
                let selection =
                    Selection { event_types: query.event_types, hours: hours.oldest()..hours.as_of() };
                all.for_each_counted(&selection, Categories::All, &mut |rows| Ok(of_day.add_rows(rows)?))?;
                store.put(&file, of_day.to_bytes(key).into())?;
            }
            files.insert(file);
        }
        Ok(files)
    })?;
    remove_others(store, &files);
    Ok(())
}

/// Returns whether there are files, so that a ranking is soon read.
pub fn has_live_ranking_files(store: &Store) -> bool {
    store.holds_any(ITEM_SCORES).unwrap_or(false)
}

/// Returns the hours of each day that a window has.
fn days_of(window: Window) -> impl Iterator<Item = Window> {
    let mut from = window.oldest();
    std::iter::from_fn(move || {
        let end = Hour::of(from.date(), HOURS_PER_DAY).min(window.as_of());
        let hours = end.number().abs_diff(from.number());
        from = end;
        (hours > 0).then(|| Window::ending(end, hours))
    })
}

/// Adds what the items add up to in some hours of a day, and returns the name of the file that has it.
fn add_hours_of_day(
    store: &Store,
    query: &LiveRankingQuery<'_>,
    (counts, all): (&LiveCounts, &LiveAggregates<'_>),
    hours: Window,
    ranking: &mut LiveRanking,
) -> Result<Option<String>, RollupError> {
    let selection = Selection { event_types: query.event_types, hours: hours.oldest()..hours.as_of() };
    let read = |ranking: &mut LiveRanking| {
        all.for_each_counted(&selection, Categories::All, &mut |rows| Ok(ranking.add_rows(rows)?))
    };
    let rules = LiveRules { window: hours, ..query.rules };
    let is_past = hours.as_of() < query.rules.window.as_of();
    let key = match query.keeps_files {
        KeepsFiles::Yes if is_past => key_of(query, &rules, counts, hours.oldest().date()),
        _ => None,
    };
    let Some(key) = key else {
        read(ranking)?;
        return Ok(None);
    };
    let file = file_of(key);
    let known = store.get(&file).ok().and_then(|bytes| LiveRanking::of_bytes(&bytes, key, rules).ok());
    let of_day = match known {
        Some(known) => known,
        None => {
            let mut of_day = LiveRanking::new(rules);
            read(&mut of_day)?;
            // Without it, the day is read again after a start: a full disk is no reason to have no ranking.
            let _ = store.put(&file, of_day.to_bytes(key).into());
            of_day
        }
    };
    ranking.add_hours(&of_day)?;
    Ok(Some(file))
}

fn file_of(key: u64) -> String {
    format!("{ITEM_SCORES}/{key:016x}.scores")
}

/// Returns the checksum of all that the sums of a day depend on; none where the stored aggregates are not all of it.
fn key_of(query: &LiveRankingQuery<'_>, rules: &LiveRules, counts: &LiveCounts, date: Date) -> Option<u64> {
    let files = counts.only_stored_files(date)?;
    let LiveRules { window, decay, measure } = rules;
    let text = format!(
        "{} {} {:?} {} {:?} {files:?}",
        window.oldest().number(),
        window.hours(),
        decay.fraction_text(),
        measure.name(),
        query.event_types
    );
    Some(checksum(text.as_bytes()))
}

/// Removes the files of days that are past, or were written again.
fn remove_others(store: &Store, files: &BTreeSet<String>) {
    for file in store.names(ITEM_SCORES).unwrap_or_default() {
        let path = format!("{ITEM_SCORES}/{file}");
        if !files.contains(&path) {
            // It is looked for again in an hour.
            let _ = store.delete(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::StepLimits;
    use crate::lake::Lake;
    use crate::lake::test_events::add_sales;
    use crate::model::Decay;
    use crate::progress::Progress;
    use crate::rank::Measure;
    use crate::rollup::{Replaces, Rollups, Scope, rollup};
    use crate::storage::temporary;

    /// Hours from 1970-01-01 on: January is over, and is read from its copy once there is one.
    const NOW: i32 = 32 * 24;

    #[test]
    fn sums_of_a_day_that_changed_are_not_taken_from_their_file() {
        let (store, _folder) = temporary();
        let lake = Lake::open_or_create(store.clone(), None).expect("a lake can be made");
        let event_types = EventTypes::of(vec!["purchase".to_owned()], Vec::new());
        let window = Window::ending(Hour::new(NOW), NOW.unsigned_abs());
        let rules = LiveRules { window, decay: Decay::None, measure: Measure::Units };
        let settle = || {
            let progress = Progress::ignored();
            rollup(&lake, Scope::Changed, Replaces::DamagedOnly, 0, &progress).expect("it is done");
            let rollups = Rollups::open_or_create(&store).expect("it can be read");
            let compaction = rollups.plan_compaction(Hour::new(NOW).start(), StepLimits::default());
            compaction.expect("it can be read").run(0, &|_| {}).expect("it is done").months
        };
        let sums = |keeps_files| {
            let query = LiveRankingQuery { rules, event_types: &event_types, uncommitted: &[], keeps_files };
            let mut ranking = live_ranking(&store, &query).expect("it can be read");
            ranking.keep(&[(None, 9)]).expect("they fit");
            let found = ranking.ranking(None, 9).expect("they fit");
            found
                .items
                .into_iter()
                .map(|item| format!("{} {}", item.item_id, item.aggregate.units))
                .collect::<Vec<_>>()
        };
        for day in 0..31 {
            add_sales(&lake, Hour::new(day * 24 + 5), &[(day.unsigned_abs(), "early", 1)]);
        }
        assert_eq!(settle(), 1, "a copy of January");
        assert_eq!(sums(KeepsFiles::Yes), ["early 31"]);
        assert_eq!(store.names(ITEM_SCORES).expect("they can be listed").len(), 31);
        // While no server runs.
        add_sales(&lake, Hour::new(200), &[(99, "late", 40)]);
        assert_eq!(settle(), 1, "another copy");
        assert_eq!(sums(KeepsFiles::Yes), sums(KeepsFiles::No));
        assert_eq!(sums(KeepsFiles::Yes), ["late 40", "early 31"]);
    }
}
