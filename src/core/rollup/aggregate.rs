//! The aggregates of the events of a shard's categories in the hours of one day.
//!
//! Invariant: the result does not depend on the order of files or rows. Sales and returns of an item are
//! in rows of their own, so that either can be subtracted.

use hashbrown::HashMap;

use crate::lake::{Lake, columns_to_aggregate};
use crate::model::{
    AggregateOverflow, AggregateRow, AggregateRows, Hour, Interner, PathSetCategories, Shard, Signs,
};
use crate::parquet_format::{DictionaryInterner, EventBatch};
use crate::progress::{Progress, Stage};
use crate::rollup::dedup::{CountedEvents, DedupedDay};
use crate::rollup::error::RollupError;
use crate::rollup::event_file::EventFile;

/// How many of a shard's events count. Only primary copies are counted here, so that the tallies of
/// all shards add up to those of the whole shop.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Events that count.
    pub events: u64,
    /// Copies that do not count, because their event counts already.
    pub repeated: u64,
}

/// Reads a shard's events in a day's hours and aggregates those that count.
///
/// # Errors
/// Names the file that is missing or damaged, or the item whose aggregates do not fit.
pub(super) fn aggregate_shard(
    lake: &Lake,
    day: &DedupedDay<'_>,
    shard: Shard,
    progress: &Progress,
) -> Result<(AggregateRows, Tally), RollupError> {
    let mut aggregator = Aggregator::of(day, shard);
    for files in day.event_files(shard) {
        aggregator.add_files(lake, &files, day)?;
        progress.advance(Stage::Rollup, files.iter().map(|of| of.file.rows).sum());
    }
    let Aggregator { items, path_sets, rows, tally, .. } = aggregator;
    Ok((AggregateRows { items, path_sets: path_sets.sets, rows }, tally))
}

/// Aggregates the events of a shard, those of files with the same hours together.
struct Aggregator {
    shard: Shard,
    /// By number, whether a category is of the shard.
    are_of_shard: Vec<bool>,
    /// By hour of day, the hours that are wanted.
    hours: [Option<Hour>; 24],
    items: Interner,
    path_sets: PathSetCategories,
    rows: Vec<AggregateRow>,
    tally: Tally,
    item_codes: DictionaryInterner,
    path_set_codes: DictionaryInterner,
    /// By hour of day and item, the position of the hour's first row of it, counted from 1; 0 is none yet.
    first_rows: [Vec<u32>; 24],
    /// The positions of an hour's other rows of an item: few items sell in several sets of paths.
    other_rows: HashMap<(u32, u32, Hour, bool, Signs), usize>,
    /// Of the files that are read together.
    counted: CountedEvents,
}

impl Aggregator {
    fn of(day: &DedupedDay<'_>, shard: Shard) -> Aggregator {
        let mut hours = [None; 24];
        for hour in &day.hours {
            hours[hour.of_day() as usize] = Some(*hour);
        }
        Aggregator {
            shard,
            are_of_shard: Vec::new(),
            hours,
            items: Interner::default(),
            path_sets: PathSetCategories::default(),
            rows: Vec::new(),
            tally: Tally::default(),
            item_codes: DictionaryInterner::default(),
            path_set_codes: DictionaryInterner::default(),
            first_rows: std::array::from_fn(|_| Vec::new()),
            other_rows: HashMap::new(),
            counted: CountedEvents::default(),
        }
    }

    fn add_files(
        &mut self,
        lake: &Lake,
        files: &[&EventFile],
        day: &DedupedDay<'_>,
    ) -> Result<(), RollupError> {
        let begins = self.rows.len();
        self.counted.clear();
        for of in files {
            let mut outcome = Ok(());
            let has_others = self.shard.is_part_of(of.partition.day.group.shard());
            of.read(lake, columns_to_aggregate(&of.file), &mut |batch| {
                if outcome.is_ok() {
                    outcome = self.add_batch(batch, day, has_others);
                }
            })?;
            outcome?;
        }
        for row in &self.rows[begins..] {
            self.first_rows[row.hour.of_day() as usize][row.item as usize] = 0;
        }
        self.other_rows.clear();
        Ok(())
    }

    fn add_batch(
        &mut self,
        batch: &EventBatch,
        day: &DedupedDay<'_>,
        has_others: bool,
    ) -> Result<(), AggregateOverflow> {
        let (mut items, mut path_sets) = (Vec::new(), Vec::new());
        batch.items(&mut self.item_codes, &mut self.items, &mut items);
        batch.path_sets(&mut self.path_set_codes, &mut self.path_sets.sets, &mut path_sets);
        self.path_sets.categorize();
        self.are_of_shard.extend(
            (self.are_of_shard.len() as u32..self.path_sets.categories())
                .map(|number| self.shard.has(self.path_sets.category(number))),
        );
        for (row, (item, path_set)) in items.into_iter().zip(path_sets).enumerate() {
            let Some(hour) = self.hours[batch.hour_of_day(row)] else { continue };
            let is_primary = batch.is_primary(row);
            let category = self.path_sets.category_of(path_set);
            if has_others && !self.are_of_shard[category as usize] {
                continue;
            }
            if !self.counted.counts(batch, row, day, category) {
                self.tally.repeated += u64::from(is_primary);
                continue;
            }
            self.tally.events += u64::from(is_primary);
            let aggregate = batch.aggregate(row);
            let new = AggregateRow { item, path_set, hour, is_primary, aggregate };
            if let Some(at) = self.find_or_push(batch.hour_of_day(row), new) {
                let known = &mut self.rows[at].aggregate;
                let overflow = || AggregateOverflow::of(batch.item_id(row));
                *known = known.plus(aggregate).ok_or_else(overflow)?;
            }
        }
        Ok(())
    }

    /// Returns the position of the hour's row of the same item, set of paths, kind of copy and signs; none
    /// where there was none, and the new one was appended.
    fn find_or_push(&mut self, hour_of_day: usize, new: AggregateRow) -> Option<usize> {
        let AggregateRow { item, path_set, hour, is_primary, .. } = new;
        let signs = new.aggregate.signs();
        let first_rows = &mut self.first_rows[hour_of_day];
        if first_rows.len() <= item as usize {
            first_rows.resize(self.items.len(), 0);
        }
        let first = &mut first_rows[item as usize];
        if *first > 0 {
            let at = *first as usize - 1;
            let known = &self.rows[at];
            if known.path_set == path_set
                && known.is_primary == is_primary
                && known.aggregate.signs() == signs
            {
                return Some(at);
            }
            if let Some(&at) = self.other_rows.get(&(item, path_set, hour, is_primary, signs)) {
                return Some(at);
            }
        }
        let at = self.rows.len();
        self.rows.push(new);
        match *first {
            // A day of more rows does not fit in memory.
            0 => *first = u32::try_from(at + 1).expect("fewer than 2^32 rows a day"),
            _ => {
                self.other_rows.insert((item, path_set, hour, is_primary, signs), at);
            }
        }
        None
    }
}
