//! Items that are sold under several top-level categories, recognized by the hashes of their ids.
//!
//! Each part of a ranking reports the hashes of the items it scored, and an item whose hash two parts
//! report is a multi-category item. Two items that share a hash are both taken for one, which costs a
//! second look and changes nothing: hashes decide which rows are read again, never how they rank.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::rank::reported::Reported;
use crate::rank::scoring::Scored;
use crate::storage::checksum;

/// Items whose sums are held at a time; few in tests, so that these see several passes.
const ITEMS_PER_PASS: usize = if cfg!(test) { 2 } else { 200_000 };
/// The bit of a hash that says whether the item is eligible.
const ELIGIBLE: u64 = 1;

/// The shop-wide score and aggregate of an item that is sold under several top-level categories.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiCategoryItem {
    pub(super) item_id: String,
    pub(super) scored: Scored,
    /// The score as it is printed.
    pub(super) printed: f64,
    pub(super) reported: Reported,
}

/// The multi-category items whose sums are still to be collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PendingItems {
    /// Ascending, without the lowest bit.
    hashes: Vec<u64>,
    /// How many of them were collected already.
    done: usize,
    /// All other items must be ranked again, too: too many of the best were multi-category items.
    pub reranks_others: bool,
}

impl PendingItems {
    /// Returns the items of some hashes, none of which was collected yet; `None` for no hashes.
    pub fn new(hashes: Vec<u64>, reranks_others: bool) -> Option<PendingItems> {
        (!hashes.is_empty()).then_some(PendingItems { hashes, done: 0, reranks_others })
    }

    /// Returns whether it can be searched and has a next pass, as all have that were not read from a file.
    pub fn is_valid(&self) -> bool {
        self.done < self.hashes.len() && self.hashes.is_sorted()
    }

    /// Returns whether a hash is that of a multi-category item.
    pub fn contains(&self, hash: u64) -> bool {
        contains_hash(&self.hashes, hash)
    }

    /// Returns whether the rows of an item of this hash are to be collected in this pass.
    pub fn is_collected_now(&self, hash: u64) -> bool {
        self.hashes.binary_search(&without_flag(hash)).is_ok_and(|at| self.pass().contains(&at))
    }

    /// Returns what is left for the next pass, if anything is.
    pub fn next_pass(self) -> Option<PendingItems> {
        let done = self.pass().end;
        (done < self.hashes.len()).then_some(PendingItems { done, reranks_others: false, ..self })
    }

    fn pass(&self) -> Range<usize> {
        self.done..self.hashes.len().min(self.done + ITEMS_PER_PASS)
    }
}

/// Returns the hash of an item: XXH3, the same in every process.
pub(super) fn hash_of(item_id: &str) -> u64 {
    checksum(item_id.as_bytes())
}

/// Returns a hash that also says whether its item is eligible.
pub(super) fn with_flag(hash: u64, is_eligible: bool) -> u64 {
    without_flag(hash) | if is_eligible { ELIGIBLE } else { 0 }
}

fn without_flag(hash: u64) -> u64 {
    hash & !ELIGIBLE
}

/// Returns whether ascending hashes without their flags contain that of an item.
pub(super) fn contains_hash(hashes: &[u64], hash: u64) -> bool {
    hashes.binary_search(&without_flag(hash)).is_ok()
}

/// Returns how many items are eligible whose hash was reported once, and all other hashes without
/// their flags.
pub(super) fn split_by_occurrence(sorted: &[u64]) -> (u64, Vec<u64>) {
    let mut eligible_items = 0;
    let mut multi_category = Vec::new();
    for of_hash in sorted.chunk_by(|a, b| without_flag(*a) == without_flag(*b)) {
        match of_hash {
            [one] => eligible_items += one & ELIGIBLE,
            _ => multi_category.push(without_flag(of_hash[0])),
        }
    }
    (eligible_items, multi_category)
}
