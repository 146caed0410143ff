//! Item ids and a number for each, in little memory: there may be ten million.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Items in the order they are first seen, each with a number that may change.
#[derive(Default)]
pub(super) struct Items {
    ids: String,
    ends: Vec<usize>,
    codes: Vec<u32>,
    /// Places only: a hash is worked out again where the table grows, not kept.
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Items {
    /// Returns an item's number, which is `first` where the item is new.
    pub(super) fn code(&mut self, item_id: &str, first: u32) -> &mut u32 {
        let Items { ids, ends, codes, places, hasher } = self;
        let hash = hasher.hash_one(item_id);
        let found = places.find(hash, |&place| id_at(ids, ends, place) == item_id).copied();
        let place = found.unwrap_or_else(|| {
            let place = u32::try_from(codes.len()).expect("fewer than 2^32 items fit in memory");
            ids.push_str(item_id);
            ends.push(ids.len());
            codes.push(first);
            places.insert_unique(hash, place, |&place| hasher.hash_one(id_at(ids, ends, place)));
            place
        });
        &mut codes[place as usize]
    }

    /// Returns a known item's number.
    pub(super) fn find(&self, item_id: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(item_id);
        let place = self.places.find(hash, |&place| id_at(&self.ids, &self.ends, place) == item_id)?;
        Some(self.codes[*place as usize])
    }

    /// Gives back the memory that was kept for more items.
    pub(super) fn shrink(&mut self) {
        self.ids.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.codes.shrink_to_fit();
        let Items { ids, ends, places, hasher, .. } = self;
        places.shrink_to_fit(|&place| hasher.hash_one(id_at(ids, ends, place)));
    }
}

fn id_at<'a>(ids: &'a str, ends: &[usize], place: u32) -> &'a str {
    let place = place as usize;
    let start = if place == 0 { 0 } else { ends[place - 1] };
    &ids[start..ends[place]]
}
