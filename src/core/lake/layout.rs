//! The names of what is in a lake's folder.

use crate::lake::error::LakeError;
use crate::storage::{PROBES, Store, is_unfinished};

/// The lake's report.
pub const PAGE: &str = "report.html";
/// The lake's settings.
pub const SETTINGS_FILE: &str = "topsell.toml";
/// The version of the lake's format.
pub(super) const FORMAT_FILE: &str = "format.json";
/// How far each file was ingested.
pub(super) const INPUTS: &str = "inputs";
/// Rejected lines and inputs.
pub(super) const REJECTS: &str = "rejects";
/// Held by a rollup, a ranking and all maintenance but compaction.
pub(super) const MAINTENANCE_LOCK: &str = "maintenance.lock";
/// Held by a compaction, and by maintenance that removes files.
pub(super) const COMPACTION_LOCK: &str = "compaction.lock";
/// [`MAINTENANCE_LOCK`] in format 0.
pub(super) const MAINTENANCE_LOCK_0: &str = "upkeep.lock";
/// Held by a server, as long as it runs.
pub const SERVER_LOCK: &str = "serve.lock";
/// The folder of the log of a server: what it has acknowledged and the lake does not have yet.
pub const SERVER_LOG: &str = "log";
/// Held by who changes versioned lists.
pub const LISTS_LOCK: &str = "lists.lock";
/// The folder of versioned lists.
const LISTS: &str = "lists";
/// What items add up to on past days, for a server's lists by score: it is read again where it is missing.
pub const ITEM_SCORES: &str = "scores";
/// Held, shared, while files are written that no commit names yet; exclusively by a vacuum.
pub(super) const WRITERS: &str = "writers";

/// Batches of a bucket whose files are written and which wait for the next commit.
pub(super) const STAGED: &str = "staged";

/// Plans and results of what several processes compute together.
pub const SCRATCH: &str = "scratch";

/// Room that a prune gives up on a full disk.
pub(super) const RESERVE: &str = "reserve";

/// All names that may be there before a lake is.
const KNOWN: [&str; 26] = [
    "events",
    PROBES,
    INPUTS,
    "rollups",
    "rankings",
    REJECTS,
    RESERVE,
    LISTS,
    LISTS_LOCK,
    "runs",
    "schedule",
    SCRATCH,
    STAGED,
    PAGE,
    SETTINGS_FILE,
    FORMAT_FILE,
    MAINTENANCE_LOCK,
    MAINTENANCE_LOCK_0,
    COMPACTION_LOCK,
    SERVER_LOCK,
    SERVER_LOG,
    ITEM_SCORES,
    "events.queue.lock",
    "rollups.queue.lock",
    "writers.door.lock",
    "writers.lock",
];

/// Returns whether a store holds anything that is no part of a lake.
pub(super) fn is_foreign(store: &Store) -> Result<bool, LakeError> {
    let is_known = |name: &str| {
        // Another process may be writing one of them.
        let finished = name.rsplit_once('#').filter(|_| is_unfinished(name)).map(|(finished, _)| finished);
        let name = finished.unwrap_or(name);
        // Beside a lock of a bucket is the object that tells the time.
        KNOWN.contains(&name.strip_suffix(".clock").unwrap_or(name))
    };
    Ok(store.root_names()?.iter().any(|name| !is_known(name)))
}
