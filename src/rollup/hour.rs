//! The sums of one hour of one top-level category.

use hashbrown::{HashMap, HashSet};

use crate::columns::EventBatch;
use crate::event::{SumRow, SumRows, Sums, SumsOverflow};
use crate::lake::Lake;
use crate::rollup::RollupError;
use crate::rollup::conflicts::IdHash;
use crate::rollup::settle::Settled;
use crate::table::LiveFile;
use crate::time::Hour;

/// What became of an hour's events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Events of the whole shop that count.
    pub events: u64,
    /// Copies that do not, since their id had been seen.
    pub repeated: u64,
}

/// Adds the sums of one category's files of an hour to `into`, each event id counting once.
///
/// # Errors
/// Names the file that is missing or damaged, or the item whose sums do not fit.
pub(super) fn add_hour(
    lake: &Lake,
    hour: Hour,
    files: &[&LiveFile],
    settled: &Settled<'_>,
    into: &mut SumRows,
) -> Result<Tally, RollupError> {
    let mut kept = Kept::default();
    for file in files {
        let mut outcome = Ok(());
        lake.read_events(file, &mut |batch| {
            if outcome.is_ok() {
                outcome = kept.take(batch, settled, into);
            }
        })?;
        outcome?;
    }
    into.rows.extend(kept.sums.into_iter().map(|((item, path_set, is_primary), sums)| SumRow {
        item,
        path_set,
        hour,
        is_primary,
        sums,
    }));
    Ok(kept.tally)
}

/// What counts so far.
#[derive(Default)]
struct Kept {
    /// Sums by item, set of paths, and whether they count shop-wide.
    sums: HashMap<(u32, u32, bool), Sums>,
    /// Events that have been counted.
    seen: HashSet<IdHash>,
    tally: Tally,
}

impl Kept {
    fn take(
        &mut self,
        batch: &EventBatch,
        settled: &Settled<'_>,
        names: &mut SumRows,
    ) -> Result<(), SumsOverflow> {
        let mut scratch = String::new();
        for row in 0..batch.rows() {
            let is_primary = batch.is_primary(row);
            if !self.counts(batch, row, settled) {
                self.tally.repeated += u64::from(is_primary);
                continue;
            }
            self.tally.events += u64::from(is_primary);
            let item = names.items.code(batch.item_id(row));
            let path_set = names.path_sets.code(batch.paths(row, &mut scratch));
            let known = self.sums.entry((item, path_set, is_primary)).or_default();
            let overflow = || SumsOverflow { item_id: batch.item_id(row).to_owned() };
            *known = known.plus(batch.sums(row)).ok_or_else(overflow)?;
        }
        Ok(())
    }

    /// Tells whether a row is the first copy of the version that counts.
    fn counts(&mut self, batch: &EventBatch, row: usize, settled: &Settled<'_>) -> bool {
        let Some(id) = batch.event_id(row).map(|id| settled.hasher.hash(id)) else { return true };
        settled.disputes.allow(&settled.hasher, id, batch, row) && self.seen.insert(id)
    }
}
