//! What has outlived its use: hours past the retention, files that no kept version names, old
//! rankings.

use crate::lake::{Doing, Dropped, Lake};
use crate::rollup::{self, RollupError, Rollups, Scope};
use crate::snapshot;
use crate::time::{Hour, Timestamp};
use crate::trace::Run;

/// What to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// How many hours of events, whatever the lake's settings say; as they say where none.
    pub retention_hours: Option<u32>,
    /// The tables' versions since then.
    pub versions_since: Timestamp,
    /// The rankings published since then.
    pub rankings_since: Timestamp,
}

/// What pruning comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The oldest hour that is kept; none where all are.
    pub oldest: Option<Hour>,
    pub dropped: Dropped,
    /// Files that no kept version of a table needs, and their bytes.
    pub files: u64,
    pub rankings: u64,
    pub size_bytes: u64,
}

/// Drops hours past the retention and their sums, then removes files that nothing needs.
///
/// Dropped hours' own files are needed by the versions before, and go when those are kept no more.
///
/// # Errors
/// Fails where the disk does; each step stands by itself, and the next run takes it up from there.
pub fn prune(
    lake: &Lake,
    keep: &Keep,
    now: Timestamp,
    doing: Doing,
    run: &Run,
) -> Result<Pruned, RollupError> {
    // Before anything is dropped: a table that another program has changed stops it all.
    let rollups = Rollups::open(lake.store())?;
    let mut settings = lake.settings()?;
    settings.retention_hours = keep.retention_hours.or(settings.retention_hours);
    let mut pruned = Pruned { oldest: settings.oldest_kept(now), ..Pruned::default() };
    let now_ms = now.micros() / 1_000;
    if let Some(oldest) = pruned.oldest {
        pruned.dropped = match doing {
            Doing::Planning => lake.plan_drop(oldest)?,
            Doing::Applying => lake.drop_before(oldest, now_ms)?,
        };
    }
    if rollups.is_some() && doing == Doing::Applying {
        // The sums must not outlive their events; and the part of the log that says what changed
        // since the last rollup is about to go.
        rollup::rollup(lake, Scope::Changed, now_ms, run)?;
    }
    let versions_since_ms = keep.versions_since.micros() / 1_000;
    let mut swept = vec![lake.sweep(versions_since_ms, now_ms, doing)?];
    if let Some(rollups) = rollups {
        swept.push(rollups.sweep(versions_since_ms, now_ms, doing)?);
    }
    for (files, size_bytes) in swept.iter().map(crate::table::Sweep::size) {
        pruned.files += files;
        pruned.size_bytes += size_bytes;
    }
    let rankings = snapshot::old_rankings(lake.store(), keep.rankings_since.micros() / 1_000)?;
    if doing == Doing::Applying {
        lake.store().remove(rankings.iter())?;
    }
    pruned.rankings = rankings.len() as u64;
    pruned.size_bytes += rankings.iter().map(|file| file.size_bytes).sum::<u64>();
    Ok(pruned)
}
