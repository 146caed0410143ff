//! Plans, results and states as files of users.

use std::io;
use std::path::{Path, PathBuf};

use crate::distributed::error::DistributedError;
use crate::distributed::merge::{Merged, merge};
use crate::distributed::partial::partial;
use crate::distributed::plan::{Plan, plan};
use crate::model::EventTypes;
use crate::progress::Progress;
use crate::rank::{Ranking, Rules};
use crate::rollup::Split;
use crate::storage::Store;
use crate::storage::local_files::{read_any, write_atomically};

/// The files of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeFiles {
    pub plan: PathBuf,
    /// The results of the plan's parts, in any order.
    pub results: Vec<PathBuf>,
    /// Where the plan of another round is written.
    pub next: PathBuf,
}

/// What merging files gives.
pub enum MergedFiles {
    Done {
        ranking: Ranking,
        rules: Rules,
        event_types: EventTypes,
    },
    /// Another round is needed; its plan was written.
    Next(Box<Plan>),
}

/// Writes the plan of the first round of a ranking of the newest aggregates.
///
/// # Errors
/// Fails where the lake cannot be read or the file cannot be written.
pub fn write_plan(
    store: &Store,
    rules: &Rules,
    event_types: &EventTypes,
    split: Split,
    output: &Path,
) -> Result<Plan, DistributedError> {
    let plan = plan(store, rules, event_types, split)?;
    write(output, &plan.to_bytes())?;
    Ok(plan)
}

/// Reads a plan.
///
/// # Errors
/// Names the file that is no plan.
pub fn read_plan(path: &Path) -> Result<Plan, DistributedError> {
    Plan::of_bytes(&path.display().to_string(), &bytes_of(path)?)
}

/// Computes a part of a plan, writes its result, and returns the result's size.
///
/// # Errors
/// Fails where there is no such part, or a file cannot be read or written.
pub fn write_partial(
    store: &Store,
    plan: &Plan,
    part: usize,
    output: &Path,
    progress: &Progress,
) -> Result<u64, DistributedError> {
    let result = partial(store, plan, part, progress)?;
    write(output, &result)?;
    Ok(result.len() as u64)
}

/// Merges results; writes the plan of another round if one is needed.
///
/// # Errors
/// Names the file that is not what it should be or cannot be read or written, or the parts without a
/// result.
pub fn merge_files(store: &Store, files: &MergeFiles) -> Result<MergedFiles, DistributedError> {
    let plan = read_plan(&files.plan)?;
    let state = match plan.is_first() {
        true => None,
        false => {
            let path = state_of(&files.plan);
            let missing = |e: io::Error| DistributedError::State {
                file: path.display().to_string(),
                what: e.to_string(),
            };
            Some((path.display().to_string(), read_any(&path).map_err(missing)?))
        }
    };
    let state = state.as_ref().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let mut results = files.results.iter().map(|path| Ok((path.display().to_string(), bytes_of(path)?)));
    Ok(match merge(store, &plan, state, &mut results)? {
        Merged::Done(ranking) => {
            MergedFiles::Done { ranking, rules: plan.rules().clone(), event_types: plan.event_types() }
        }
        Merged::Next { plan, state } => {
            // The plan comes last. A state of another plan is refused.
            write(&state_of(&files.next), &state)?;
            write(&files.next, &plan.to_bytes())?;
            MergedFiles::Next(plan)
        }
    })
}

/// Returns the path of the state beside a plan.
fn state_of(plan: &Path) -> PathBuf {
    let mut name = plan.as_os_str().to_owned();
    name.push(".state");
    name.into()
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, DistributedError> {
    read_any(path).map_err(|source| failed(path, source))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), DistributedError> {
    write_atomically(path, bytes).map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> DistributedError {
    DistributedError::Io { file: path.display().to_string(), source }
}
