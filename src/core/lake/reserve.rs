//! The reserve: room on the disk that a prune gives up where there is none, for the commit that says which files
//! are no longer needed. What it removes makes room for the next reserve.

use crate::lake::error::LakeError;
use crate::lake::layout::RESERVE;
use crate::lake::open::Lake;

/// Enough for the commits of a prune that removes ten thousand files, and a checkpoint of a large table.
const RESERVE_BYTES: u64 = 8 << 20;
/// The reserve is made where so many times its size is free.
const MIN_FREE: u64 = 8;

impl Lake {
    /// Makes the reserve, unless it is there or room is scarce. A disk that cannot do this has none.
    pub fn make_reserve(&self) {
        if self.store.is_bucket() {
            return;
        }
        let is_scarce = self.store.free_bytes().is_ok_and(|free| free < MIN_FREE * RESERVE_BYTES);
        if !is_scarce && self.reserve_bytes() == 0 {
            // One without bytes is of a run that was killed. What is asked for is done without a reserve.
            let _ = self.store.delete(RESERVE);
            let _ = self.store.put_reserve(RESERVE, RESERVE_BYTES);
        }
    }

    /// Gives up the reserve; returns whether there was one.
    ///
    /// # Errors
    /// Names the file that cannot be removed.
    pub fn release_reserve(&self) -> Result<bool, LakeError> {
        let was_there = self.reserve_bytes() > 0;
        self.store.delete(RESERVE)?;
        Ok(was_there)
    }

    /// Returns the size of the reserve; 0 where there is none.
    pub fn reserve_bytes(&self) -> u64 {
        self.store.size_of(RESERVE).unwrap_or(0)
    }
}
