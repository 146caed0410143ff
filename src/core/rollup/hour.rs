//! The aggregates of one hour of one top-level category.

use hashbrown::{HashMap, HashSet};

use crate::delta::NamedFile;
use crate::lake::{Lake, columns_to_aggregate};
use crate::model::{Aggregate, AggregateOverflow, AggregateRow, AggregateRows, Hour};
use crate::parquet_format::{DictionaryInterner, EventBatch};
use crate::rollup::RollupError;
use crate::rollup::conflicts::IdHash;
use crate::rollup::settle::Settled;

/// What became of an hour's events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Events of the whole shop that count.
    pub events: u64,
    /// Copies that do not, since their id had been seen.
    pub repeated: u64,
}

/// One category's aggregates of a day's hours, one hour after the other.
#[derive(Default)]
pub(super) struct HourByHour {
    pub aggregates: AggregateRows,
    items: DictionaryInterner,
    path_sets: DictionaryInterner,
    /// By item, where the hour's first row of it lies, counted from 1; 0 is none yet.
    first_rows: Vec<u32>,
    /// Where the hour's other rows of an item lie: few items sell in several sets of paths.
    other_rows: HashMap<(u32, u32, bool), usize>,
}

impl HourByHour {
    /// Adds the aggregates of one hour's files, each event id counting once.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, or the item whose aggregates do not fit.
    pub fn add(
        &mut self,
        lake: &Lake,
        hour: Hour,
        files: &[&NamedFile],
        settled: &Settled<'_>,
    ) -> Result<Tally, RollupError> {
        let begins = self.aggregates.rows.len();
        let mut seen = Seen::default();
        for file in files {
            let mut outcome = Ok(());
            lake.read_events(file, columns_to_aggregate(file), &mut |batch| {
                if outcome.is_ok() {
                    outcome = self.take(batch, hour, begins, settled, &mut seen);
                }
            })?;
            outcome?;
        }
        for row in &self.aggregates.rows[begins..] {
            self.first_rows[row.item as usize] = 0;
        }
        self.other_rows.clear();
        Ok(seen.tally)
    }

    fn take(
        &mut self,
        batch: &EventBatch,
        hour: Hour,
        begins: usize,
        settled: &Settled<'_>,
        seen: &mut Seen,
    ) -> Result<(), AggregateOverflow> {
        let (mut items, mut path_sets) = (Vec::new(), Vec::new());
        batch.items(&mut self.items, &mut self.aggregates.items, &mut items);
        batch.path_sets(&mut self.path_sets, &mut self.aggregates.path_sets, &mut path_sets);
        self.first_rows.resize(self.aggregates.items.len(), 0);
        for (row, (item, path_set)) in items.into_iter().zip(path_sets).enumerate() {
            let is_primary = batch.is_primary(row);
            if !seen.counts(batch, row, settled) {
                seen.tally.repeated += u64::from(is_primary);
                continue;
            }
            seen.tally.events += u64::from(is_primary);
            let at = self.row_of(begins, item, path_set, is_primary, hour);
            let known = &mut self.aggregates.rows[at].aggregate;
            let overflow = || AggregateOverflow { item_id: batch.item_id(row).to_owned() };
            *known = known.plus(batch.aggregate(row)).ok_or_else(overflow)?;
        }
        Ok(())
    }

    /// Returns where the hour's row of an item, a set of paths and a kind of copy lies, which is
    /// appended where it is new.
    fn row_of(&mut self, begins: usize, item: u32, path_set: u32, is_primary: bool, hour: Hour) -> usize {
        let rows = &mut self.aggregates.rows;
        let first = &mut self.first_rows[item as usize];
        if *first > 0 {
            let at = begins + (*first as usize - 1);
            if rows[at].path_set == path_set && rows[at].is_primary == is_primary {
                return at;
            }
            if let Some(&at) = self.other_rows.get(&(item, path_set, is_primary)) {
                return at;
            }
        }
        let at = rows.len();
        rows.push(AggregateRow { item, path_set, hour, is_primary, aggregate: Aggregate::default() });
        match *first {
            // An hour of more rows does not fit in memory.
            0 => *first = u32::try_from(at - begins + 1).expect("fewer than 2^32 rows an hour"),
            _ => {
                self.other_rows.insert((item, path_set, is_primary), at);
            }
        }
        at
    }
}

/// The events of an hour that have been counted.
#[derive(Default)]
struct Seen {
    ids: HashSet<IdHash>,
    tally: Tally,
}

impl Seen {
    /// Tells whether a row is the first copy of the version that counts.
    fn counts(&mut self, batch: &EventBatch, row: usize, settled: &Settled<'_>) -> bool {
        let Some(id) = batch.event_id(row).map(|id| settled.hasher.hash(id)) else { return true };
        settled.disputes.allow(&settled.hasher, id, batch, row) && self.ids.insert(id)
    }
}
