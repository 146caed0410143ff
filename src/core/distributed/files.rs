//! Plans, results and states as files: of users, or of the lake.
//!
//! Invariant: a plan is written after its state, and a result after its item totals, so that what is there is whole.

use std::path::{Path, PathBuf};

use crate::distributed::error::DistributedError;
use crate::distributed::merge::{Merged, merge};
use crate::distributed::partial::{PartBytes, partial};
use crate::distributed::place::{
    Place, first_plan, name_of, plan_beside, plan_name, remove_folder, result_of, state_of, totals_of,
};
use crate::distributed::plan::{Plan, PlanOptions, plan};
use crate::model::EventTypes;
use crate::progress::Progress;
use crate::rank::{FinishedRanking, ItemTotalsFile, PackedItemTotals, PartFile, PartFileError, Rules};
use crate::storage::Store;

/// Takes the item totals of a top-level category, none for items without one, and the round that they are of.
type TakeItemTotals<'a, E> = dyn FnMut(Option<&str>, u32, PackedItemTotals) -> Result<(), E> + 'a;

/// The files of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeFiles {
    /// The version of the program, which must be that of the plan.
    pub program: String,
    pub plan: PathBuf,
    /// The results of the plan's parts, in any order; those in the lake are found by the plan's name.
    pub results: Vec<PathBuf>,
    /// Where the plan of another round is written; none if all is in the lake.
    pub next: Option<PathBuf>,
}

/// What merging files gives.
pub enum MergedFiles {
    Done {
        finished: FinishedRanking,
        plan: Box<Plan>,
    },
    /// Another round is needed; its plan was written.
    Next {
        plan: Box<Plan>,
        file: PathBuf,
    },
}

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenPart {
    Computed {
        size_bytes: u64,
    },
    /// The lake has its result already.
    Found,
}

/// Writes the plan of the first round of a ranking of the newest aggregates: into a file, or without one into the
/// lake. Returns where it is.
///
/// # Errors
/// Fails where the lake cannot be read or the file cannot be written.
pub fn write_plan(
    store: &Store,
    rules: &Rules,
    event_types: &EventTypes,
    options: &PlanOptions,
    output: Option<&Path>,
) -> Result<(Plan, PathBuf), DistributedError> {
    let plan = plan(store, rules, event_types, options)?;
    let bytes = plan.to_bytes();
    let path = output.map_or_else(|| first_plan("rank", &plan_name(0), &bytes), Path::to_owned);
    place_of(store, output).write(&path, bytes)?;
    Ok((plan, path))
}

/// Computes a part of a plan, and writes its result: into a file, where the plan is in one too, or without one into
/// the lake, unless it has that already.
///
/// # Errors
/// Fails where there is no such part, the plan is of another version of the program, or a file cannot be read or
/// written.
pub fn write_partial(
    store: &Store,
    plan: &Plan,
    path: &Path,
    part: usize,
    output: Option<&Path>,
    progress: &Progress,
) -> Result<WrittenPart, DistributedError> {
    let place = place_of(store, output);
    if output.is_none() && is_whole(place, plan, path, part) {
        return Ok(WrittenPart::Found);
    }
    let PartBytes { result, totals } = partial(store, plan, part, progress)?;
    let mut size_bytes = result.len() as u64;
    if let Some(totals) = totals {
        size_bytes += totals.len() as u64;
        place.write(&totals_of(path, part), totals)?;
    }
    place.write(&output.map_or_else(|| result_of(path, part), Path::to_owned), result)?;
    Ok(WrittenPart::Computed { size_bytes })
}

/// Reads a plan of this version of the program: from a file if the results are to be files, else from the lake.
///
/// # Errors
/// Names the file that is no plan.
pub fn read_plan(
    store: &Store,
    path: &Path,
    output: Option<&Path>,
    program: &str,
) -> Result<Plan, DistributedError> {
    let bytes = place_of(store, output).read_plan(path)?;
    Plan::of_bytes(&path.display().to_string(), &bytes, program)
}

