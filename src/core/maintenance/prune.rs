//! Pruning: hours past the retention expire, files that are no longer referenced are vacuumed, old
//! rankings, rejects and entries of ingested files are removed.

use crate::delta::{VacuumPlan, VacuumRule, VacuumScope};
use crate::lake::{DryRun, Expired, Lake, expired_scratch};
use crate::maintenance::prune_check;
use crate::model::{Hour, Timestamp};
use crate::progress::{Progress, Stage};
use crate::rankings;
use crate::rankings::RankingRetention;
use crate::rollup::{self, Replaces, RollupError, Rollups, Scope};

/// What to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How many hours of events; none leaves it to the lake's settings.
    pub hours: Option<u32>,
    /// The tables' versions since this moment.
    pub versions_since: Timestamp,
    pub rankings: RankingRetention,
    /// Whether to go on where that looks like a mistake: by a clock far ahead, or of most of the lake.
    pub is_confirmed: bool,
}

/// What a pruning did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The oldest hour that is kept; none where all are.
    pub oldest: Option<Hour>,
    pub expired: Expired,
    /// What would be expired and removed, a line each; only for a dry run.
    pub plan: Vec<String>,
    /// Files that no kept version of a table references.
    pub files: u64,
    /// Entries of ingested files that no later ingest needs.
    pub inputs: u64,
    /// Old rankings.
    pub rankings: u64,
    /// Plans and results of several processes that did not end.
    pub scratch: u64,
    /// Files of rejects that are older than the oldest hour.
    pub rejects: u64,
    /// The size of all these files.
    pub size_bytes: u64,
    /// Why the pruning would be refused; only for a dry run.
    pub refusal: Option<String>,
    /// Batches were being written all the time, and the files of the `events` table were not vacuumed.
    pub skipped_events: bool,
}

/// Expires hours past the retention and their aggregates, then removes files that are no longer
/// referenced.
///
/// The files of expired hours are referenced by older versions, and removed when these are not kept. Where the
/// disk is full, what needs no room is done first, then the lake's reserve is given up.
///
/// # Errors
/// Fails where the disk does or a file is damaged; the next run continues after the last step that
/// succeeded. Where the rollup failed, unreferenced data files are removed nevertheless.
pub fn prune(
    lake: &Lake,
    retention: &Retention,
    now: Timestamp,
    dry_run: DryRun,
    progress: &Progress,
) -> Result<Pruned, RollupError> {
    // Before anything expires: a table that another program has changed is an error.
    let rollups = Rollups::open(lake.store())?;
    let mut settings = lake.settings()?;
    settings.retention_hours = retention.hours.or(settings.retention_hours);
    let mut pruned = Pruned { oldest: settings.oldest_kept(now), ..Pruned::default() };
    if !retention.is_confirmed {
        match prune_check::check(lake, pruned.oldest, now) {
            Err(refusal) if refusal.is_refusal() && dry_run == DryRun::Yes => {
                pruned.refusal = Some(refusal.to_string());
            }
            checked => checked?,
        }
    }
    let prune = Prune { lake, rollups, retention, now, dry_run, progress };
    let mut done = prune.apply(&mut pruned);
    if dry_run == DryRun::No {
        if done.as_ref().is_err_and(RollupError::is_full) {
            // What was removed just now has made room, perhaps; the reserve does.
            lake.release_reserve()?;
            done = prune.apply(&mut pruned);
        }
        lake.make_reserve();
    }
    done.map(|()| pruned)
}

/// A pruning that nothing speaks against.
struct Prune<'a> {
    lake: &'a Lake,
    rollups: Option<Rollups>,
    retention: &'a Retention,
    now: Timestamp,
    dry_run: DryRun,
    progress: &'a Progress,
}

