//! Versions of lists as clients hold them: opaque texts.
//!
//! ```text
//! base64url of: incarnation (8 bytes) · epoch (8) · sequence (8) · checksum (4), each big-endian
//! ```
//!
//! The *incarnation* is drawn when a list is created, the *epoch* whenever it is opened and then changed, both at
//! random; the *sequence* counts changes. A backup that is restored has the incarnation of the list that it was made
//! of, and epochs only up to when it was made: what that list was given afterwards is of an epoch that the backup
//! does not have, or of a sequence after the end of one that it has.
//!
//! Invariant: a text that is not a version of a list, such as one with a flipped byte or of another list, is none.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::name::ListName;
use topsell_core::storage::{checksum, checksum_of, unique_id};

const NUMBERS: usize = 24;
const BYTES: usize = NUMBERS + 4;

/// A version of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    pub incarnation: u64,
    pub epoch: u64,
    pub sequence: u64,
}

impl Version {
    /// Returns the version as clients hold it.
    pub fn text(&self, list: &ListName) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes(list))
    }

    pub(crate) fn bytes(&self, list: &ListName) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&self.incarnation.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[16..NUMBERS].copy_from_slice(&self.sequence.to_be_bytes());
        let sum = sum_of(&bytes[..NUMBERS], list);
        bytes[NUMBERS..].copy_from_slice(&sum);
        bytes
    }

    /// Reads a version of a list; none where the text is something else.
    pub fn parse(text: &str, list: &ListName) -> Option<Version> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (numbers, sum) = bytes.split_at_checked(NUMBERS)?;
        if sum != sum_of(numbers, list) {
            return None;
        }
        let number = |at: usize| numbers[at..at + 8].try_into().map(u64::from_be_bytes).ok();
        Some(Version { incarnation: number(0)?, epoch: number(8)?, sequence: number(16)? })
    }
}

/// Returns a number that nobody else draws.
pub fn random_number() -> u64 {
    checksum(unique_id().as_bytes())
}

fn sum_of(numbers: &[u8], list: &ListName) -> [u8; 4] {
    let sum = checksum_of(&[b"topsell list version", numbers, list.as_str().as_bytes()]).to_be_bytes();
    [sum[0], sum[1], sum[2], sum[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_it_was_written_and_nothing_else_is_one() {
        let list = ListName::parse("blocked").expect("it is a name");
        let other = ListName::parse("allowed").expect("it is a name");
        let version = Version { incarnation: u64::MAX, epoch: 7, sequence: 1_800 };
        let text = version.text(&list);
        assert_eq!(Version::parse(&text, &list), Some(version));
        assert_eq!(Version::parse(&text, &other), None, "it is another list's");
        for at in 0..text.len() {
            let mut flipped = text.clone().into_bytes();
            flipped[at] ^= 1;
            let flipped = String::from_utf8_lossy(&flipped).into_owned();
            assert_eq!(Version::parse(&flipped, &list), None, "{flipped}");
        }
        for text in ["", "0", "latest", &text[1..], &format!("{text}AA")] {
            assert_eq!(Version::parse(text, &list), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_drawn_once() {
        let mut drawn: Vec<u64> = (0..1_000).map(|_| random_number()).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 1_000);
    }
}
