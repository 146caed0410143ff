//! The shop: a tree of categories, and items with an id, paths and a price.
//!
//! Invariant: an item depends on the seed and its popularity rank alone.

use rayon::prelude::*;

use crate::random::{Random, mixed};
use crate::workload::Workload;

/// The length of an item id.
pub(super) const ID_LENGTH: usize = 10;
const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// The number of possible ids.
const IDS: u64 = 36_u64.pow(ID_LENGTH as u32);
/// The bits of the next power of two.
const ID_BITS: u32 = 52;

/// The maximum number of paths of an item.
pub(super) const MAX_PATHS: usize = 3;
/// Of a hundred items, the number of those in one path, and in one or two.
const IN_ONE_PATH: u64 = 70;
const IN_TWO_PATHS: u64 = 90;

/// The median price in cents, and the standard deviation of its logarithm.
const MEDIAN_CENTS: f64 = 665.0;
const PRICE_SPREAD: f64 = 1.0;

/// The kind of random sequence that is drawn for each item.
const OF_ITEM: u64 = 1;

/// The category tree, and the items, best seller first.
pub(super) struct Shop {
    pub tree: Tree,
    pub items: Vec<Item>,
}

/// The category tree.
pub(super) struct Tree {
    /// The full paths, in byte order.
    pub leaves: Vec<String>,
    /// The top-level categories, in byte order.
    pub tops: Vec<String>,
    /// For each leaf, the number of its top-level category.
    pub top_of: Vec<u32>,
}

/// An item.
#[derive(Clone, Copy)]
pub(super) struct Item {
    id: [u8; ID_LENGTH],
    paths: u8,
    leaves: [u32; MAX_PATHS],
    pub price_cents: u32,
}

impl Shop {
    /// Returns the shop of a workload.
    pub fn of(workload: &Workload) -> Shop {
        let tree = Tree::of(workload.leaves, workload.tops);
        let items = (0..workload.items).into_par_iter();
        let items = items.map(|rank| Item::of(workload.seed, rank, workload.leaves)).collect();
        Shop { tree, items }
    }
}

impl Tree {
    /// Returns a tree whose leaves are spread evenly over the top-level categories.
    ///
    /// A top-level category with n leaves has about √n groups of about √n leaves. With one leaf for each
    /// top-level category, the tree is flat.
    fn of(leaves: u32, tops: u32) -> Tree {
        if leaves == tops {
            let names: Vec<String> = names("Department", tops).collect();
            return Tree { leaves: names.clone(), tops: names, top_of: (0..tops).collect() };
        }
        let mut tree = Tree { leaves: Vec::new(), tops: Vec::new(), top_of: Vec::new() };
        // Numbers have the same width everywhere, so that byte order is numeric order.
        let max = leaves.div_ceil(tops);
        let groups = max.isqrt();
        for (number, (top, leaves)) in (0..).zip(names("Department", tops).zip(split(leaves, tops))) {
            for (group, shelves) in names("Group", groups).zip(split(leaves, groups)) {
                let shelves = names("Shelf", max.div_ceil(groups)).take(shelves as usize);
                tree.leaves.extend(shelves.map(|shelf| format!("{top}/{group}/{shelf}")));
            }
            tree.tops.push(top);
            tree.top_of.resize(tree.leaves.len(), number);
        }
        tree
    }
}

impl Item {
    fn of(seed: u64, rank: u32, leaves: u32) -> Item {
        let mut random = Random::of(seed, OF_ITEM, u64::from(rank));
        let paths = match random.below(100).0 {
            0..IN_ONE_PATH => 1,
            IN_ONE_PATH..IN_TWO_PATHS => 2,
            _ => MAX_PATHS,
        };
        let paths = paths.min(leaves as usize);
        let mut chosen = [0; MAX_PATHS];
        for at in 0..paths {
            // The paths of an item are distinct.
            chosen[at] = loop {
                let leaf = random.below(u64::from(leaves)).0 as u32;
                if !chosen[..at].contains(&leaf) {
                    break leaf;
                }
            };
        }
        chosen[..paths].sort_unstable();
        let price = libm::round(MEDIAN_CENTS * libm::exp(PRICE_SPREAD * random.normal()));
        Item { id: id(seed, rank), paths: paths as u8, leaves: chosen, price_cents: price.max(1.0) as u32 }
    }

