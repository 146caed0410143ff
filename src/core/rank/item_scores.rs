//! What rows of many items add up to, for rankings whose rows come file by file and not item by item.
//!
//! Invariant: an item is ranked by its sums as by its rows, since scores add. Memory holds a sum for each item and set of
//! paths, however many hours there are.

use hashbrown::HashMap;

use crate::model::{
    AggregateOverflow, AggregateRow, AggregateRows, HourAggregate, Interner, category_of_set,
};
use crate::rank::item_rows::{AddsUp, ItemRow, SumRow};
use crate::rank::overflow::Overflow;
use crate::rank::partial_ranking::{PartialRanker, PartialRanking};
use crate::rank::reported::Reported;
use crate::rank::scan_request::ScanRequest;

/// Sums of the items of some top-level categories.
pub struct ItemScores<'a> {
    request: &'a ScanRequest,
    items: Interner,
    path_sets: Interner,
    /// The place of an item's sum by its set of paths, and by whether the rows count shop-wide.
    places: HashMap<(u32, u32, bool), usize>,
    /// Each with the number of its item.
    sums: Vec<(u32, SumRow)>,
}

impl<'a> ItemScores<'a> {
    /// Returns sums that have no rows yet.
    pub fn of(request: &'a ScanRequest) -> ItemScores<'a> {
        ItemScores {
            request,
            items: Interner::default(),
            path_sets: Interner::default(),
            places: HashMap::new(),
            sums: Vec::new(),
        }
    }

    /// Adds some rows, of items that are wanted, in any order.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn add(&mut self, rows: &AggregateRows) -> Result<(), AggregateOverflow> {
        let mut codes: Vec<Option<u32>> = vec![None; rows.items.len()];
        let are_wanted: Vec<bool> = rows.items.iter().map(|item| self.request.wants_item(item)).collect();
        let sets = self.path_sets.codes_of(&rows.path_sets);
        for row in rows.rows.iter().filter(|row| are_wanted[row.item as usize]) {
            let name = rows.items.name(row.item);
            let item = *codes[row.item as usize].get_or_insert_with(|| self.items.code(name));
            self.add_row(item, sets[row.path_set as usize], row).map_err(|e| e.of(name))?;
        }
        Ok(())
    }

    fn add_row(&mut self, item: u32, path_set: u32, row: &AggregateRow) -> Result<(), Overflow> {
        let AggregateRow { hour, is_primary, aggregate, .. } = *row;
        let scoring = &self.request.scoring;
        let at = *self.places.entry((item, path_set, is_primary)).or_insert_with(|| {
            let sum = scoring.zero();
            self.sums.push((item, SumRow { path_set, is_primary, sum, reported: Reported::default() }));
            self.sums.len() - 1
        });
        let (_, SumRow { sum, reported, .. }) = &mut self.sums[at];
        let of_hour = HourAggregate { hour, path_set, is_primary, aggregate };
        scoring.add(&of_hour, sum)?;
        of_hour.add_reported_to(reported, &self.request.reported)
    }

    /// Ranks the items; all their rows were added.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn rank(self) -> Result<PartialRanking, AggregateOverflow> {
        let ItemScores { request, items, path_sets, mut sums, .. } = self;
        let (categories, of_items) = (category_ranks(&path_sets), items.ranks());
        let key = |(item, row): &(u32, SumRow)| {
            (categories[row.path_set() as usize], of_items[*item as usize], row.path_set(), row.is_primary())
        };
        sums.sort_unstable_by_key(key);
        let mut ranker = PartialRanker::new(request);
        let mut of_item = Vec::new();
        let mut sums = sums.into_iter().peekable();
        while let Some((item, first)) = sums.next() {
            let category = categories[first.path_set() as usize];
            of_item.clear();
            of_item.push(first);
            let is_of_item =
                |(of, row): &(u32, SumRow)| *of == item && categories[row.path_set() as usize] == category;
            while let Some((_, row)) = sums.next_if(is_of_item) {
                of_item.push(row);
            }
            ranker.add_rows(items.name(item), &of_item, &path_sets)?;
        }
        Ok(ranker.finish())
    }
}

/// Returns the rank of each set's top-level category among all.
fn category_ranks(path_sets: &Interner) -> Vec<u32> {
    let mut names = Interner::default();
    let numbers: Vec<u32> =
        path_sets.iter().map(|set| names.code(category_of_set(set).unwrap_or_default())).collect();
    let ranks = names.ranks();
    numbers.into_iter().map(|number| ranks[number as usize]).collect()
}
