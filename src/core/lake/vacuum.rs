//! Removes files of the `events` table that no kept version needs.

use crate::delta::{VacuumPlan, VacuumRule};
use crate::lake::dry_run::DryRun;
use crate::lake::error::LakeError;
use crate::lake::events_table::EVENTS;
use crate::lake::layout::WRITERS;
use crate::lake::open::Lake;
use crate::model::Timestamp;

impl Lake {
    /// Returns when the newest commit of the `events` table was written.
    ///
    /// # Errors
    /// Fails where the log cannot be listed.
    pub fn newest_commit(&self) -> Result<Option<Timestamp>, LakeError> {
        let files = self.store.files(&format!("{EVENTS}/_delta_log"))?;
        let newest = files.iter().map(|file| file.modified_ms).max();
        Ok(newest.and_then(|ms| Timestamp::from_micros(ms.saturating_mul(1_000)).ok()))
    }

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
