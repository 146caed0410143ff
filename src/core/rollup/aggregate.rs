//! The aggregates of one top-level category's events in the hours of one day.
//!
//! Invariant: the result does not depend on the order of files or rows. Sales and returns of an item are
//! in rows of their own, so that either can be subtracted.

use hashbrown::HashMap;

use crate::delta::NamedFile;
use crate::lake::{Lake, columns_to_aggregate};
use crate::model::{AggregateOverflow, AggregateRow, AggregateRows, Hour, Signs};
use crate::parquet_format::{DictionaryInterner, EventBatch};
use crate::progress::{Progress, Stage};
use crate::rollup::dedup::{CountedEvents, DedupedDay};
use crate::rollup::error::RollupError;

/// How many of a category's events count. Only primary copies are counted here, so that the tallies of
/// all categories add up to those of the whole shop.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Events that count.
    pub events: u64,
    /// Copies that do not count, because their event counts already.
    pub repeated: u64,
}

/// Reads a category's events in a day's hours and aggregates those that count.
///
/// # Errors
/// Names the file that is missing or damaged, or the item whose aggregates do not fit.
pub(super) fn aggregate_category(
    lake: &Lake,
    day: &DedupedDay<'_>,
    category: &Option<String>,
    progress: &Progress,
) -> Result<(AggregateRows, Tally), RollupError> {
    let mut aggregator = Aggregator::default();
    for (hour, files) in day.event_files(category) {
        aggregator.add_hour(lake, hour, &files, day)?;
        progress.advance(Stage::Rollup, files.iter().map(|file| file.rows).sum());
    }
    Ok((aggregator.aggregates, aggregator.tally))
}

/// Aggregates the events of one category, one hour after the other.
#[derive(Default)]
struct Aggregator {
    aggregates: AggregateRows,
    tally: Tally,
    items: DictionaryInterner,
    path_sets: DictionaryInterner,
    /// By item, the position of the hour's first row of it, counted from 1; 0 is none yet.
    first_rows: Vec<u32>,
    /// The positions of the hour's other rows of an item: few items sell in several sets of paths.
    other_rows: HashMap<(u32, u32, bool, Signs), usize>,
}

impl Aggregator {
    fn add_hour(
        &mut self,
        lake: &Lake,
        hour: Hour,
        files: &[&NamedFile],
        day: &DedupedDay<'_>,
    ) -> Result<(), RollupError> {
        let begins = self.aggregates.rows.len();
        let mut counted = CountedEvents::default();
        for file in files {
            let mut outcome = Ok(());
            lake.read_events(file, columns_to_aggregate(file), &mut |batch| {
                if outcome.is_ok() {
                    outcome = self.add_batch(batch, hour, begins, day, &mut counted);
                }
            })?;
            outcome?;
        }
        for row in &self.aggregates.rows[begins..] {
            self.first_rows[row.item as usize] = 0;
        }
        self.other_rows.clear();
        Ok(())
    }

    fn add_batch(
        &mut self,
        batch: &EventBatch,
        hour: Hour,
        begins: usize,
        day: &DedupedDay<'_>,
        counted: &mut CountedEvents,
    ) -> Result<(), AggregateOverflow> {
        let (mut items, mut path_sets) = (Vec::new(), Vec::new());
        batch.items(&mut self.items, &mut self.aggregates.items, &mut items);
        batch.path_sets(&mut self.path_sets, &mut self.aggregates.path_sets, &mut path_sets);
        self.first_rows.resize(self.aggregates.items.len(), 0);
        for (row, (item, path_set)) in items.into_iter().zip(path_sets).enumerate() {
            let is_primary = batch.is_primary(row);
            if !counted.counts(batch, row, day) {
                self.tally.repeated += u64::from(is_primary);
                continue;
            }
            self.tally.events += u64::from(is_primary);
            let aggregate = batch.aggregate(row);
            let new = AggregateRow { item, path_set, hour, is_primary, aggregate };
            if let Some(at) = self.find_or_push(begins, new) {
                let known = &mut self.aggregates.rows[at].aggregate;
                let overflow = || AggregateOverflow::of(batch.item_id(row));
                *known = known.plus(aggregate).ok_or_else(overflow)?;
            }
        }
        Ok(())
    }

    /// Returns the position of the hour's row of the same item, set of paths, kind of copy and signs; none
    /// where there was none, and the new one was appended.
    fn find_or_push(&mut self, begins: usize, new: AggregateRow) -> Option<usize> {
        let AggregateRow { item, path_set, is_primary, .. } = new;
        let signs = new.aggregate.signs();
        let rows = &mut self.aggregates.rows;
        let first = &mut self.first_rows[item as usize];
        if *first > 0 {
            let at = begins + (*first as usize - 1);
            let known = &rows[at];
            if known.path_set == path_set
                && known.is_primary == is_primary
                && known.aggregate.signs() == signs
            {
                return Some(at);
            }
            if let Some(&at) = self.other_rows.get(&(item, path_set, is_primary, signs)) {
                return Some(at);
            }
        }
        let at = rows.len();
        rows.push(new);
        match *first {
            // An hour of more rows does not fit in memory.
            0 => *first = u32::try_from(at - begins + 1).expect("fewer than 2^32 rows an hour"),
            _ => {
                self.other_rows.insert((item, path_set, is_primary, signs), at);
            }
        }
        None
    }
}
