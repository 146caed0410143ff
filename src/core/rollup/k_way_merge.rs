//! The merge of many sorted files: which of them have the smallest next item.

use crate::model::ItemKey;

/// Comparing so many keys one after the other is faster than keeping a tree of them in order.
const KEYS_PER_BLOCK: usize = 8;

/// The key of the next item of each file.
#[derive(Default)]
pub(super) struct NextKeys {
    keys: Vec<ItemKey>,
    /// The smallest of each block of keys.
    smallest: Vec<ItemKey>,
}

impl NextKeys {
    /// Sets all keys; none is after a file's last item.
    pub fn set_all(&mut self, keys: impl Iterator<Item = Option<ItemKey>>) {
        self.keys.clear();
        self.keys.extend(keys.map(|key| key.unwrap_or(ItemKey::BEHIND_ALL)));
        self.smallest.clear();
        self.smallest.extend(self.keys.chunks(KEYS_PER_BLOCK).map(smallest_of));
    }

    /// Returns the smallest key, and sets which files have it; none where all are after the last.
    pub fn smallest(&self, having: &mut Vec<usize>) -> Option<ItemKey> {
        having.clear();
        let smallest = Some(smallest_of(&self.smallest)).filter(|key| *key < ItemKey::BEHIND_ALL)?;
        for (block, keys) in self.keys.chunks(KEYS_PER_BLOCK).enumerate() {
            if self.smallest[block] == smallest {
                let first = block * KEYS_PER_BLOCK;
                having.extend((first..).zip(keys).filter(|(_, key)| **key == smallest).map(|(at, _)| at));
            }
        }
        Some(smallest)
    }

    /// Sets the next key of one of the files.
    pub fn set(&mut self, at: usize, key: Option<ItemKey>) {
        self.keys[at] = key.unwrap_or(ItemKey::BEHIND_ALL);
        let block = at / KEYS_PER_BLOCK;
        let keys = &self.keys[block * KEYS_PER_BLOCK..];
        self.smallest[block] = smallest_of(&keys[..keys.len().min(KEYS_PER_BLOCK)]);
    }
}

fn smallest_of(keys: &[ItemKey]) -> ItemKey {
    keys.iter().copied().fold(ItemKey::BEHIND_ALL, ItemKey::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_merged_in_the_order_of_their_items() {
        // More files than a block holds, each with every item whose number it divides.
        let files: Vec<usize> = (1..=KEYS_PER_BLOCK * 3 - 2).collect();
        let id = |item: usize| format!("i{item:03}");
        let mut next = files.clone();
        let key = |item: usize| (item < 200).then(|| ItemKey::of(&id(item)));
        let mut next_keys = NextKeys::default();
        next_keys.set_all(next.iter().map(|&item| key(item)));
        let mut having = Vec::new();
        for item in 1..200 {
            assert_eq!(next_keys.smallest(&mut having), key(item));
            let expected: Vec<usize> = (0..files.len()).filter(|&at| item % files[at] == 0).collect();
            assert_eq!(having, expected, "of item {item}");
            for &at in &having {
                next[at] += files[at];
                next_keys.set(at, key(next[at]));
            }
        }
        assert!(next_keys.smallest(&mut having).is_none() && having.is_empty());
        assert!(NextKeys::default().smallest(&mut having).is_none());
    }
}
