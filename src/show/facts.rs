//! What an answer says of the ranking it is from.

use crate::columns::RankedRow;
use crate::show::text::age;
use crate::snapshot::Snapshot;
use crate::time::Timestamp;

/// Returns when a ranking was taken, and how old it is.
pub(super) fn taken(snapshot: &Snapshot, now: Timestamp) -> String {
    let text = format!("as of {}", snapshot.as_of);
    match age_seconds(snapshot, now) {
        Some(seconds @ 60..) => format!("{text} ({} old)", age(seconds)),
        _ => text,
    }
}

/// Returns how long ago a ranking was taken; nothing of one that is yet to come.
pub(super) fn age_seconds(snapshot: &Snapshot, now: Timestamp) -> Option<i64> {
    let as_of = Timestamp::parse(&snapshot.as_of).ok()?;
    Some(now.micros().saturating_sub(as_of.micros()) / 1_000_000).filter(|seconds| *seconds >= 0)
}

/// Returns which hours a category's ranking covers.
pub(super) fn covered(row: &RankedRow<'_>) -> String {
    let hours = hours(row);
    format!("{hours} {} from {}", if hours == 1 { "hour" } else { "hours" }, row.window_from)
}

/// Returns how many hours a category's ranking covers.
pub(super) fn hours(row: &RankedRow<'_>) -> i64 {
    i64::from(row.window_to.hour().number()) - i64::from(row.window_from.hour().number())
}

/// Returns how fast sales fade.
pub(super) fn decay(snapshot: &Snapshot) -> String {
    snapshot.half_life_hours.map_or("no decay".to_owned(), |hours| format!("half-life {hours} h"))
}
