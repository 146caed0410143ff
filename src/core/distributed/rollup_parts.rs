//! A rollup in several processes, by files in the lake: plan, parts, one commit.
//!
//! ```text
//! scratch/rollup-9b1c…/plan.json          {"format":"topsell rollup plan 1","program":…,"parts":…}
//! scratch/rollup-9b1c…/plan.json.7.part   <checksum of what follows>
//!                                         {"format":"topsell rollup part 1","program":…,"plan":…,"part":7,…}
//! ```
//!
//! Invariant: the aggregates of a part are written before its result, and all become visible in one commit.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::distributed::error::DistributedError;
use crate::distributed::files::WrittenPart;
use crate::distributed::place::{Place, first_plan, name_of, remove_folder, result_of};
use crate::lake::Lake;
use crate::progress::Progress;
use crate::rank::PartFileError;
use crate::rollup::{
    PartOutcome, PlannedParts, Replaces, Scope, Summary, commit_parts, compute_part, plan_parts,
};
use crate::storage::{Store, checksum};

const PLAN_FORMAT: &str = "topsell rollup plan 1";
const PART_FORMAT: &str = "topsell rollup part 1";
const PLAN: &str = "plan.json";

/// The plan of a rollup in several processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RollupPlan {
    format: String,
    /// The version of the program, which computes and commits all parts.
    program: String,
    /// Whether aggregates are replaced that are not what their events add up to.
    replaces_differing: bool,
    #[serde(flatten)]
    planned: PlannedParts,
}

/// The result of a part.
#[derive(Serialize, Deserialize)]
struct RollupPart {
    format: String,
    program: String,
    /// The checksum of the plan.
    plan: String,
    part: usize,
    #[serde(flatten)]
    outcome: PartOutcome,
}

impl RollupPlan {
    /// Returns how many parts there are.
    pub fn parts(&self) -> usize {
        self.planned.parts()
    }

    /// Returns about how many rows of events will be read.
    pub fn rows(&self) -> u64 {
        self.planned.rows()
    }

    /// Returns how many hours of an event type will be recomputed.
    pub fn hours(&self) -> u64 {
        self.planned.hours()
    }

    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a plan has texts and numbers only")
    }

    fn checksum(&self) -> String {
        format!("{:016x}", checksum(&self.to_bytes()))
    }

    /// Reads the result of a part.
    fn part(&self, bytes: &[u8]) -> Result<(usize, PartOutcome), PartFileError> {
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(PartFileError::Damaged)?;
        let (line, json) = bytes.split_at(end + 1);
        if line != checksum_line(json).as_bytes() {
            return Err(PartFileError::Damaged);
        }
        let RollupPart { format, program, plan, part, outcome } =
            serde_json::from_slice(json).map_err(|_| PartFileError::Unknown)?;
        match () {
            () if format != PART_FORMAT => Err(PartFileError::Unknown),
            () if program != self.program => Err(PartFileError::OtherProgram(program)),
            () if plan != self.checksum() => Err(PartFileError::OtherPlan),
            () => Ok((part, outcome)),
        }
    }
}

/// Writes the plan of a rollup into the lake, in about so many parts if a number is given, and returns where it is;
/// none where the rollups are up to date.
///
/// # Errors
/// Fails where a table's log cannot be read, or the plan cannot be written.
pub fn write_rollup_plan(
    lake: &Lake,
    scope: Scope,
    replaces: Replaces,
    program: &str,
    parts: Option<u64>,
) -> Result<Option<(RollupPlan, PathBuf)>, DistributedError> {
    let Some(planned) = plan_parts(lake, scope, parts)? else { return Ok(None) };
    let plan = RollupPlan {
        format: PLAN_FORMAT.to_owned(),
        program: program.to_owned(),
        replaces_differing: replaces == Replaces::Differing,
        planned,
    };
    let bytes = plan.to_bytes();
    let path = first_plan("rollup", PLAN, &bytes);
    Place::Lake(lake.store()).write(&path, bytes)?;
    Ok(Some((plan, path)))
}

