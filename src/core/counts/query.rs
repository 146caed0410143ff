//! What single items have sold: the query, and its answers by item and by category.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::lake::UncommittedBatch;
use crate::model::{Aggregate, AggregateOverflow, AggregateRows, EventTypes, Hour, levels_of};
use crate::rollup::{ItemQuery, RollupError, Selection, live_counts};
use crate::storage::Store;

/// The aggregates of one item by hour; hours without a sale are left out.
pub type ByHour = BTreeMap<Hour, Aggregate>;

/// Which sales to count.
#[derive(Clone, Debug)]
pub struct CountQuery<'a> {
    pub event_types: &'a EventTypes,
    /// First hour, and the hour after the last.
    pub hours: Range<Hour>,
    /// Only sales in this category or below it.
    pub category: Option<&'a str>,
    /// Batches that are durable and not in the lake yet; they count, too.
    pub uncommitted: &'a [Arc<UncommittedBatch>],
}

impl<'a> CountQuery<'a> {
    pub(super) fn selection(&self) -> Selection<'a> {
        Selection { event_types: self.event_types, hours: self.hours.clone() }
    }

    pub(super) fn of_items(&self, items: &'a [&'a str]) -> ItemQuery<'a> {
        let top_level = self.category.and_then(|path| levels_of(path).next());
        ItemQuery { items, selection: self.selection(), top_level }
    }
}

/// Returns what each of some items has sold, by hour; an unknown item has sold nothing.
///
/// # Errors
/// Names the file that is missing or damaged, or the item whose aggregates do not fit.
pub fn by_hour<'a>(
    store: &Store,
    query: &CountQuery<'_>,
    items: &[&'a str],
) -> Result<BTreeMap<&'a str, ByHour>, RollupError> {
    let items = sorted(items);
    let rows = live_counts(store, &query.selection(), query.uncommitted, |counts| {
        counts.aggregates(&query.of_items(&items))
    })?;
    by_item(query, &rows, items)
}

/// Returns what each of some items has by hour, given all rows of a query.
pub(super) fn by_item<'a>(
    query: &CountQuery<'_>,
    rows: &AggregateRows,
    items: Vec<&'a str>,
) -> Result<BTreeMap<&'a str, ByHour>, RollupError> {
    let counts: Vec<bool> = rows.path_sets.iter().map(|paths| query.is_below(paths)).collect();
    let mut of_items: Vec<ByHour> = vec![ByHour::new(); rows.items.len()];
    for row in &rows.rows {
        let is_counted = match query.category {
            // An item in several top-level categories has a row in each.
            None => row.is_primary,
            Some(_) => counts[row.path_set as usize],
        };
        if is_counted {
            add(&mut of_items[row.item as usize], row.hour, row.aggregate, rows, row.item)?;
        }
    }
    let found = items.into_iter().map(|item| {
        let code = rows.items.find(item);
        (item, code.map(|code| std::mem::take(&mut of_items[code as usize])).unwrap_or_default())
    });
    Ok(found.collect())
}

/// Returns what one item has sold, by hour, in the whole shop, which is `None`, and in every category
/// in which it has sold, at every level.
///
/// # Errors
/// As [`by_hour`].
pub fn by_category(
    store: &Store,
    query: &CountQuery<'_>,
    item: &str,
) -> Result<BTreeMap<Option<String>, ByHour>, RollupError> {
    let rows = live_counts(store, &query.selection(), query.uncommitted, |counts| {
        counts.aggregates(&query.of_items(&[item]))
    })?;
    let mut of_categories: BTreeMap<Option<String>, ByHour> = BTreeMap::new();
    for row in &rows.rows {
        let paths = rows.path_sets.name(row.path_set).split('|').filter(|path| !path.is_empty());
        let mut categories: Vec<Option<&str>> = paths.flat_map(levels_of).map(Some).collect();
        categories.extend(row.is_primary.then_some(None));
        categories.sort_unstable();
        categories.dedup();
        for category in categories {
            let of_category = of_categories.entry(category.map(str::to_owned)).or_default();
            add(of_category, row.hour, row.aggregate, &rows, row.item)?;
        }
    }
    Ok(of_categories)
}

/// Returns the first and the last of the queried hours in which an item was sold; none where it never
/// was.
///
/// Days are read from either end, up to the first with a sale.
///
/// # Errors
/// As [`by_hour`].
pub fn first_and_last(
    store: &Store,
    query: &CountQuery<'_>,
    item: &str,
) -> Result<Option<(Hour, Hour)>, RollupError> {
    live_counts(store, &query.selection(), query.uncommitted, |counts| {
        let items = [item];
        let sold_in = |span: &Range<Hour>| -> Result<Option<(Hour, Hour)>, RollupError> {
            let hours = span.start.max(query.hours.start)..span.end.min(query.hours.end);
            let of_day = CountQuery { hours, ..query.clone() };
            let rows = counts.aggregates(&of_day.of_items(&items))?;
            let hours = rows.rows.iter().filter(|row| {
                let is_in = query.category.is_none() || query.is_below(rows.path_sets.name(row.path_set));
                is_in && row.aggregate.purchases > 0
            });
            let hours = hours.map(|row| row.hour);
            Ok(hours.clone().min().zip(hours.max()))
        };
        let mut spans = counts.spans();
        let mut first = None;
        for span in &spans {
            first = sold_in(span)?;
            if first.is_some() {
                break;
            }
        }
        let Some((first, mut last)) = first else { return Ok(None) };
        spans.sort_by_key(|span| Reverse(span.end));
        for span in &spans {
            if let Some((_, of_span)) = sold_in(span)? {
                last = of_span;
                break;
            }
        }
        Ok(Some((first, last)))
    })
}

impl CountQuery<'_> {
    /// Returns whether any of some paths, joined by `|`, is in the category or below it.
    fn is_below(&self, paths: &str) -> bool {
        self.category.is_some_and(|category| paths.split('|').any(|path| is_below(path, category)))
    }
}

fn is_below(path: &str, category: &str) -> bool {
    path.strip_prefix(category).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) fn sorted<'a>(items: &[&'a str]) -> Vec<&'a str> {
    let mut items = items.to_vec();
    items.sort_unstable();
    items.dedup();
    items
}

fn add(
    of: &mut ByHour,
    hour: Hour,
    aggregate: Aggregate,
    rows: &AggregateRows,
    item: u32,
) -> Result<(), AggregateOverflow> {
    let known = of.entry(hour).or_default();
    *known = known.plus(aggregate).ok_or_else(|| AggregateOverflow::of(rows.items.name(item)))?;
    Ok(())
}
