//! What has outlived its use: hours past the retention, files that no kept version names, old
//! rankings.

use crate::delta::{VacuumPlan, VacuumRule, VacuumScope};
use crate::lake::{DryRun, Expired, Lake};
use crate::model::{Hour, Timestamp};
use crate::progress::{Progress, Stage};
use crate::rankings;
use crate::rankings::RankingRetention;
use crate::rollup::{self, RollupError, Rollups, Scope};

/// What to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// How many hours of events, whatever the lake's settings say; as they say where none.
    pub retention_hours: Option<u32>,
    /// The tables' versions since then.
    pub versions_since: Timestamp,
    pub rankings: RankingRetention,
}

/// What pruning comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The oldest hour that is kept; none where all are.
    pub oldest: Option<Hour>,
    pub dropped: Expired,
    /// What is to go, a line each; only where that is all that was asked.
    pub plan: Vec<String>,
    /// Files that no kept version of a table needs, and their bytes.
    pub files: u64,
    pub rankings: u64,
    pub size_bytes: u64,
    /// Batches were half-way in all the time, and the `events` table's files were left as they are.
    pub is_events_left: bool,
}

/// Drops hours past the retention and their aggregates, then removes files that nothing needs.
///
/// Dropped hours' own files are needed by the versions before, and go when those are kept no more.
///
/// # Errors
/// Fails where the disk does or a file is damaged; each step stands by itself, and the next run
/// takes it up from there. Where the aggregates could not be made, files of rows that nothing needs are
/// gone nevertheless.
pub fn prune(
    lake: &Lake,
    keep: &Keep,
    now: Timestamp,
    dry_run: DryRun,
    progress: &Progress,
) -> Result<Pruned, RollupError> {
    // Before anything is dropped: a table that another program has changed stops it all.
    let rollups = Rollups::open(lake.store())?;
    let mut settings = lake.settings()?;
    settings.retention_hours = keep.retention_hours.or(settings.retention_hours);
    let mut pruned = Pruned { oldest: settings.oldest_kept(now), ..Pruned::default() };
    let now_ms = now.micros() / 1_000;
    let is_due = rollups.is_some() && dry_run == DryRun::No;
    progress.begin(Stage::ExpireHours, None);
    let dropped = drop_hours(lake, pruned.oldest, now_ms, dry_run).and_then(|dropped| {
        pruned.dropped = dropped;
        progress.end(Stage::ExpireHours);
        // The aggregates must not outlive their events; and the part of the log that says what changed
        // since the last rollup is about to go.
        if is_due { rollup::rollup(lake, Scope::Changed, now_ms, progress).map(drop) } else { Ok(()) }
    });
    // What nobody needs goes even so: that the disk is full may be what went wrong.
    let scope = if dropped.is_ok() { VacuumScope::DataAndLog } else { VacuumScope::DataOnly };
    let rule = VacuumRule { kept_since_ms: keep.versions_since.micros() / 1_000, now_ms, scope };
    progress.begin(Stage::Vacuum, None);
    let vacuumed = vacuum(lake, rollups.as_ref(), keep, &rule, dry_run, &mut pruned);
    progress.end(Stage::Vacuum);
    dropped?;
    vacuumed?;
    Ok(pruned)
}

fn drop_hours(
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

/// Removes what nobody needs: files of both tables, and old rankings.
fn vacuum(
    lake: &Lake,
    rollups: Option<&Rollups>,
    keep: &Keep,
    rule: &VacuumRule,
    dry_run: DryRun,
    pruned: &mut Pruned,
) -> Result<(), RollupError> {
    let of_events = lake.vacuum(rule, dry_run)?;
    pruned.is_events_left = of_events.is_none();
    let of_rollups = rollups.map(|rollups| rollups.vacuum(rule, dry_run)).transpose()?;
    for (files, size_bytes) in of_events.iter().chain(&of_rollups).map(VacuumPlan::size) {
        pruned.files += files;
        pruned.size_bytes += size_bytes;
    }
    let unneeded =
        of_events.iter().chain(&of_rollups).flat_map(|vacuum| vacuum.data.iter().chain(&vacuum.log));
    let mut going: Vec<String> = unneeded.map(|file| file.path.clone()).collect();
    let (mut rankings, count) = rankings::expired_rankings(lake.store(), &keep.rankings)?;
    // They are large, and what is told of an item comes from the newest.
    rankings.extend(rankings::expired_item_totals(lake.store(), keep.versions_since.micros() / 1_000)?);
    if dry_run == DryRun::No {
        lake.store().remove(rankings.iter())?;
    }
    going.extend(rankings.iter().map(|file| file.path.clone()));
    if dry_run == DryRun::Yes {
        let hours = pruned.dropped.hours.iter().map(|hour| format!("drop {}", hour.start()));
        pruned.plan = hours.chain(going.iter().map(|path| format!("remove {path}"))).collect();
    }
    pruned.rankings = count;
    pruned.size_bytes += rankings.iter().map(|file| file.size_bytes).sum::<u64>();
    Ok(())
}