/// Reads a plan of this version of the program from the lake.
///
/// # Errors
/// Names the file that is no plan.
pub fn read_rollup_plan(store: &Store, path: &Path, program: &str) -> Result<RollupPlan, DistributedError> {
    let bytes = Place::Lake(store).read_plan(path)?;
    let invalid = |what: String| DistributedError::Plan { file: name_of(path), what };
    let plan: RollupPlan = serde_json::from_slice(&bytes).map_err(|e| invalid(e.to_string()))?;
    if plan.format != PLAN_FORMAT {
        return Err(invalid(format!("its format is {:?}", plan.format)));
    }
    if plan.program != program {
        let (file, of_plan) = (name_of(path), plan.program);
        return Err(DistributedError::OtherProgram { file, of_plan, program: program.to_owned() });
    }
    Ok(plan)
}

/// Recomputes a part, writes its aggregates and then its result, unless the lake has that already.
///
/// # Errors
/// Fails where there is no such part, or a file cannot be read or written.
pub fn write_rollup_part(
    lake: &Lake,
    plan: &RollupPlan,
    path: &Path,
    part: usize,
    progress: &Progress,
) -> Result<WrittenPart, DistributedError> {
    let place = Place::Lake(lake.store());
    let file = result_of(path, part);
    let found = place.find(&file).and_then(|bytes| plan.part(&bytes).ok());
    if found.is_some_and(|(found, _)| found == part) {
        return Ok(WrittenPart::Found);
    }
    let key = plan.checksum();
    let computed = compute_part(lake, &plan.planned, part, &format!("{key}p{part}"), progress)?;
    let outcome = computed.ok_or(DistributedError::NoPart { part, parts: plan.parts() })?;
    let program = plan.program.clone();
    let result = RollupPart { format: PART_FORMAT.to_owned(), program, plan: key, part, outcome };
    let json = serde_json::to_vec(&result).expect("a result has texts and numbers only");
    let bytes = [checksum_line(&json).into_bytes(), json].concat();
    let size_bytes = bytes.len() as u64;
    place.write(&file, bytes)?;
    Ok(WrittenPart::Computed { size_bytes })
}

/// Commits the results of all parts of a plan, and removes these.
///
/// # Errors
/// Names the file that is not what it should be, or the parts without a result; fails where the table has changed
/// since it was planned.
pub fn commit_rollup(
    lake: &Lake,
    path: &Path,
    program: &str,
    now_ms: i64,
    progress: &Progress,
) -> Result<Summary, DistributedError> {
    let plan = read_rollup_plan(lake.store(), path, program)?;
    let paths: Vec<PathBuf> = (0..plan.parts()).map(|part| result_of(path, part)).collect();
    let mut outcomes: Vec<Option<PartOutcome>> = vec![None; paths.len()];
    for read in Place::Lake(lake.store()).read_all(&paths) {
        let (path, bytes) = read?;
        let failed = |source| DistributedError::File { file: name_of(&path), source };
        let (part, outcome) = plan.part(&bytes).map_err(failed)?;
        *outcomes.get_mut(part).ok_or_else(|| failed(PartFileError::OtherPlan))? = Some(outcome);
    }
    let missing: Vec<usize> = (0..outcomes.len()).filter(|part| outcomes[*part].is_none()).collect();
    if !missing.is_empty() {
        return Err(DistributedError::Missing { missing, parts: outcomes.len() });
    }
    let replaces = if plan.replaces_differing { Replaces::Differing } else { Replaces::DamagedOnly };
    let outcomes = outcomes.into_iter().flatten().collect();
    let summary = commit_parts(lake, &plan.planned, outcomes, replaces, now_ms, progress)?;
    remove_folder(lake.store(), path);
    Ok(summary)
}

fn checksum_line(json: &[u8]) -> String {
    format!("{:016x}\n", checksum(json))
}
