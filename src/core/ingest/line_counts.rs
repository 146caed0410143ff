//! What became of the lines of an input.
//!
//! Invariant: each line that is not blank is used, filtered or rejected.

use std::ops::AddAssign;

/// Numbers of lines; those of a Parquet file are its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    pub read: u64,
    /// Lines without an event, by the filter or because they have no items.
    pub filtered: u64,
    /// Lines of which no event was accepted.
    pub rejected: u64,
}

impl LineCounts {
    /// Returns the number of lines that events were read from.
    pub fn used(self) -> u64 {
        self.read - self.filtered - self.rejected
    }
}

impl AddAssign for LineCounts {
    fn add_assign(&mut self, other: LineCounts) {
        self.read += other.read;
        self.filtered += other.filtered;
        self.rejected += other.rejected;
    }
}
