//! The entries of a list as sorted lines, in blocks that are never changed but replaced.
//!
//! ```text
//! bad.example⏎            a line is an entry
//! Books⇥{"items":[…]}⏎    of a map, a key, a tab and a value
//! ```
//!
//! The text of all blocks, one after another, is the text of the list; its SHA-256 is the hash of the list's content.
//! No key has a byte below that of a space, so that sorting lines by their bytes sorts them by their keys.
//!
//! Invariant: keys ascend, and each is there once. A clone costs nothing and stays as it is.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memchr;
use sha2::{Digest, Sha256};

/// How large a block is made.
const BLOCK_BYTES: usize = 8 << 10;

#[derive(Clone, Debug)]
struct Block {
    text: Bytes,
    lines: u32,
}

/// Sorted lines.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    blocks: Arc<Vec<Block>>,
    lines: u64,
    bytes: u64,
}

/// What becomes of a key: it has a line, with the line break, or none.
#[derive(Clone, Copy, Debug)]
pub struct LineChange<'a> {
    pub key: &'a str,
    pub line: Option<&'a str>,
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Added,
    Removed,
    /// The key has another value.
    Updated,
    Unchanged,
}

impl Lines {
    /// Returns how many there are.
    pub fn len(&self) -> u64 {
        self.lines
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// Returns the size of their text.
    pub fn size_bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the parts of the text in their order, each of whole lines.
    pub fn parts(&self) -> impl Iterator<Item = &Bytes> + '_ {
        self.blocks.iter().map(|block| &block.text)
    }

    /// Returns a part of the text; none after the last one.
    pub fn part(&self, number: usize) -> Option<Bytes> {
        self.blocks.get(number).map(|block| block.text.clone())
    }

