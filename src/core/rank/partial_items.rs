//! The sums of a part that splits items: other parts have other rows of the same items.
//!
//! Nothing can be ranked by them alone. Added up over all such parts of a top-level category, items are
//! whole, and are ranked as by their rows.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::model::{AggregateOverflow, HourAggregate, Interner};
use crate::rank::item_rows::{AddsUp, Sum, SumRow};
use crate::rank::overflow::Overflow;
use crate::rank::partial_ranking::{PartialRanker, PartialRanking};
use crate::rank::reported::Reported;
use crate::rank::scan_request::ScanRequest;

/// What some rows of one item add up to, by paths (joined by `|`) and by whether they count shop-wide.
pub(super) type SumsByPaths = BTreeMap<(String, bool), (Sum, Reported)>;

/// What some rows of each item of a top-level category add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialItems {
    pub(super) items: BTreeMap<String, SumsByPaths>,
}

impl PartialItems {
    /// Adds some rows of an item; `path_sets` has the texts of their path sets.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn add_item(
        &mut self,
        item_id: &str,
        rows: &[HourAggregate],
        path_sets: &Interner,
        request: &ScanRequest,
    ) -> Result<(), AggregateOverflow> {
        let mut by_paths: HashMap<(u32, bool), (Sum, Reported)> = HashMap::new();
        let mut add = |row: &HourAggregate| {
            let empty = || (request.scoring.zero(), Reported::default());
            let (sum, reported) = by_paths.entry((row.path_set, row.is_primary)).or_insert_with(empty);
            request.scoring.add(row, sum)?;
            row.add_reported_to(reported, &request.reported)
        };
        rows.iter().try_for_each(&mut add).map_err(|e| e.of(item_id))?;
        let named = |((path_set, is_primary), sum): ((u32, bool), (Sum, Reported))| {
            ((path_sets.name(path_set).to_owned(), is_primary), sum)
        };
        let sums: SumsByPaths = by_paths.into_iter().map(named).collect();
        self.merge_item(item_id, sums)
    }

    /// Adds what another part has.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn merge(&mut self, other: PartialItems) -> Result<(), AggregateOverflow> {
        other.items.into_iter().try_for_each(|(item_id, sums)| self.merge_item(&item_id, sums))
    }

    /// Ranks the items, which are whole.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn rank(self, request: &ScanRequest) -> Result<PartialRanking, AggregateOverflow> {
        let (mut ranker, mut path_sets) = (PartialRanker::new(request), Interner::default());
        for (item_id, sums) in self.items {
            let row = |((paths, is_primary), (sum, reported)): ((String, bool), (Sum, Reported))| SumRow {
                path_set: path_sets.code(&paths),
                is_primary,
                sum,
                reported,
            };
            let rows: Vec<SumRow> = sums.into_iter().map(row).collect();
            ranker.add_rows(&item_id, &rows, &path_sets)?;
        }
        Ok(ranker.finish())
    }

    pub(super) fn merge_item(&mut self, item_id: &str, others: SumsByPaths) -> Result<(), AggregateOverflow> {
        let Some(sums) = self.items.get_mut(item_id) else {
            self.items.insert(item_id.to_owned(), others);
            return Ok(());
        };
        for (paths, (other, other_reported)) in others {
            match sums.get_mut(&paths) {
                Some((sum, reported)) => {
                    let added = sum.add(&other).and_then(|()| reported.add(&other_reported));
                    added.map_err(|e: Overflow| e.of(item_id))?;
                }
                None => drop(sums.insert(paths, (other, other_reported))),
            }
        }
        Ok(())
    }
}
