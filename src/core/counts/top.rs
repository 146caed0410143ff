//! What sold most between two moments, as of this moment, in the shop or a category.

use std::ops::Range;
use std::sync::Arc;

use crate::counts::exact_times::split;
use crate::lake::UncommittedBatch;
use crate::model::{
    AggregateOverflow, AggregateRow, AggregateRows, Decay, EventTypes, Hour, HourAggregate, Timestamp, Week,
    Window, Zone,
};
use crate::rank::{CategoryRanking, Measure, PartialRanker, Ranking, RankingBuilder, Rules, ScanRequest};
use crate::rollup::{Categories, LiveAggregates, RollupError, Selection, live_counts};
use crate::storage::Store;

/// Which sales to add up, and how many items to list.
#[derive(Clone, Debug)]
pub struct TopQuery<'a> {
    pub event_types: &'a EventTypes,
    /// From one moment to before another.
    pub times: Range<Timestamp>,
    /// What items are ordered by.
    pub measure: Measure,
    /// How many items are listed at most.
    pub limit: usize,
    /// Only sales in this category or below it.
    pub category: Option<&'a str>,
    /// Batches that are durable and not in the lake yet; they count, too.
    pub uncommitted: &'a [Arc<UncommittedBatch>],
}

impl TopQuery<'_> {
    /// Returns all hours that the time range touches.
    fn hours(&self) -> Range<Hour> {
        self.times.start.hour()..self.times.end.rounded_up()
    }
}

/// Returns the items that sold most, best first, of equals those with more units, then those with the lower id;
/// none where nothing was sold.
///
/// It is the ranking of this time range without decay, as it would be after a rollup: items whose returns outweigh their
/// sales are not in it.
///
/// # Errors
/// Names the file that is missing or damaged, or the item whose aggregates do not fit.
pub fn top(store: &Store, query: &TopQuery<'_>) -> Result<Option<CategoryRanking>, RollupError> {
    let event_types = query.event_types;
    let selection = Selection { event_types, hours: query.hours() };
    let (whole, parts) = split(&query.times);
    let whole = Selection { event_types, hours: whole };
    let categories = query.category.map_or(Categories::All, Categories::Below);
    let rows = live_counts(store, &selection, query.uncommitted, |counts| {
        let mut rows = match whole.hours.is_empty() {
            true => AggregateRows::default(),
            false => LiveAggregates::of(counts)?.summed_over_hours(&whole, categories)?,
        };
        rows.append(&counts.all_partial_hours(event_types, categories, &parts)?);
        Ok(rows)
    })?;
    Ok(top_of_rows(&rows, query)?)
}

/// Returns the list of [`top`], given all rows of its category and time range, in any order.
///
/// # Errors
/// Names the item whose aggregates do not fit.
pub fn top_of_rows(
    rows: &AggregateRows,
    query: &TopQuery<'_>,
) -> Result<Option<CategoryRanking>, AggregateOverflow> {
    let ranking = ranking_of(rows, query)?;
    Ok(ranking.categories.into_iter().find(|of| of.category.as_deref() == query.category))
}

fn ranking_of(rows: &AggregateRows, query: &TopQuery<'_>) -> Result<Ranking, AggregateOverflow> {
    let Range { start, end } = query.hours();
    let mut builder = RankingBuilder::new(Rules {
        window: Window::ending(end, end.number().abs_diff(start.number())),
        decay: Decay::None,
        measure: query.measure,
        limit: query.limit,
        min_items: 0,
        max_lookback_hours: 0,
        week: Week::ending(end, Zone::utc()),
    });
    let (order, categories) = (rows.order(), rows.categories());
    let item_of = |at: &u32| {
        let row = &rows.rows[*at as usize];
        (categories[row.path_set as usize], row.item)
    };
    while let Some(request) = builder.next_scan() {
        let mut ranker = PartialRanker::new(&request);
        let mut of_item = Vec::new();
        for item in order.chunk_by(|a, b| item_of(a) == item_of(b)) {
            of_item.clear();
            of_item.extend(rows.in_order(item).map(hour_aggregate));
            add(&mut ranker, &request, rows, item_of(&item[0]).1, &of_item)?;
        }
        builder.add(&request, vec![ranker.finish()])?;
    }
    Ok(builder.finish().ranking)
}

/// Adds the rows of an item in a category.
fn add(
    ranker: &mut PartialRanker<'_>,
    request: &ScanRequest,
    rows: &AggregateRows,
    item: u32,
    of_item: &[HourAggregate],
) -> Result<(), AggregateOverflow> {
    let item_id = rows.items.name(item);
    match request.wants_item(item_id) {
        true => ranker.add_item(item_id, of_item, &rows.path_sets),
        false => Ok(()),
    }
}

fn hour_aggregate(row: AggregateRow) -> HourAggregate {
    let AggregateRow { hour, path_set, is_primary, aggregate, .. } = row;
    HourAggregate { hour, path_set, is_primary, aggregate }
}
