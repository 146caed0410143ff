//! What all items of the shop or of a category have sold, by hour.
//!
//! Invariant: the totals of adjacent time ranges add up, and a category's purchases are at most those of the shop.

use std::ops::Range;

use crate::counts::exact_times::split;
use crate::counts::query::{ByHour, CountQuery};
use crate::model::{AggregateOverflow, AggregateRows, Hour, Timestamp};
use crate::rollup::{Categories, LiveAggregates, LiveCounts, RollupError, Selection, live_counts};
use crate::storage::Store;

/// What a lake has of the events of some types, where a time range has nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownEvents {
    /// The start of the first day that has any; none where no day has.
    pub first: Option<Hour>,
    /// Whether any event was ever in the category.
    pub has_category: bool,
}

/// Returns what all items of the query's category, of the whole shop for none, have sold from one moment to before
/// another, by hour; the hours of the query are those that the time range touches.
///
/// # Errors
/// Names the file that is missing or damaged; fails where the aggregates do not fit.
pub fn total_by_hour(
    store: &Store,
    query: &CountQuery<'_>,
    times: &Range<Timestamp>,
) -> Result<ByHour, RollupError> {
    let (whole, parts) = split(times);
    let categories = query.category.map_or(Categories::All, Categories::Below);
    live_counts(store, &query.selection(), query.uncommitted, |counts| {
        let mut total = ByHour::new();
        let mut take = |rows: &AggregateRows| add(&mut total, rows, query.category);
        if !whole.is_empty() {
            let selection = Selection { hours: whole.clone(), ..query.selection() };
            LiveAggregates::of(counts)?.for_each_counted(&selection, categories, &mut take)?;
        }
        take(&counts.all_partial_hours(query.event_types, categories, &parts)?)?;
        Ok(total)
    })
}

fn add(total: &mut ByHour, rows: &AggregateRows, category: Option<&str>) -> Result<(), RollupError> {
    // In the shop an item counts by its primary copies, in a category by those below it.
    for row in rows.rows.iter().filter(|row| category.is_some() || row.is_primary) {
        let of_hour = total.entry(row.hour).or_default();
        let added = of_hour.plus(row.aggregate);
        *of_hour = added.ok_or_else(|| AggregateOverflow::of(category.unwrap_or("of the whole shop")))?;
    }
    Ok(())
}

/// Returns what the lake has at any time, to tell a category or a time that has nothing from one that is a mistake.
///
/// Files are read up to the first that has the category.
///
/// # Errors
/// Names the file that is missing or damaged.
pub fn known_events(store: &Store, query: &CountQuery<'_>) -> Result<KnownEvents, RollupError> {
    let moment = |text: &str| Timestamp::parse(text).expect("a time within the years 1 to 9998");
    let hours = moment("0001-01-01T00:00:00Z").hour()..moment("9998-12-31T00:00:00Z").hour();
    let ever = CountQuery { hours, ..query.clone() };
    live_counts(store, &ever.selection(), query.uncommitted, |counts: &LiveCounts| {
        Ok(KnownEvents {
            first: counts.spans().into_iter().map(|span| span.start).min(),
            has_category: query.category.map_or(Ok(true), |path| counts.has_category(path))?,
        })
    })
}
