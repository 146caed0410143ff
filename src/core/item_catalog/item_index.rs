//! A number for each item id, in little memory: there may be ten million items.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Item ids in the order in which they are first seen, each with a number that may change.
#[derive(Default)]
pub(super) struct ItemIndex {
    ids: String,
    ends: Vec<usize>,
    codes: Vec<u32>,
    /// Positions only: hashes are recomputed where the table grows, not stored.
    positions: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl ItemIndex {
    /// Returns an item's number, which is `first` where the item is new.
    pub(super) fn code(&mut self, item_id: &str, first: u32) -> &mut u32 {
        let ItemIndex { ids, ends, codes, positions, hasher } = self;
        let hash = hasher.hash_one(item_id);
        let found = positions.find(hash, |&position| id_at(ids, ends, position) == item_id).copied();
        let position = found.unwrap_or_else(|| {
            let position = u32::try_from(codes.len()).expect("fewer than 2^32 items fit in memory");
            ids.push_str(item_id);
            ends.push(ids.len());
            codes.push(first);
            positions.insert_unique(hash, position, |&position| hasher.hash_one(id_at(ids, ends, position)));
            position
        });
        &mut codes[position as usize]
    }

    /// Returns a known item's number.
    pub(super) fn find(&self, item_id: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(item_id);
        let position =
            self.positions.find(hash, |&position| id_at(&self.ids, &self.ends, position) == item_id)?;
        Some(self.codes[*position as usize])
    }

    /// Frees the memory that is reserved for more items.
    pub(super) fn shrink(&mut self) {
        self.ids.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.codes.shrink_to_fit();
        let ItemIndex { ids, ends, positions, hasher, .. } = self;
        positions.shrink_to_fit(|&position| hasher.hash_one(id_at(ids, ends, position)));
    }
}

fn id_at<'a>(ids: &'a str, ends: &[usize], position: u32) -> &'a str {
    let position = position as usize;
    let start = if position == 0 { 0 } else { ends[position - 1] };
    &ids[start..ends[position]]
}
