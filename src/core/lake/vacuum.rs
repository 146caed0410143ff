//! Removes files of the `events` table that no kept version needs.

use crate::delta::{VacuumPlan, VacuumRule};
use crate::lake::dry_run::DryRun;
use crate::lake::error::LakeError;
use crate::lake::events_table::EVENTS;
use crate::lake::layout::WRITERS;
use crate::lake::open::Lake;
use crate::model::Timestamp;
use crate::storage::StoredFile;

impl Lake {
    /// Returns when the commits of the `events` table were written, the newest first.
    ///
    /// # Errors
    /// Fails where the log cannot be listed.
    pub fn commit_times(&self) -> Result<Vec<Timestamp>, LakeError> {
        let mut commits = self.store.files(&format!("{EVENTS}/_delta_log"))?;
        commits.retain(|file| file.path.ends_with(".json"));
        commits.sort_unstable_by(|one, other| other.path.cmp(&one.path));
        let time = |file: &StoredFile| Timestamp::from_micros(file.modified_ms.saturating_mul(1_000)).ok();
        Ok(commits.iter().filter_map(time).collect())
    }

    /// Removes, or with `dry_run` only lists, the unreferenced files of the `events` table, and
    /// what killed runs have left, while no batch is being written; returns none, and removes nothing, where one was for too long.
    ///
    /// # Errors
    /// Fails where the disk does; no kept version needed the files that were removed.
    pub fn vacuum(&self, rule: &VacuumRule, dry_run: DryRun) -> Result<Option<VacuumPlan>, LakeError> {
        if dry_run == DryRun::Yes {
            return Ok(Some(self.plan_vacuum(rule)?));
        }
        let Some(_exclusive) = self.store.lock_exclusive(WRITERS)? else { return Ok(None) };
        let plan = self.plan_vacuum(rule)?;
        plan.remove(&self.store)?;
        Ok(Some(plan))
    }

    /// Decides what to remove of the table, and of what batches have left unfinished beside it.
    fn plan_vacuum(&self, rule: &VacuumRule) -> Result<VacuumPlan, LakeError> {
        let mut plan = self.events.plan_vacuum(&self.store, rule)?;
        plan.data.extend(self.left_over(rule)?);
        Ok(plan)
    }
}