    /// Returns the whole text.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or(0));
        self.parts().for_each(|part| text.extend_from_slice(part));
        text
    }

    /// Returns the lines in their order, without line breaks.
    pub fn iter(&self) -> impl Iterator<Item = &str> + '_ {
        self.parts().flat_map(|part| lines_of(part))
    }

    /// Returns the SHA-256 of the text.
    pub fn sha256(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        self.parts().for_each(|part| hasher.update(part));
        hasher.finalize().into()
    }

    /// Returns the line of a key, without the line break.
    pub fn get(&self, key: &str) -> Option<&str> {
        let block = self.blocks.get(self.block_of(key))?;
        lines_of(&block.text).find(|line| key_of(line) == key)
    }

    /// Applies changes, whose keys ascend and are each there once, and tells what each did.
    pub fn apply(&mut self, changes: &[LineChange<'_>], mut told: impl FnMut(usize, Effect)) {
        let mut until = changes.len();
        // From the end, so that the numbers of the blocks before stay as they are.
        while until > 0 {
            let block = self.block_of(changes[until - 1].key);
            let first = self.blocks.get(block).filter(|_| block > 0).map(first_key);
            let from = first.map_or(0, |first| changes[..until].partition_point(|of| of.key < first));
            self.apply_to(block, changes, from..until, &mut told);
            until = from;
        }
    }

    fn apply_to(
        &mut self,
        number: usize,
        changes: &[LineChange<'_>],
        range: Range<usize>,
        told: &mut impl FnMut(usize, Effect),
    ) {
        let old = self.blocks.get(number).cloned();
        let merged = merge(old.as_ref().map_or(&[][..], |block| &block.text), changes, range, told);
        let Some(text) = merged else { return };
        let pieces = split(&text);
        let (lines, bytes) = old.as_ref().map_or((0, 0), |old| (u64::from(old.lines), old.text.len() as u64));
        self.lines = self.lines - lines + pieces.iter().map(|piece| u64::from(piece.lines)).sum::<u64>();
        self.bytes = self.bytes - bytes + text.len() as u64;
        let replaced = if old.is_some() { number..number + 1 } else { number..number };
        Arc::make_mut(&mut self.blocks).splice(replaced, pieces);
    }

    /// Returns the number of the block that has a key, or would have it.
    fn block_of(&self, key: &str) -> usize {
        self.blocks.partition_point(|block| first_key(block) <= key).saturating_sub(1)
    }
}

/// Returns the key of a line.
pub fn key_of(line: &str) -> &str {
    match memchr(b'\t', line.as_bytes()) {
        Some(at) => &line[..at],
        None => line,
    }
}

/// Returns the lines of a text whose last line has a line break, too. A part that is not UTF-8 has none.
pub fn lines_of(text: &[u8]) -> impl Iterator<Item = &str> {
    let mut rest = str::from_utf8(text).unwrap_or_default();
    std::iter::from_fn(move || {
        let end = memchr(b'\n', rest.as_bytes())?;
        let line = &rest[..end];
        rest = &rest[end + 1..];
        Some(line)
    })
}

fn first_key(block: &Block) -> &str {
    let end = memchr(b'\n', &block.text).unwrap_or(0);
    str::from_utf8(&block.text[..end]).map_or("", key_of)
}

/// Returns the text of a block after changes; none where they change nothing.
fn merge(
    text: &[u8],
    changes: &[LineChange<'_>],
    range: Range<usize>,
    told: &mut impl FnMut(usize, Effect),
) -> Option<Vec<u8>> {
    let mut merged = Vec::with_capacity(text.len() + range.len() * 32);
    let mut lines = lines_of(text).peekable();
    let mut is_changed = false;
    let keep = |merged: &mut Vec<u8>, line: &str| {
        merged.extend_from_slice(line.as_bytes());
        merged.push(b'\n');
    };
    for number in range {
        let change = &changes[number];
        while let Some(line) = lines.next_if(|line| key_of(line) < change.key) {
            keep(&mut merged, line);
        }
        let before = lines.next_if(|line| key_of(line).cmp(change.key) == Ordering::Equal);
        if let Some(after) = change.line {
            merged.extend_from_slice(after.as_bytes());
        }
        let effect = match (before, change.line) {
            (None, None) => Effect::Unchanged,
            (None, Some(_)) => Effect::Added,
            (Some(_), None) => Effect::Removed,
            (Some(before), Some(after)) if after.strip_suffix('\n') == Some(before) => Effect::Unchanged,
            (Some(_), Some(_)) => Effect::Updated,
        };
        is_changed |= effect != Effect::Unchanged;
        told(number, effect);
    }
    lines.for_each(|line| keep(&mut merged, line));
    is_changed.then_some(merged)
}

/// Cuts a text into blocks of whole lines.
fn split(text: &[u8]) -> Vec<Block> {
    let parts = text.len() / (2 * BLOCK_BYTES) + 1;
    let wanted = text.len().div_ceil(parts);
    let mut blocks = Vec::with_capacity(parts);
    let mut from = 0;
    while from < text.len() {
        let near = (from + wanted).min(text.len());
        let end = memchr(b'\n', &text[near - 1..]).map_or(text.len(), |more| near + more);
        let part = &text[from..end];
        let lines = memchr::memchr_iter(b'\n', part).count();
        blocks.push(Block {
            text: Bytes::copy_from_slice(part),
            lines: u32::try_from(lines)
                .expect("a block has fewer lines than bytes, and a line fewer than 2^32"),
        });
        from = end;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn check(steps: &[BTreeMap<String, Option<String>>]) {
        let (mut lines, mut expected) = (Lines::default(), BTreeMap::<String, String>::new());
        for step in steps {
            let before = lines.clone();
            let text_before = before.text();
            let texts: Vec<Option<String>> = step
                .iter()
                .map(|(key, value)| value.as_ref().map(|value| format!("{key}\t{value}\n")))
                .collect();
            let changes: Vec<LineChange<'_>> = step
                .keys()
                .zip(&texts)
                .map(|(key, line)| LineChange { key, line: line.as_deref() })
                .collect();
            let mut effects = vec![None; changes.len()];
            lines.apply(&changes, |number, effect| effects[number] = Some(effect));
            for ((key, value), effect) in step.iter().zip(effects) {
                let old = match value {
                    Some(value) => expected.insert(key.clone(), value.clone()),
                    None => expected.remove(key),
                };
                let wanted = match (&old, value) {
                    (None, Some(_)) => Effect::Added,
                    (Some(_), None) => Effect::Removed,
                    (Some(old), Some(new)) if old != new => Effect::Updated,
                    _ => Effect::Unchanged,
                };
                assert_eq!(effect, Some(wanted), "{key}");
            }
            assert_eq!(before.text(), text_before, "a clone stays as it is");
        }
        let text: String = expected.iter().map(|(key, value)| format!("{key}\t{value}\n")).collect();
        assert_eq!(String::from_utf8_lossy(&lines.text()), text);
        assert_eq!((lines.len(), lines.size_bytes()), (expected.len() as u64, text.len() as u64));
        for (key, value) in &expected {
            assert_eq!(lines.get(key), Some(format!("{key}\t{value}").as_str()));
        }
        assert_eq!(lines.get("no such key"), None);
        assert_eq!(lines.sha256(), <[u8; 32]>::from(Sha256::digest(text.as_bytes())));
    }

    #[test]
    fn blocks_are_split_and_emptied() {
        let all: BTreeMap<String, Option<String>> = (0..5_000)
            .map(|number| (format!("{:05}", number * 7_919 % 5_000), Some("v".repeat(number % 50))))
            .collect();
        let none: BTreeMap<String, Option<String>> = all.keys().map(|key| (key.clone(), None)).collect();
        let half = none.clone().into_iter().step_by(2).collect();
        check(&[all.clone(), half, all.clone(), none, all]);
    }

    proptest! {
        #[test]
        fn lines_are_a_sorted_map(
            steps in proptest::collection::vec(
                proptest::collection::btree_map("[a-c/]{1,4}", proptest::option::of("[xy]{0,900}"), 0..40),
                0..12,
            )
        ) {
            check(&steps);
        }
    }
}
