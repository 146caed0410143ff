//! An interner: texts numbered in the order in which they are first seen.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

use crate::model::item_key::short_key;

/// Distinct texts, each with a small number that stands for it.
#[derive(Default)]
pub struct Interner {
    bytes: String,
    ends: Vec<usize>,
    /// Each with a key, so that neither lookups nor growing the table read the texts again, unless they
    /// are long.
    codes: HashTable<(Key, u32)>,
    hasher: DefaultHashBuilder,
}

/// The key of a text: a short text as a number, or the hash of a long one followed by a part that no such
/// number ends in. As four parts of 32 bits, a key and a code take 20 bytes instead of 24 or 32.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key([u32; 4]);

/// The last part of a long text's key; a short text's number ends in its length.
const LONG: u32 = u32::MAX;

impl Key {
    #[inline]
    fn of(text: &str, hasher: &DefaultHashBuilder) -> Key {
        let key = match short_key(text) {
            Some(short) => short,
            None => u128::from(hasher.hash_one(text)) << 64 | u128::from(LONG),
        };
        Key([96, 64, 32, 0].map(|shift| (key >> shift) as u32))
    }

    #[inline]
    fn is_long(self) -> bool {
        self.0[3] == LONG
    }

    #[inline]
    fn hash(self, hasher: &DefaultHashBuilder) -> u64 {
        let key = self.0.into_iter().fold(0, |key, part| key << 32 | u128::from(part));
        if self.is_long() { (key >> 64) as u64 } else { hasher.hash_one(key) }
    }
}

impl Interner {
    /// Returns the number of a text, if it was seen.
    pub fn find(&self, name: &str) -> Option<u32> {
        let Interner { bytes, ends, codes, hasher } = self;
        let key = Key::of(name, hasher);
        let is_same =
            |&(of, code): &(Key, u32)| of == key && (!key.is_long() || text_at(bytes, ends, code) == name);
        codes.find(key.hash(hasher), is_same).map(|&(_, code)| code)
    }

    /// Returns the number of a text, which is added if it is new.
    pub fn code(&mut self, name: &str) -> u32 {
        let Interner { bytes, ends, codes, hasher } = self;
        let key = Key::of(name, hasher);
        let hash = key.hash(hasher);
        let is_same =
            |&(of, code): &(Key, u32)| of == key && (!key.is_long() || text_at(bytes, ends, code) == name);
        if let Some(&(_, code)) = codes.find(hash, is_same) {
            return code;
        }
        let code = u32::try_from(ends.len()).expect("fewer than 2^32 names fit in memory");
        codes.insert_unique(hash, (key, code), |(key, _)| key.hash(hasher));
        bytes.push_str(name);
        ends.push(bytes.len());
        code
    }

    /// Returns the text a number stands for.
    #[inline]
    pub fn name(&self, code: u32) -> &str {
        text_at(&self.bytes, &self.ends, code)
    }

    /// Returns this interner's numbers for the texts of another, by the other's numbers.
    pub fn codes_of(&mut self, other: &Interner) -> Vec<u32> {
        other.iter().map(|name| self.code(name)).collect()
    }

    /// Returns the texts by number.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..).take(self.len()).map(|code| self.name(code))
    }

    /// Returns each text's rank in byte order, by number.
    pub fn ranks(&self) -> Vec<u32> {
        let mut sorted: Vec<(u64, u32)> =
            (0..).zip(self.iter()).map(|(code, name)| (prefix(name), code)).collect();
        // Numbers are sorted without branch mispredictions.
        sorted.sort_unstable_by_key(|(prefix, _)| *prefix);
        for of_prefix in sorted.chunk_by_mut(|(a, _), (b, _)| a == b).filter(|of| of.len() > 1) {
            of_prefix.sort_unstable_by_key(|&(_, code)| self.name(code));
        }
        let mut ranks = vec![0; sorted.len()];
        for (rank, (_, code)) in (0..).zip(sorted) {
            ranks[code as usize] = rank;
        }
        ranks
    }

    /// Returns how many distinct texts there are; their numbers are those below.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Returns the first eight bytes as a number in the texts' order, in which most texts differ.
fn prefix(text: &str) -> u64 {
    let mut bytes = [0; 8];
    let kept = text.len().min(8);
    bytes[..kept].copy_from_slice(&text.as_bytes()[..kept]);
    u64::from_be_bytes(bytes)
}

#[inline]
fn text_at<'a>(bytes: &'a str, ends: &[usize], code: u32) -> &'a str {
    let code = code as usize;
    let start = if code == 0 { 0 } else { ends[code - 1] };
    &bytes[start..ends[code]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_any_length_are_distinguished_and_ranked() {
        let mut texts: Vec<String> = (0..40).map(|length| "ab".repeat(20)[..length].to_owned()).collect();
        // The key of a short text is as long as these, and ends in their length.
        texts.extend(
            ["123456789012345", "1234567890123456", "12345678901234\u{f}", "12345678\0", "é"].map(Into::into),
        );
        let mut names = Interner::default();
        let codes: Vec<u32> = texts.iter().map(|text| names.code(text)).collect();
        assert_eq!(codes, (0..).take(texts.len()).collect::<Vec<u32>>());
        for (text, code) in texts.iter().zip(codes) {
            assert_eq!((names.find(text), names.code(text), names.name(code)), (Some(code), code, &**text));
        }
        assert_eq!(names.find("abc"), None);
        let mut sorted = texts.clone();
        sorted.sort_unstable();
        let ranked = names.ranks().into_iter().zip(&texts);
        assert!(ranked.into_iter().all(|(rank, text)| sorted[rank as usize] == *text));
    }
}