impl Prune<'_> {
    /// Does all of it, or what is left of it; adds what was done.
    fn apply(&self, pruned: &mut Pruned) -> Result<(), RollupError> {
        let Prune { lake, rollups, retention, now, dry_run, progress } = self;
        let now_ms = now.micros() / 1_000;
        let is_due = rollups.is_some() && *dry_run == DryRun::No;
        progress.begin(Stage::ExpireHours, None);
        let expired = expire_hours(lake, pruned.oldest, now_ms, *dry_run).and_then(|expired| {
            pruned.expired.hours.extend(expired.hours);
            pruned.expired.files += expired.files;
            pruned.expired.rows += expired.rows;
            progress.end(Stage::ExpireHours);
            // Aggregates must not outlive their events; and the part of the log that says what changed since
            // the last rollup may be removed next.
            if is_due {
                rollup::rollup(lake, Scope::Changed, Replaces::DamagedOnly, now_ms, progress).map(drop)
            } else {
                Ok(())
            }
        });
        // Unreferenced files are removed even after a failure, whose cause may be a full disk.
        let scope = if expired.is_ok() { VacuumScope::DataAndLog } else { VacuumScope::DataOnly };
        let keep_ms = now_ms - retention.versions_since.micros() / 1_000;
        let rule = VacuumRule { keep_ms, now_ms, trusts_clock: retention.is_confirmed, scope };
        progress.begin(Stage::Vacuum, None);
        let vacuumed = self.vacuum(&rule, pruned);
        let inputs = lake.prune_inputs(pruned.oldest, *now, *dry_run);
        progress.end(Stage::Vacuum);
        expired?;
        vacuumed?;
        let inputs = inputs?;
        pruned.skipped_events |= inputs.is_none();
        pruned.inputs += inputs.unwrap_or(0);
        Ok(())
    }

    /// Removes the unreferenced files of both tables, old rankings and old rejects.
    fn vacuum(&self, rule: &VacuumRule, pruned: &mut Pruned) -> Result<(), RollupError> {
        let Prune { lake, rollups, retention, dry_run, .. } = self;
        let of_events = lake.vacuum(rule, *dry_run)?;
        pruned.skipped_events = of_events.is_none();
        let of_rollups = rollups.as_ref().map(|rollups| rollups.vacuum(rule, *dry_run)).transpose()?;
        for (files, size_bytes) in of_events.iter().chain(&of_rollups).map(VacuumPlan::size) {
            pruned.files += files;
            pruned.size_bytes += size_bytes;
        }
        let unreferenced =
            of_events.iter().chain(&of_rollups).flat_map(|vacuum| vacuum.data.iter().chain(&vacuum.log));
        let mut removed: Vec<String> = unreferenced.map(|file| file.path.clone()).collect();
        let (mut rankings, count) =
            rankings::expired_rankings(lake.store(), &retention.rankings, rule.now_ms, rule.trusts_clock)?;
        // Item totals are large, and only the newest are read.
        rankings.extend(rankings::expired_item_totals(lake.store(), rule.files())?);
        let rejects = lake.expired_rejects(pruned.oldest)?;
        let scratch = expired_scratch(lake.store(), rule.files())?;
        let others = || rankings.iter().chain(&rejects).chain(&scratch);
        if *dry_run == DryRun::No {
            lake.store().remove(others())?;
        }
        removed.extend(others().map(|file| file.path.clone()));
        if *dry_run == DryRun::Yes {
            let hours = pruned.expired.hours.iter().map(|hour| format!("expire {}", hour.start()));
            pruned.plan = hours.chain(removed.iter().map(|path| format!("remove {path}"))).collect();
        }
        pruned.rankings += count;
        pruned.rejects += rejects.len() as u64;
        pruned.scratch += scratch.len() as u64;
        pruned.size_bytes += others().map(|file| file.size_bytes).sum::<u64>();
        Ok(())
    }
}

fn expire_hours(
    lake: &Lake,
    oldest: Option<Hour>,
    now_ms: i64,
    dry_run: DryRun,
) -> Result<Expired, RollupError> {
    let Some(oldest) = oldest else { return Ok(Expired::default()) };
    Ok(match dry_run {
        DryRun::Yes => lake.plan_expire(oldest)?,
        DryRun::No => lake.expire_before(oldest, now_ms)?,
    })
}
