//! The version of the `events` table that the aggregates have seen, so that the table's newest commits are missed when
//! they are gone.

use crate::delta::LogCheck;
use crate::lake;
use crate::storage::Store;

/// How the ids begin under which a rollup records the version of `events` that it covers, in the log of its own table:
/// `rollup:<rules>:<id of the table events>`.
const ROLLUP: &str = "rollup:";

/// Returns the version of `events` that the last rollup has covered, by the log of its table; none where it is not in
/// a commit that is still there, or a log cannot be read.
///
/// That log is to be read before the log of the events is: what is committed later is seen there.
pub(super) fn seen_by_rollups(store: &Store, rollups: &LogCheck) -> Option<u64> {
    // The lake may have been made again: then the events have another id.
    let events_id = lake::events_log(store).table_id().ok()??;
    let is_of_it = |id: &str| id.starts_with(ROLLUP) && id.ends_with(&format!(":{events_id}"));
    let covered = rollups.transactions.iter().find(|(id, _)| is_of_it(id));
    covered.and_then(|(_, version)| u64::try_from(*version).ok())
}
