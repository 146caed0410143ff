//! The outcomes that the commits of a dry run would have.

use std::collections::HashMap;

use crate::ingest::commit_group::StagedBatch;
use crate::ingest::plan::Plan;
use crate::lake::{BatchSize, CommitOutcome, DuplicatePolicy, Lake, LakeError};

/// The batches of a dry run, each of which would be new once.
pub(super) struct PlannedBatches<'a> {
    lake: Option<&'a Lake>,
    /// Their ids and inputs.
    ids: HashMap<String, usize>,
}

impl<'a> PlannedBatches<'a> {
    /// Returns none yet.
    pub fn of(lake: Option<&'a Lake>) -> PlannedBatches<'a> {
        PlannedBatches { lake, ids: HashMap::new() }
    }

    /// Returns the outcome that a commit would have.
    ///
    /// # Errors
    /// Fails where the lake cannot be read.
    pub fn outcome(
        &mut self,
        plan: &Plan,
        input: usize,
        batch: &StagedBatch<'_>,
        duplicates: DuplicatePolicy,
    ) -> Result<CommitOutcome, LakeError> {
        let StagedBatch { ids, lines, accepted, rejected, .. } = batch;
        let name = |input: usize| &plan.inputs[input].name;
        let mut elsewhere = false;
        let mut added = 0;
        for id in ids {
            let in_lake = self.lake.map_or(Ok(None), |lake| lake.size_of_batch(id))?;
            let planned = if *accepted > 0 { self.ids.insert(id.clone(), input) } else { None };
            elsewhere |= planned.is_some_and(|other| name(other) != name(input));
            added += u64::from(in_lake.is_none() && planned.is_none());
        }
        Ok(match (added < ids.len() as u64, duplicates) {
            (true, DuplicatePolicy::Replace) => CommitOutcome::Replaced { added },
            (false, DuplicatePolicy::Replace) if batch.replaces_earlier => {
                CommitOutcome::Replaced { added: 0 }
            }
            (true, DuplicatePolicy::Skip) => {
                let size = BatchSize { events: accepted + rejected, lines: lines.read };
                CommitOutcome::AlreadyIngested { size, elsewhere }
            }
            _ if *accepted == 0 => CommitOutcome::Nothing,
            _ => CommitOutcome::Committed,
        })
    }
}
