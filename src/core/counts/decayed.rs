//! The decayed ranking of the shop or a category as of this moment.
//!
//! Invariant: it is the one that `rank` would publish after a rollup, bit for bit, and nothing is written.

use std::ops::Range;
use std::sync::Arc;

use crate::lake::UncommittedBatch;
use crate::model::{EventTypes, Hour, Window};
use crate::rank::{CategoryRanking, ItemScores, RankingBuilder, Rules};
use crate::rollup::{Categories, LiveAggregates, LiveCounts, RollupError, Selection, live_counts};
use crate::storage::Store;

/// What to rank, and how.
#[derive(Clone, Debug)]
pub struct DecayedQuery<'a> {
    pub rules: &'a Rules,
    pub event_types: &'a EventTypes,
    /// The shop for none.
    pub category: Option<&'a str>,
    /// Batches that are durable and not in the lake yet; they count, too.
    pub uncommitted: &'a [Arc<UncommittedBatch>],
}

/// What a pass over some hours has found.
enum Ranked {
    Found(Option<Box<CategoryRanking>>),
    /// The category has too few eligible items in these hours.
    NeedsLongerWindow,
}

/// Returns the ranking of the category; none where it has no eligible items. A category with too few extends its window,
/// as in a published ranking; all other categories do not matter, and what only they have is not read.
///
/// # Errors
/// Names the file that is missing or damaged, or the item whose aggregates do not fit.
pub fn decayed_top(store: &Store, query: &DecayedQuery<'_>) -> Result<Option<CategoryRanking>, RollupError> {
    let rules = query.rules;
    let hours_of = |window: Window| window.oldest().min(rules.week.oldest())..window.as_of();
    // Days that few lists need are not even looked for.
    for window in [rules.window, longest_window(rules)] {
        let hours = hours_of(window);
        let selection = Selection { event_types: query.event_types, hours: hours.clone() };
        let ranked = live_counts(store, &selection, query.uncommitted, |counts| {
            ranked(counts, query, &hours, window == longest_window(rules))
        })?;
        if let Ranked::Found(found) = ranked {
            return Ok(found.map(|found| *found));
        }
    }
    Ok(None)
}

/// Returns the longest window that a category may have.
pub fn longest_window(rules: &Rules) -> Window {
    match rules.min_items {
        0 => rules.window,
        _ => Window::ending(rules.window.as_of(), rules.window.hours().max(rules.max_lookback_hours)),
    }
}

/// Ranks by the counts of some hours, which are all that there can be where they are the longest.
fn ranked(
    counts: &LiveCounts,
    query: &DecayedQuery<'_>,
    hours: &Range<Hour>,
    are_longest: bool,
) -> Result<Ranked, RollupError> {
    let all = LiveAggregates::of(counts)?;
    let mut builder = RankingBuilder::new(query.rules.clone());
    while let Some(request) = builder.next_scan() {
        if request.hours.start < hours.start {
            return Ok(Ranked::NeedsLongerWindow);
        }
        let selection = Selection { event_types: query.event_types, hours: request.hours.clone() };
        let mut parts = Vec::new();
        let shares = match query.category {
            Some(path) => vec![Categories::Below(path)],
            None => all.shares(),
        };
        for categories in shares {
            // Of one share at a time: the sums of all items need much memory.
            let mut sums = ItemScores::of(&request);
            all.for_each_counted(&selection, categories, &mut |rows| Ok(sums.add(rows)?))?;
            parts.push(sums.rank()?);
        }
        if are_longest && builder.may_look_back() {
            let oldest = counts.spans().first().map(|span| span.start);
            builder.set_oldest_hour(Some(oldest.unwrap_or(hours.end)));
        }
        builder.add(&request, parts)?;
        if builder.is_final(query.category) {
            break;
        }
    }
    let found = builder.finish().ranking.categories.into_iter();
    let found = found.filter(|of| of.category.as_deref() == query.category).map(Box::new).next();
    Ok(Ranked::Found(found))
}
