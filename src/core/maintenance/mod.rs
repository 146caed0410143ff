//! Maintenance of a lake: compact small files, prune what is past its retention, verify, statistics.
//!
//! Invariant: a ranking of the hours that are kept is the same before and after.

mod compact;
mod copy;
mod gaps;
mod problem;
mod prune;
mod prune_check;
mod repair;
mod repair_plan;
mod repair_rounds;
mod seen_version;
mod stats;
mod stop_request;
mod verify;

pub use compact::{Compacted, compact};
pub use copy::{CopyError, LakeCopy, copy_lake};
pub use gaps::Gap;
pub use problem::{FileState, LakeTable, Problem, ProblemKind, TableFile};
pub use prune::{Pruned, Retention, prune};
pub use repair::Repaired;
pub use repair_plan::{RepairAction, RepairPlan};
pub use repair_rounds::{Confirm, RepairOutcome, repair};
pub use stats::{Stats, TableStats, stats};
pub use stop_request::StopRequest;
pub use verify::{Verified, verify};
