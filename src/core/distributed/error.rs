//! What can go wrong with a ranking in several processes.

use crate::model::AggregateOverflow;
use crate::rank::PartFileError;
use crate::rollup::RollupError;
use crate::storage::StoreError;

/// Why a plan, a part or a merge failed.
#[derive(Debug, thiserror::Error)]
pub enum DistributedError {
    #[error(transparent)]
    Rollup(#[from] RollupError),
    #[error(transparent)]
    Overflow(#[from] AggregateOverflow),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{file}: not a ranking plan, or written by an incompatible version of topsell: {what}")]
    Plan { file: String, what: String },
    #[error("{file}: the plan was written by topsell {of_plan}, and this is topsell {program}")]
    OtherProgram { file: String, of_plan: String, program: String },
    #[error("{file}: there is no such plan in the lake")]
    NoPlan { file: String },
    #[error("{file}: {source}")]
    Io { file: String, source: std::io::Error },
    #[error("{file}: {source}")]
    File { file: String, source: PartFileError },
    #[error("{file}: the state of the rounds before this plan: {what}")]
    State { file: String, what: String },
    #[error("the plan has {parts} parts, from 0; there is no part {part}")]
    NoPart { part: usize, parts: usize },
    #[error("the results of {} of {parts} parts are missing: {}", .missing.len(), first(.missing))]
    Missing { missing: Vec<usize>, parts: usize },
}

/// How many missing parts are named.
const NAMED: usize = 10;

fn first(missing: &[usize]) -> String {
    let named: Vec<String> = missing.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if missing.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", named.join(", "))
}
