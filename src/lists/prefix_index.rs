//! The hash prefixes of a list: sorted, and with what changed by them.
//!
//! A client of hash prefixes holds the first 32 bits of each entry's SHA-256, sorted, as many times as there are entries
//! that have them. What is removed is named by its index in what the client holds, which takes half of the bits of a
//! prefix; the index in an earlier version follows from that in this one and from what changed before it.
//!
//! Invariant: prefixes that are read for one version stay as they are; they are made at most once for a version.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::history::{ChangedKey, History, KeyChange, prefix_of};
use crate::lines::{Lines, key_of, lines_of};

/// How many of the newest changes the smallest level has; each next one has twice as many.
const SMALLEST_LEVEL: usize = 4_096;

/// The hash prefixes of one version.
#[derive(Debug, Default)]
pub(crate) struct PrefixIndex {
    /// Those of the version for which they were made last.
    last: Arc<Mutex<Option<Made>>>,
    sorted: OnceLock<Arc<Vec<u32>>>,
    levels: Mutex<BTreeMap<usize, Arc<Level>>>,
    /// Which part of the text has an entry with a prefix.
    parts: OnceLock<Vec<(u32, u32)>>,
}

#[derive(Debug)]
struct Made {
    sequence: u64,
    sorted: Arc<Vec<u32>>,
}

/// What leads from one version to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PrefixDelta {
    /// Indexes in what the client holds, ascending.
    pub removed: Vec<u32>,
    /// Prefixes, ascending.
    pub added: Vec<u32>,
}

/// The keys of some of the newest changes, by their prefixes.
#[derive(Debug)]
struct Level {
    /// It has all changes after this sequence.
    since: u64,
    keys: Vec<LevelKey>,
    /// Of the changes of each key, in their order: how far after `since` they are.
    changes: Vec<u32>,
}

#[derive(Debug)]
struct LevelKey {
    prefix: u32,
    /// How many prefixes of the version are smaller.
    rank: u32,
    last_change: u32,
    first: u32,
    until: u32,
    is_there: bool,
}

impl PrefixIndex {
    /// Returns the index of the next version, which is made from this one where it is made.
    pub fn next(&self) -> PrefixIndex {
        PrefixIndex { last: Arc::clone(&self.last), ..PrefixIndex::default() }
    }

    /// Returns whether the prefixes are there.
    pub fn is_made(&self) -> bool {
        self.sorted.get().is_some()
    }