    /// Returns the id.
    #[inline]
    pub fn id(&self) -> &str {
        std::str::from_utf8(&self.id).expect("letters and digits are text")
    }

    /// Returns the numbers of the item's leaves, ascending.
    #[inline]
    pub fn leaves(&self) -> &[u32] {
        &self.leaves[..usize::from(self.paths)]
    }
}

/// Returns an item's id; ids are distinct, and in no order.
fn id(seed: u64, rank: u32) -> [u8; ID_LENGTH] {
    let keys = [mixed(seed), mixed(seed ^ u64::MAX)];
    // A permutation of 52 bits; a number beyond the last id is permuted again until it is an id, which is
    // a permutation of the ids.
    let mut number = permuted(u64::from(rank), keys);
    while number >= IDS {
        number = permuted(number, keys);
    }
    let mut id = [0; ID_LENGTH];
    for digit in id.iter_mut().rev() {
        *digit = DIGITS[(number % 36) as usize];
        number /= 36;
    }
    id
}

fn permuted(number: u64, keys: [u64; 2]) -> u64 {
    const MASK: u64 = (1 << ID_BITS) - 1;
    let mut number = number;
    for (key, odd) in keys.into_iter().zip([0xBF58_476D_1CE4_E5B9_u64, 0x94D0_49BB_1331_11EB]) {
        number = (number ^ key) & MASK;
        number = number.wrapping_mul(odd) & MASK;
        number ^= number >> (ID_BITS / 2);
    }
    number
}

/// Returns numbered names, from 1: `Shelf 01`, `Shelf 02`, ….
fn names(what: &str, count: u32) -> impl Iterator<Item = String> {
    let width = count.to_string().len().max(2);
    (1..=count).map(move |number| format!("{what} {number:0width$}"))
}

/// Splits a number into parts that differ by one at most, the larger ones first.
fn split(number: u32, parts: u32) -> impl Iterator<Item = u32> {
    (0..parts).map(move |part| number / parts + u32::from(part < number % parts))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn trees_have_the_given_number_of_leaves_in_byte_order() {
        for (leaves, tops) in [(1, 1), (3, 2), (7, 7), (60, 50), (1_000, 50), (1_000, 1_000), (10_000, 1)] {
            let tree = Tree::of(leaves, tops);
            assert_eq!(tree.leaves.len(), leaves as usize);
            assert!(tree.leaves.is_sorted() && tree.tops.is_sorted(), "{leaves} {tops}");
            assert_eq!(tree.leaves.iter().collect::<BTreeSet<_>>().len(), leaves as usize);
            assert_eq!(tree.tops.len(), tops as usize);
            for (leaf, &top) in tree.leaves.iter().zip(&tree.top_of) {
                assert_eq!(leaf.split('/').next(), Some(tree.tops[top as usize].as_str()));
            }
        }
        let tree = Tree::of(1_000, 50);
        assert_eq!(tree.leaves.first().map(String::as_str), Some("Department 01/Group 01/Shelf 01"));
        assert_eq!(tree.leaves.last().map(String::as_str), Some("Department 50/Group 04/Shelf 05"));
        assert_eq!(Tree::of(1_000, 1_000).leaves[6], "Department 0007");
    }

    #[test]
    fn ids_are_distinct_and_in_no_order() {
        let ids: Vec<_> = (0..100_000).map(|rank| id(1, rank)).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        let rising = ids.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((49_000..51_000).contains(&rising), "{rising}");
        let mut firsts = [0; 256];
        ids.iter().for_each(|id| firsts[usize::from(id[0])] += 1);
        assert!(DIGITS.iter().all(|&digit| (2_500..3_100).contains(&firsts[usize::from(digit)])));
    }
}
