//! The plan of a round: the rules, the version of the aggregates, and the parts.

use serde::{Deserialize, Serialize};

use crate::distributed::error::DistributedError;
use crate::model::{EventTypes, Hour};
use crate::rank::{PlannedRules, Round, Rules, ScanRequest};
use crate::rollup::{PlannedFile, PlannedPart, Rollups, Selection, Split, WantsPath};
use crate::storage::{Store, checksum};

const FORMAT: &str = "topsell ranking plan 2";

/// The plan of a round, a JSON object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    format: String,
    /// The version of the table `rollups`.
    rollups_version: u64,
    rules: PlannedRules,
    event_types: Vec<String>,
    subtract: Vec<String>,
    splits_files: bool,
    /// The number of the oldest hour of any aggregate of the event types, counted from 1970; none where there are
    /// none.
    oldest_hour: Option<i32>,
    round: Round,
    pub(super) parts: Vec<PlannedPart>,
    pub(super) files: Vec<PlannedFile>,
}

/// Returns the plan of the first round of a ranking of the newest aggregates.
///
/// # Errors
/// Fails where the table's log or a file cannot be read.
pub fn plan(
    store: &Store,
    rules: &Rules,
    event_types: &EventTypes,
    split: Split,
) -> Result<Plan, DistributedError> {
    let version = Rollups::open_or_create(store)?.scan_version(None)?.1;
    let plan = Plan {
        format: FORMAT.to_owned(),
        rollups_version: version,
        rules: PlannedRules(rules.clone()),
        event_types: event_types.counted.clone(),
        subtract: event_types.subtracted.clone(),
        splits_files: split == Split::Files,
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

    /// Reads a plan from a file of a name.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn of_bytes(file: &str, bytes: &[u8]) -> Result<Plan, DistributedError> {
        let plan: Plan = serde_json::from_slice(bytes).map_err(|e| invalid(file, &e.to_string()))?;
        if plan.format != FORMAT {
            return Err(invalid(file, &format!("its format is {:?}", plan.format)));
        }
        plan.round.check(&plan.rules.0).map_err(|what| invalid(file, what))?;
        Ok(plan)
    }

    /// Returns what all results of its parts have of it.
    pub(super) fn checksum(&self) -> u64 {
        checksum(&self.to_bytes())
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
        ScanRequest::of(self.rules(), &self.round)
    }

    /// Returns the plan of another round of the same ranking.
    pub(super) fn next(&self, round: Round, store: &Store) -> Result<Plan, DistributedError> {
        Plan { round, ..self.clone() }.with_parts(store)
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
        let (files, parts) = scan.planned(&selection, wants, split)?;
        let oldest_hour = scan.oldest_hour(&event_types)?.map(Hour::number);
        Ok(Plan { parts, files, oldest_hour, ..self })
    }
}

fn invalid(file: &str, what: &str) -> DistributedError {
    DistributedError::Plan { file: file.to_owned(), what: what.to_owned() }
}
