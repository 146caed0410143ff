//! The sums of one hour of one top-level category.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::columns::EventBatch;
use crate::event::{SumRow, SumRows, Sums, SumsOverflow};
use crate::lake::{HourPartition, Lake};
use crate::rollup::RollupError;
use crate::rollup::conflicts::{IdHash, IdHasher, Version};
use crate::table::LiveFile;

/// What became of an hour's events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Events of the whole shop that count.
    pub events: u64,
    /// Copies that do not, since their id had been seen.
    pub repeated: u64,
}

/// The versions that count of the hour's events whose ids are in dispute.
#[derive(Clone, Copy)]
pub(super) struct Settled<'a> {
    pub hasher: &'a IdHasher,
    pub versions: Option<&'a HashMap<IdHash, Version>>,
}

/// Adds the sums of an hour's files to `into`, each event id counting once.
///
/// # Errors
/// Names the file that is missing or damaged, or the item whose sums do not fit.
pub(super) fn add_hour(
    lake: &Lake,
    partition: &HourPartition,
    files: &[LiveFile],
    settled: Settled<'_>,
    into: &mut SumRows,
) -> Result<Tally, RollupError> {
    let mut kept = Kept::default();
    for file in files {
        let mut outcome = Ok(());
        lake.read_events(file, &mut |batch| {
            if outcome.is_ok() {
                outcome = kept.take(batch, partition, settled, into);
            }
        })?;
        outcome?;
    }
    let Kept { rows, mut sums, tally, .. } = kept;
    for row in rows {
        add(&mut sums, &row, into)?;
    }
    into.rows.extend(sums.into_iter().map(|((item, path_set, is_primary), sums)| SumRow {
        item,
        path_set,
        hour: partition.hour,
        is_primary,
        sums,
    }));
    Ok(tally)
}

/// Sums by item, set of paths, and whether they count shop-wide.
type SumsByKey = HashMap<(u32, u32, bool), Sums>;

fn add(sums: &mut SumsByKey, row: &SumRow, names: &SumRows) -> Result<(), SumsOverflow> {
    let known = sums.entry((row.item, row.path_set, row.is_primary)).or_default();
    let overflow = || SumsOverflow { item_id: names.items.name(row.item).to_owned() };
    *known = known.plus(row.sums).ok_or_else(overflow)?;
    Ok(())
}

/// What counts so far.
#[derive(Default)]
struct Kept {
    /// Sums of events without an id.
    sums: SumsByKey,
    /// Copies of events with an id, which a better copy may still replace.
    rows: Vec<SumRow>,
    by_id: HashMap<IdHash, usize>,
    tally: Tally,
}

impl Kept {
    fn take(
        &mut self,
        batch: &EventBatch,
        partition: &HourPartition,
        settled: Settled<'_>,
        names: &mut SumRows,
    ) -> Result<(), SumsOverflow> {
        let mut scratch = String::new();
        for row in 0..batch.rows() {
            let is_primary = batch.is_primary(row);
            let id = batch.event_id(row).map(|id| settled.hasher.hash(id));
            let winner = id.and_then(|id| settled.versions.and_then(|versions| versions.get(&id)));
            if winner.is_some_and(|winner| !counts(winner, batch, row, partition)) {
                self.tally.repeated += u64::from(is_primary);
                continue;
            }
            let copy = SumRow {
                item: names.items.code(batch.item_id(row)),
                path_set: names.path_sets.code(batch.paths(row, &mut scratch)),
                hour: partition.hour,
                is_primary,
                sums: batch.sums(row),
            };
            match id.map(|id| self.by_id.entry(id)) {
                Some(Entry::Occupied(seen)) => {
                    self.tally.repeated += u64::from(is_primary);
                    let known = &mut self.rows[*seen.get()];
                    // Copies of one event differ at most in their paths below this category.
                    let rank = |row: &SumRow| (!row.is_primary, names.path_sets.name(row.path_set));
                    if rank(&copy) < rank(known) {
                        *known = copy;
                    }
                    continue;
                }
                Some(Entry::Vacant(new)) => {
                    new.insert(self.rows.len());
                }
                None => {
                    self.tally.events += u64::from(is_primary);
                    add(&mut self.sums, &copy, names)?;
                    continue;
                }
            }
            self.tally.events += u64::from(is_primary);
            self.rows.push(copy);
        }
        Ok(())
    }
}

/// Tells whether a row is a copy of the version that counts.
fn counts(winner: &Version, batch: &EventBatch, row: usize, partition: &HourPartition) -> bool {
    if batch.is_primary(row) {
        *winner == Version::of(batch, row, partition)
    } else {
        winner.category != partition.category && winner.is_of(batch, row)
    }
}