    /// Returns whether those of an earlier version are there.
    pub fn was_made(&self) -> bool {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Returns the prefixes of the version with some lines and changes, sorted.
    pub fn sorted(&self, lines: &Lines, history: &History, sequence: u64) -> Arc<Vec<u32>> {
        let made = self.sorted.get_or_init(|| {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let sorted =
                match last.as_ref().filter(|last| (history.floor()..=sequence).contains(&last.sequence)) {
                    Some(last) if last.sequence == sequence => Arc::clone(&last.sorted),
                    Some(last) => Arc::new(changed(&last.sorted, history, last.sequence)),
                    None => Arc::new(all(lines)),
                };
            *last = Some(Made { sequence, sorted: Arc::clone(&sorted) });
            sorted
        });
        Arc::clone(made)
    }

    /// Returns what leads to the version from another one.
    pub fn delta(&self, sorted: &[u32], history: &History, since: u64) -> PrefixDelta {
        self.level(sorted, history, since).delta(since)
    }

    /// Returns the keys with a prefix.
    pub fn keys(&self, lines: &Lines, prefix: u32) -> Vec<String> {
        let parts = self.parts.get_or_init(|| {
            let of_part = |(number, text): (u32, &bytes::Bytes)| -> Vec<(u32, u32)> {
                lines_of(text).map(|line| (prefix_of(key_of(line)), number)).collect()
            };
            let mut parts: Vec<(u32, u32)> = (0..).zip(lines.parts()).flat_map(of_part).collect();
            parts.sort_unstable();
            parts.dedup();
            parts
        });
        let from = parts.partition_point(|(of, _)| *of < prefix);
        let with_prefix = parts[from..].iter().take_while(|(of, _)| *of == prefix);
        let texts: Vec<bytes::Bytes> =
            with_prefix.filter_map(|(_, number)| lines.part(*number as usize)).collect();
        let keys = texts.iter().flat_map(|text| lines_of(text).map(key_of));
        keys.filter(|key| prefix_of(key) == prefix).map(str::to_owned).collect()
    }

    /// Returns the smallest level that has all changes after a sequence.
    fn level(&self, sorted: &[u32], history: &History, since: u64) -> Arc<Level> {
        let wanted = history.count_after(since).max(1).div_ceil(SMALLEST_LEVEL).next_power_of_two();
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let level = levels
            .entry(wanted)
            .or_insert_with(|| Arc::new(Level::of(sorted, history, wanted * SMALLEST_LEVEL)));
        Arc::clone(level)
    }
}

/// Returns the prefixes of all lines, sorted.
pub(crate) fn all(lines: &Lines) -> Vec<u32> {
    let mut prefixes: Vec<u32> = lines.iter().map(|line| prefix_of(key_of(line))).collect();
    prefixes.sort_unstable();
    prefixes
}

/// Returns sorted prefixes after what has changed since a sequence.
fn changed(before: &[u32], history: &History, since: u64) -> Vec<u32> {
    let mut changes: Vec<(&str, &KeyChange)> =
        history.after(since).map(|(change, key)| (key, change)).collect();
    changes.sort_by(|one, other| one.0.cmp(other.0));
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    for changes in changes.chunk_by(|one, other| one.0 == other.0) {
        let of = ChangedKey::of(changes);
        match (of.was_there, of.is_there) {
            (true, false) => removed.push(changes[0].1.prefix),
            (false, true) => added.push(changes[0].1.prefix),
            _ => {}
        }
    }
    removed.sort_unstable();
    added.sort_unstable();
    let mut removed = removed.into_iter().peekable();
    let kept = before.iter().copied().filter(|prefix| removed.next_if_eq(prefix).is_none());
    merged(kept, &added, before.len())
}

/// Merges two ascending sequences.
pub(crate) fn merged(kept: impl Iterator<Item = u32>, added: &[u32], expected: usize) -> Vec<u32> {
    let mut merged = Vec::with_capacity(expected + added.len());
    let mut added = added.iter().copied().peekable();
    for prefix in kept {
        while let Some(before) = added.next_if(|of| *of <= prefix) {
            merged.push(before);
        }
        merged.push(prefix);
    }
    merged.extend(added);
    merged
}

impl Level {
    /// Returns the level of some of the newest changes, all of those of a sequence or none.
    fn of(sorted: &[u32], history: &History, newest: usize) -> Level {
        // What is left out ends with a whole sequence: a version is never the middle of one.
        let skipped = history.count_after(history.floor()).saturating_sub(newest);
        let last_skipped = skipped.checked_sub(1).and_then(|last| history.after(history.floor()).nth(last));
        let since = last_skipped.map_or(history.floor(), |(change, _)| change.sequence);
        let offset = |change: &KeyChange| u32::try_from(change.sequence - since).unwrap_or(u32::MAX);
        let mut changes: Vec<(&str, &KeyChange)> =
            history.after(since).map(|(change, key)| (key, change)).collect();
        changes.sort_by(|one, other| (one.1.prefix, one.0).cmp(&(other.1.prefix, other.0)));
        let mut level = Level { since, keys: Vec::new(), changes: Vec::with_capacity(changes.len()) };
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        for changes in changes.chunk_by(|one, other| one.0 == other.0) {
            let Some((_, last)) = changes.last() else { continue };
            let first = number(level.changes.len());
            level.changes.extend(changes.iter().map(|(_, change)| offset(change)));
            level.keys.push(LevelKey {
                prefix: last.prefix,
                rank: number(sorted.partition_point(|prefix| *prefix < last.prefix)),
                last_change: offset(last),
                first,
                until: number(level.changes.len()),
                is_there: ChangedKey::of(changes).is_there,
            });
        }
        level
    }

    fn delta(&self, since: u64) -> PrefixDelta {
        let since = u32::try_from(since.saturating_sub(self.since)).unwrap_or(u32::MAX);
        let mut delta = PrefixDelta {
            removed: Vec::with_capacity(self.keys.len()),
            added: Vec::with_capacity(self.keys.len()),
        };
        let (mut prefix, mut added_before) = (0, 0);
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        for key in self.keys.iter().filter(|key| key.last_change > since && self.has_toggled(key, since)) {
            // What is added with the same prefix is not before it.
            if key.prefix != prefix {
                (prefix, added_before) = (key.prefix, number(delta.added.len()));
            }
            match key.is_there {
                true => delta.added.push(key.prefix),
                false => delta.removed.push(key.rank + number(delta.removed.len()) - added_before),
            }
        }
        delta
    }

    /// Returns whether a key is there now and was not at a version, or the other way round.
    fn has_toggled(&self, key: &LevelKey, since: u32) -> bool {
        if key.until - key.first == 1 {
            return true;
        }
        let changes = &self.changes[key.first as usize..key.until as usize];
        let before = changes.partition_point(|change| *change <= since);
        (changes.len() - before) % 2 == 1
    }
}
