//! Texts numbered in the order they are first seen.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// Distinct texts, each with a small number that stands for it.
#[derive(Default)]
pub struct Names {
    bytes: String,
    ends: Vec<usize>,
    /// Each with its hash, so that growing the table does not read the texts again.
    codes: HashTable<(u64, u32)>,
    hasher: DefaultHashBuilder,
}

impl Names {
    /// Returns the number of a text, if it is known.
    pub fn find(&self, name: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        let is_same = |&(of, code): &(u64, u32)| of == hash && text_at(&self.bytes, &self.ends, code) == name;
        self.codes.find(hash, is_same).map(|&(_, code)| code)
    }

    /// Returns the number of a text, new or known.
    pub fn code(&mut self, name: &str) -> u32 {
        let Names { bytes, ends, codes, hasher } = self;
        let hash = hasher.hash_one(name);
        let is_same = |&(of, code): &(u64, u32)| of == hash && text_at(bytes, ends, code) == name;
        if let Some(&(_, code)) = codes.find(hash, is_same) {
            return code;
        }
        let code = u32::try_from(ends.len()).expect("fewer than 2^32 names fit in memory");
        codes.insert_unique(hash, (hash, code), |&(hash, _)| hash);
        bytes.push_str(name);
        ends.push(bytes.len());
        code
    }

    /// Returns the text a number stands for.
    #[inline]
    pub fn name(&self, code: u32) -> &str {
        text_at(&self.bytes, &self.ends, code)
    }

    /// Returns this table's numbers for another's texts, by the other's numbers.
    pub fn codes_of(&mut self, other: &Names) -> Vec<u32> {
        other.iter().map(|name| self.code(name)).collect()
    }

    /// Returns the texts by number.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..).take(self.len()).map(|code| self.name(code))
    }

    /// Returns each text's place among all in the order of their bytes, by number.
    pub fn ranks(&self) -> Vec<u32> {
        let mut sorted: Vec<(u64, u32)> =
            (0..).zip(self.iter()).map(|(code, name)| (prefix(name), code)).collect();
        sorted.sort_unstable_by(|(prefix, code), (other_prefix, other)| {
            prefix.cmp(other_prefix).then_with(|| self.name(*code).cmp(self.name(*other)))
        });
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

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Returns the first eight bytes as a number in the texts' order, which mostly tells two apart.
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
