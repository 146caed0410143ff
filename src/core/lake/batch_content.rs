//! What a batch with an id of its own was loaded from, so that a changed input under the same id is told from
//! the same one.
//!
//! Invariant: the log gets the number of the content in the same commit as the batch.

use crate::lake::error::LakeError;
use crate::lake::open::Lake;

/// Before the batch's id, the application id under which the log keeps its content; no batch may have
/// such an id.
const CONTENT: &str = "topsell:content:";

/// Returns the application id for the content of a batch.
pub(super) fn content_id(batch_id: &str) -> String {
    format!("{CONTENT}{batch_id}")
}

/// Returns the number of a content: the first 63 bits of a hash of its hash.
pub(super) fn content_number(hash: &str) -> i64 {
    let bytes = *blake3::hash(hash.as_bytes()).as_bytes();
    let (first, _) = bytes.split_first_chunk().expect("a hash has 32 bytes");
    i64::from_le_bytes(*first) & i64::MAX
}

impl Lake {
    /// Returns whether an ingested batch was loaded from other content than that with the given hash, which
    /// is computed where the log knows what the batch was loaded from.
    ///
    /// # Errors
    /// Fails where the table's log or the content cannot be read.
    pub fn has_other_content<E: From<LakeError>>(
        &self,
        batch_id: &str,
        hash: impl FnOnce() -> Result<String, E>,
    ) -> Result<bool, E> {
        match self.content_of_batch(batch_id)? {
            Some(known) => Ok(content_number(&hash()?) != known),
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_have_numbers_that_a_transaction_can_hold() {
        let numbers: Vec<i64> = (0..100).map(|number| content_number(&number.to_string())).collect();
        assert!(numbers.iter().all(|number| *number >= 0));
        assert_ne!(numbers[0], numbers[1]);
    }
}
