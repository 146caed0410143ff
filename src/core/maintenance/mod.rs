//! Maintenance of a lake: compact small files, prune what is past its retention, verify, statistics.
//!
//! Invariant: a ranking of the hours that are kept is the same before and after.

mod compact;
mod gaps;
mod prune;
mod prune_check;
mod stats;
mod verify;

pub use compact::{Compacted, compact};
pub use gaps::Gap;
pub use prune::{Pruned, Retention, prune};
pub use stats::{Stats, TableStats, stats};
pub use verify::{Verified, verify};
