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
    let mut kept = Kept { rows: Vec::new(), by_id: HashMap::new(), tally: Tally::default() };
    for file in files {
        lake.read_events(file, &mut |batch| kept.take(batch, partition, settled, into))?;
    }
    let tally = kept.tally;
    let mut sums: HashMap<(u32, u32, bool), Sums> = HashMap::new();
    for row in kept.rows {
        match sums.entry((row.item, row.path_set, row.is_primary)) {
            Entry::Vacant(new) => {
                new.insert(row.sums);
            }
            Entry::Occupied(mut known) => {
                let total = known.get().plus(row.sums);
                let overflow = || SumsOverflow { item_id: into.items.name(row.item).to_owned() };
                *known.get_mut() = total.ok_or_else(overflow)?;
            }
        }
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

/// The copies that count, and which of them has which id.
struct Kept {
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
    ) {
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
                None => {}
            }
            self.tally.events += u64::from(is_primary);
            self.rows.push(copy);
        }
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
