//! What changed in a list, in the order of its sequences: from it, one merged delta leads from any kept version to
//! another.
//!
//! Invariant: of each key, adding and removing alternate, so that whether it was in the list at an earlier version
//! follows from whether it is now and how often that changed since.

use std::collections::VecDeque;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::lines::Effect;

/// How many changes a part has; a part is copied when it grows and somebody else still reads it.
const PART_CHANGES: usize = 2_048;

/// A change of one key.
#[derive(Clone, Copy, Debug)]
pub struct KeyChange {
    pub sequence: u64,
    /// In microseconds since 1970.
    pub time: i64,
    pub effect: Effect,
    /// The first 32 bits of the key's SHA-256.
    pub prefix: u32,
    key_at: u32,
    key_bytes: u32,
}

#[derive(Clone, Debug, Default)]
struct Part {
    changes: Vec<KeyChange>,
    keys: String,
}

/// Changes of a list; a clone costs little and stays as it is.
#[derive(Clone, Debug, Default)]
pub struct History {
    parts: VecDeque<Arc<Part>>,
    /// Versions from this one on are kept.
    floor: u64,
}

/// A key of which something changed between two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChangedKey<'a> {
    pub key: &'a str,
    pub was_there: bool,
    pub is_there: bool,
}

/// Returns the first 32 bits of the SHA-256 of a key.
pub fn prefix_of(key: &str) -> u32 {
    let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

impl History {
    /// Returns no changes since a version.
    pub fn since_version(floor: u64) -> History {
        History { parts: VecDeque::new(), floor }
    }

    /// Returns the oldest version from which a delta leads to the newest.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Returns how many changes there are.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.changes.len()).sum()
    }

    /// Returns how much memory they take.
    pub fn size_bytes(&self) -> usize {
        let of_part = |part: &Arc<Part>| part.changes.len() * size_of::<KeyChange>() + part.keys.len();
        self.parts.iter().map(of_part).sum()
    }

    /// Adds a change that did something.
    pub fn push(&mut self, sequence: u64, time: i64, key: &str, effect: Effect) {
        if self.parts.back().is_none_or(|part| part.changes.len() >= PART_CHANGES) {
            self.parts.push_back(Arc::default());
        }
        let Some(part) = self.parts.back_mut() else { return };
        let part = Arc::make_mut(part);
        let bytes = |length: usize| u32::try_from(length).expect("the keys of a part are shorter than 4 GiB");
        let (key_at, key_bytes) = (bytes(part.keys.len()), bytes(key.len()));
        part.keys.push_str(key);
        part.changes.push(KeyChange { sequence, time, effect, prefix: prefix_of(key), key_at, key_bytes });
    }

    /// Returns the changes after a version, with their keys, in their order.
    pub fn after(&self, version: u64) -> impl Iterator<Item = (&KeyChange, &str)> + '_ {
        let is_before = |part: &Arc<Part>| part.changes.last().is_some_and(|last| last.sequence <= version);
        let from = self.parts.partition_point(is_before);
        self.parts.range(from..).flat_map(move |part| {
            let from = part.changes.partition_point(|change| change.sequence <= version);
            part.changes[from..].iter().map(|change| (change, part.key(change)))
        })
    }

    /// Returns how many changes there are after a version.
    pub fn count_after(&self, version: u64) -> usize {
        let is_before = |part: &Arc<Part>| part.changes.last().is_some_and(|last| last.sequence <= version);
        let from = self.parts.partition_point(is_before);
        let in_part = |part: &Arc<Part>| {
            part.changes.len() - part.changes.partition_point(|change| change.sequence <= version)
        };
        self.parts.range(from..).map(in_part).sum()
    }

    /// Forgets the changes before a moment, and as many more as are too many together. Returns whether there were any.
    pub fn purge(&mut self, before: i64, max_changes: usize) -> bool {
        let floor = self.floor;
        let expired = self.after(self.floor).take_while(|(change, _)| change.time < before);
        self.floor = expired.map(|(change, _)| change.sequence).last().unwrap_or(self.floor);
        let mut more = self.count_after(self.floor);
        while more > max_changes {
            let Some((first, _)) = self.after(self.floor).next() else { break };
            // A whole sequence at a time: a version is never the middle of one.
            let step = self
                .after(self.floor)
                .nth(more - max_changes - 1)
                .map_or(first.sequence, |(of, _)| of.sequence);
            self.floor = step;
            more = self.count_after(self.floor);
        }
        let floor_now = self.floor;
        while self
            .parts
            .front()
            .is_some_and(|part| part.changes.last().is_some_and(|of| of.sequence <= floor_now))
        {
            self.parts.pop_front();
        }
        self.floor > floor
    }
}

impl<'a> ChangedKey<'a> {
    /// Returns the net change of one key, given its changes in their order.
    pub fn of(changes: &[(&'a str, &KeyChange)]) -> ChangedKey<'a> {
        let toggles = changes.iter().filter(|(_, change)| change.effect != Effect::Updated).count();
        let is_there = changes.last().is_some_and(|(_, last)| last.effect != Effect::Removed);
        ChangedKey { key: changes[0].0, was_there: is_there ^ (toggles % 2 == 1), is_there }
    }
}

impl Part {
    fn key(&self, change: &KeyChange) -> &str {
        let from = change.key_at as usize;
        &self.keys[from..from + change.key_bytes as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(changes: u64) -> History {
        let mut history = History::default();
        (1..=changes).for_each(|number| {
            history.push(
                number,
                i64::try_from(number).expect("few") * 10,
                &format!("key {number}"),
                Effect::Added,
            );
        });
        history
    }

    #[test]
    fn changes_after_a_version_are_found_with_their_keys() {
        let history = history(10_000);
        for version in [0, 1, 2_047, 2_048, 2_049, 9_999, 10_000] {
            let found: Vec<(u64, &str)> =
                history.after(version).map(|(of, key)| (of.sequence, key)).collect();
            assert_eq!(found.len() as u64, 10_000 - version);
            assert_eq!(history.count_after(version) as u64, 10_000 - version);
            assert!(
                found
                    .iter()
                    .zip(version + 1..)
                    .all(|((of, key), number)| { *of == number && *key == format!("key {number}") })
            );
        }
    }

    #[test]
    fn a_clone_stays_as_it_is() {
        let mut history = history(3_000);
        let clone = history.clone();
        history.push(3_001, 0, "more", Effect::Removed);
        history.purge(20_000, usize::MAX);
        assert_eq!((clone.len(), clone.floor(), clone.after(0).count()), (3_000, 0, 3_000));
    }

    #[test]
    fn purging_keeps_whole_sequences() {
        let mut kept = history(10_000);
        assert!(kept.purge(50_000, usize::MAX));
        assert_eq!((kept.floor(), kept.count_after(4_999)), (4_999, 5_001));
        assert!(!kept.purge(50_000, usize::MAX));
        assert!(kept.purge(0, 100));
        assert_eq!((kept.floor(), kept.count_after(9_900)), (9_900, 100));
        let mut one = History::default();
        (0..10).for_each(|number| one.push(1, 0, &number.to_string(), Effect::Added));
        assert!(one.purge(0, 9), "half of a sequence is no version");
        assert_eq!((one.floor(), one.len()), (1, 0));
    }
}
