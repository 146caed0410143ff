//! The plan of a round: the rules, the version of the aggregates, and the parts.

use serde::{Deserialize, Serialize};

use crate::distributed::error::DistributedError;
use crate::model::{EventTypes, Hour};
use crate::rank::{PlanKey, PlannedRules, Round, Rules, ScanRequest};
use crate::rollup::{PlannedFile, PlannedPart, Rollups, Selection, Split, WantsPath};
use crate::storage::{Store, checksum};

const FORMAT: &str = "topsell ranking plan 3";

/// The plan of a round, a JSON object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    format: String,
    /// The version of the program, which computes and merges all parts.
    program: String,
    /// The number of plans of the same ranking before this one.
    step: u32,
    /// The version of the table `rollups`.
    rollups_version: u64,
    rules: PlannedRules,
    event_types: Vec<String>,
    subtract: Vec<String>,
    splits_files: bool,
    /// About how many parts each round has; none where one process is to read them all.
    parts_wanted: Option<u64>,
    /// Whether item totals are computed, too.
    all_items: bool,
    /// The number of the oldest hour of any aggregate of the event types, counted from 1970; none where there are
    /// none.
    oldest_hour: Option<i32>,
    round: Round,
    pub(super) parts: Vec<PlannedPart>,
    pub(super) files: Vec<PlannedFile>,
}

/// What a plan is for, beside the rules.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// The version of the program.
    pub program: String,
    pub split: Split,
    /// About how many parts each round has; none for as many as one process is to read.
    pub parts: Option<u64>,
    /// Whether item totals are computed, too.
    pub all_items: bool,
}

/// Returns the plan of the first round of a ranking of the newest aggregates.
///
/// # Errors
/// Fails where the table's log or a file cannot be read.
pub fn plan(
    store: &Store,
    rules: &Rules,
    event_types: &EventTypes,
    options: &PlanOptions,
) -> Result<Plan, DistributedError> {
    let version = Rollups::open_or_create(store)?.scan_version(None)?.1;
    let plan = Plan {
        format: FORMAT.to_owned(),
        program: options.program.clone(),
        step: 0,
        rollups_version: version,
        rules: PlannedRules(rules.clone()),
        event_types: event_types.counted.clone(),
        subtract: event_types.subtracted.clone(),
        splits_files: options.split == Split::Files,
        parts_wanted: options.parts,
        all_items: options.all_items,
        oldest_hour: None,
        round: Round::first(rules),
        parts: Vec::new(),
        files: Vec::new(),
    };
    plan.with_parts(store)
}

impl Plan {
    /// Returns the plan as JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).expect("a plan has texts and numbers only");
        json.push(b'\n');
        json
    }

    /// Reads a plan of this version of the program from a file of a name.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn of_bytes(file: &str, bytes: &[u8], program: &str) -> Result<Plan, DistributedError> {
        let Format { format } = serde_json::from_slice(bytes).map_err(|e| invalid(file, &e.to_string()))?;
        if format != FORMAT {
            return Err(invalid(file, &format!("its format is {format:?}")));
        }
        let plan: Plan = serde_json::from_slice(bytes).map_err(|e| invalid(file, &e.to_string()))?;
        if plan.program != program {
            let (file, of_plan) = (file.to_owned(), plan.program);
            return Err(DistributedError::OtherProgram { file, of_plan, program: program.to_owned() });
        }
        plan.round.check(&plan.rules.0).map_err(|what| invalid(file, what))?;
        Ok(plan)
    }

    /// Returns what all results of its parts have of it.
    pub(super) fn key(&self) -> PlanKey {
        PlanKey { program: self.program.clone(), checksum: checksum(&self.to_bytes()) }
    }

    /// Returns the version of the program.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// Returns the number of plans of the same ranking before this one.
    pub fn step(&self) -> u32 {
        self.step
    }

    /// Returns whether item totals are computed, too.
    pub fn wants_item_totals(&self) -> bool {
        self.all_items
    }

    /// Returns whether its parts have item totals: those of items in several categories are in the state.
    pub(super) fn has_item_totals(&self) -> bool {
        self.all_items && !self.round.is_for_multi_category_items()
    }

    /// Returns whether no round was before.
    pub(super) fn is_first(&self) -> bool {
        self.round.number() == 0 && !self.round.is_for_multi_category_items()
    }

    /// Returns the round.
    pub fn round(&self) -> &Round {
        &self.round
    }

    /// Returns how many parts there are.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Returns about how many rows all parts have.
    pub fn rows(&self) -> u64 {
        self.parts.iter().fold(0, |all, part| all.saturating_add(part.rows))
    }

    /// Returns the rules.
    pub fn rules(&self) -> &Rules {
        &self.rules.0
    }

    /// Returns the oldest hour of any aggregate of the event types.
    pub(super) fn oldest_hour(&self) -> Option<Hour> {
        self.oldest_hour.map(Hour::new)
    }

    /// Returns the event types.
    pub fn event_types(&self) -> EventTypes {
        EventTypes::of(self.event_types.clone(), self.subtract.clone())
    }

    /// Returns the request of the round.
    pub(super) fn request(&self) -> ScanRequest {
        ScanRequest::of(self.rules(), &self.round).with_item_totals(self.all_items)
    }

    /// Returns the plan of another round of the same ranking.
    pub(super) fn next(&self, round: Round, store: &Store) -> Result<Plan, DistributedError> {
        Plan { round, step: self.step + 1, ..self.clone() }.with_parts(store)
    }

    /// Returns the plan with the parts of its round.
    fn with_parts(self, store: &Store) -> Result<Plan, DistributedError> {
        let rollups = Rollups::open_or_create(store)?;
        let (mut scan, _) = rollups.scan_version(Some(self.rollups_version))?;
        let (request, event_types) = (self.request(), self.event_types());
        let wants = |path: &str| request.wants_path(path);
        let wants = (!request.wants_every_path()).then_some(&wants as WantsPath<'_>);
        let selection = Selection { event_types: &event_types, hours: request.hours.clone() };
        let split = if self.splits_files { Split::Files } else { Split::Items };
        let (files, parts) = scan.planned(&selection, wants, split, self.parts_wanted)?;
        let oldest_hour = scan.oldest_hour(&event_types)?.map(Hour::number);
        Ok(Plan { parts, files, oldest_hour, ..self })
    }
}

/// The format of what may be a plan.
#[derive(Deserialize)]
struct Format {
    format: String,
}

fn invalid(file: &str, what: &str) -> DistributedError {
    DistributedError::Plan { file: file.to_owned(), what: what.to_owned() }
}
