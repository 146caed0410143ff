//! Removes files of the `events` table that no kept version needs.

use crate::delta::{VacuumPlan, VacuumRule};
use crate::lake::dry_run::DryRun;
use crate::lake::error::LakeError;
use crate::lake::layout::WRITERS;
use crate::lake::open::Lake;

impl Lake {
    /// Removes, or with `dry_run` only lists, the unreferenced files of the `events` table, while no
    /// batch is being written; returns none, and removes nothing, where one was for too long.
    ///
    /// # Errors
    /// Fails where the disk does; no kept version needed the files that were removed.
    pub fn vacuum(&self, rule: &VacuumRule, dry_run: DryRun) -> Result<Option<VacuumPlan>, LakeError> {
        if dry_run == DryRun::Yes {
            return Ok(Some(self.events.plan_vacuum(&self.store, rule)?));
        }
        let Some(_exclusive) = self.store.lock_exclusive(WRITERS)? else { return Ok(None) };
        let plan = self.events.plan_vacuum(&self.store, rule)?;
        plan.remove(&self.store)?;
        Ok(Some(plan))
    }
}
