//! A ranking and a rollup in several processes, on as many hosts: plan, partial, and merge or commit.
//!
//! A plan lists the parts of a round. Each is computed by itself, from the files of aggregates alone; to
//! compute it twice does no harm. The results of all parts are merged, which gives the ranking, or the plan
//! of another round: for categories whose window is extended, and for items in several categories.
//!
//! Invariant: the ranking has the bytes of one that was made by one process.

mod error;
mod files;
mod merge;
mod partial;
mod place;
mod plan;
mod rollup_parts;

pub use error::DistributedError;
pub use files::{
    MergeFiles, MergedFiles, WrittenPart, for_each_item_totals, merge_files, read_plan, remove_files,
    write_partial, write_plan,
};
pub use plan::{Plan, PlanOptions};
pub use rollup_parts::{RollupPlan, commit_rollup, read_rollup_plan, write_rollup_part, write_rollup_plan};