/// Merges results; writes the plan of another round if one is needed.
///
/// # Errors
/// Names the file that is not what it should be or cannot be read or written, or the parts without a
/// result.
pub fn merge_files(store: &Store, files: &MergeFiles) -> Result<MergedFiles, DistributedError> {
    let output = files.next.as_deref();
    let plan = read_plan(store, &files.plan, output, &files.program)?;
    let place = place_of(store, output);
    let state = match plan.is_first() {
        true => None,
        false => {
            let path = state_of(&files.plan);
            let missing = |error: DistributedError| DistributedError::State {
                file: path.display().to_string(),
                what: what_of(error),
            };
            Some((path.display().to_string(), place.read(&path).map_err(missing)?))
        }
    };
    let state = state.as_ref().map(|(name, bytes)| (name.as_str(), bytes.as_ref()));
    let results = match output {
        Some(_) => files.results.clone(),
        None => (0..plan.parts()).map(|part| result_of(&files.plan, part)).collect(),
    };
    let mut results =
        place.read_all(&results).map(|read| read.map(|(path, bytes)| (path.display().to_string(), bytes)));
    Ok(match merge(store, &plan, state, &mut results)? {
        Merged::Done(finished) => MergedFiles::Done { finished, plan: Box::new(plan) },
        Merged::Next { plan, state } => {
            let file = output.map_or_else(|| plan_beside(&files.plan, plan.step()), Path::to_owned);
            // The plan comes last. A state of another plan is refused.
            place.write(&state_of(&file), state)?;
            place.write(&file, plan.to_bytes())?;
            MergedFiles::Next { plan, file }
        }
    })
}

/// Passes on the item totals of all parts of all rounds of a ranking in the lake, given its last plan: each with its
/// top-level category and its round.
///
/// # Errors
/// Names the file that is missing or not what it should be, or fails as `take` does.
pub fn for_each_item_totals<E: From<DistributedError>>(
    store: &Store,
    last: &Plan,
    last_path: &Path,
    take: &mut TakeItemTotals<'_, E>,
) -> Result<(), E> {
    let place = Place::Lake(store);
    for step in 0..=last.step() {
        let path = plan_beside(last_path, step);
        let plan = Plan::of_bytes(&name_of(&path), &place.read_plan(&path)?, last.program())?;
        if !plan.has_item_totals() {
            continue;
        }
        let (key, request) = (plan.key(), plan.request());
        let paths: Vec<PathBuf> = (0..plan.parts()).map(|part| totals_of(&path, part)).collect();
        let mut found = vec![false; paths.len()];
        for read in place.read_all(&paths) {
            let (path, bytes) = read?;
            let failed = |source| DistributedError::File { file: name_of(&path), source };
            let ItemTotalsFile { part, sections, .. } =
                ItemTotalsFile::of_bytes(&bytes, &key, &request).map_err(failed)?;
            *found.get_mut(part).ok_or_else(|| failed(PartFileError::OtherPlan))? = true;
            for (top, totals) in sections {
                take(top.as_deref(), request.round(), totals)?;
            }
        }
        let missing: Vec<usize> = (0..found.len()).filter(|part| !found[*part]).collect();
        if !missing.is_empty() {
            return Err(DistributedError::Missing { missing, parts: found.len() }.into());
        }
    }
    Ok(())
}

/// Removes the files of a ranking in the lake that was published, as far as that is possible.
pub fn remove_files(store: &Store, plan: &Path) {
    remove_folder(store, plan);
}

/// Returns whether the lake has the result of a part, and its item totals where it has some.
fn is_whole(place: Place<'_>, plan: &Plan, path: &Path, part: usize) -> bool {
    let (key, request) = (plan.key(), plan.request());
    let result = place.find(&result_of(path, part));
    let result = result.and_then(|bytes| PartFile::of_bytes(&bytes, &key, &request).ok());
    let has_totals = || {
        let totals = place.find(&totals_of(path, part));
        totals.is_some_and(|bytes| ItemTotalsFile::of_bytes(&bytes, &key, &request).is_ok())
    };
    result.is_some_and(|result| result.part == part) && (!plan.has_item_totals() || has_totals())
}

/// Returns where files are: those of a user, if there is one to be written, or in the lake.
fn place_of<'a>(store: &'a Store, output: Option<&Path>) -> Place<'a> {
    match output {
        Some(_) => Place::Disk,
        None => Place::Lake(store),
    }
}

/// Returns what is wrong with a file, without its name.
fn what_of(error: DistributedError) -> String {
    match error {
        DistributedError::Io { source, .. } => source.to_string(),
        DistributedError::Store(error) if error.is_not_found() => "there is none".to_owned(),
        error => error.to_string(),
    }
}
