//! Finds the bit that flipped in a small file, by trying each.
//!
//! With a checksum of 64 bits, another change than the right one would pass once in 2^64 / (8 × length) searches.

use crate::storage::checksum::{NamedChecksums, checksum};
use crate::storage::error::StoreError;
use crate::storage::store::Store;

/// A search takes up to eight checksums of the file for each of its bytes: one second at this size.
const MOST_BYTES: usize = 32 << 10;

/// Returns bytes with the one bit flipped back with which they are whole; none where there is no such bit, or so
/// many bytes that it would take too long to find.
pub fn flipped_back(bytes: &[u8], is_whole: &dyn Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    if bytes.len() > MOST_BYTES {
        return None;
    }
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            if is_whole(&bytes) {
                return Some(bytes);
            }
            bytes[at] ^= 1 << bit;
        }
    }
    None
}

impl Store {
    /// Returns what a file had when it was written, by the checksum in its name; none where more than one bit of it
    /// is another, or it is too large to find out.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_restored(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(named) = NamedChecksums::of(path) else { return Ok(None) };
        Ok(flipped_back(&self.get(path)?, &|bytes| checksum(bytes) == named.whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::temporary;

    #[test]
    fn a_flipped_bit_is_found_and_two_are_not() {
        let whole: Vec<u8> = (0..2_000_u32).map(|at| (at * at / 7) as u8).collect();
        let sum = checksum(&whole);
        for bit in (0..whole.len() * 8).step_by(1_117) {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(flipped_back(&flipped, &|bytes| checksum(bytes) == sum).as_ref(), Some(&whole));
            flipped[0] ^= 0x18;
            assert_eq!(flipped_back(&flipped, &|bytes| checksum(bytes) == sum), None);
        }
        assert_eq!(flipped_back(&whole[1..], &|bytes| checksum(bytes) == sum), None);
        assert_eq!(flipped_back(&vec![0; MOST_BYTES + 1], &|_| true), None, "it is too large");
    }

    #[test]
    fn a_file_is_restored_by_its_name() {
        let (store, _folder) = temporary();
        let path = NamedChecksums { whole: checksum(b"right"), tail: None }.name("a");
        for (content, restored) in [("righu", Some("right")), ("wrong", None)] {
            store.put(&path, content.into()).expect("it can be written");
            let found = store.get_restored(&path).expect("it can be read");
            assert_eq!(found.as_deref(), restored.map(str::as_bytes));
        }
    }
}
