//! What tells a segment from all others, also from one of the same name in a log that was lost or created again.

use std::fmt;

use crate::log::position::Site;

/// The identity of a segment: part of the id of the batch that it becomes in the lake.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentId {
    /// The site whose log it is in.
    pub site: Site,
    /// The opening of the log that wrote it.
    pub incarnation: u32,
    /// The sequence number of its first record.
    pub first: u64,
    /// A number that was drawn when it was opened.
    pub fingerprint: u64,
}

impl fmt::Display for SegmentId {
    /// Writes `main.3-4711-0123456789abcdef`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SegmentId { site, incarnation, first, fingerprint } = self;
        write!(f, "{site}.{incarnation}-{first}-{fingerprint:016x}")
    }
}
