//! Refuses a pruning that looks like a mistake: by a clock that is wrong, or of most of the lake.

use crate::lake::{FilePartition, Lake, LakeError};
use crate::model::{Hour, Timestamp};

/// How far a clock may be beyond all events and files. Nothing comes into a lake for so long only if it is no
/// longer used.
const MAX_IDLE_MICROS: i64 = 7 * 86_400_000_000;

/// Checks what is to be removed at a moment, and of which hours.
///
/// # Errors
/// [`LakeError::ClockAhead`], [`LakeError::MostWouldExpire`], or the table cannot be read.
pub(super) fn check(lake: &Lake, oldest: Option<Hour>, now: Timestamp) -> Result<(), LakeError> {
    let commits = lake.commit_times()?;
    let is_recent = |commit: &Timestamp| now.micros() - commit.micros() <= MAX_IDLE_MICROS;
    // A pause in what is committed is nothing unusual; events that expire need a better witness.
    let newest_commit = match oldest {
        Some(_) => newest_believed(&commits, now),
        None => commits.first().copied(),
    };
    // Most often nothing expires, and the files of all days need not be looked at.
    if newest_commit.is_some_and(|commit| is_recent(&commit)) && !has_any_before(lake, oldest)? {
        return Ok(());
    }
    let newest = lake.events().newest()?;
    let (mut newest_event, mut rows, mut expiring) = (None, 0, 0);
    for file in newest.files()? {
        let bad = || LakeError::BadPartition { file: file.path.clone() };
        let partition = FilePartition::of(&file).ok_or_else(bad)?;
        newest_event = newest_event.max(Some(partition.last().plus(1).start()));
        rows += file.rows;
        if oldest.is_some_and(|oldest| partition.day.date < oldest.date()) {
            expiring += file.rows;
        }
    }
    if let Some(newest) = newest_event.max(newest_commit)
        && !is_recent(&newest)
    {
        return Err(LakeError::ClockAhead { now, newest });
    }
    match oldest {
        Some(oldest) if expiring > rows / 2 => {
            Err(LakeError::MostWouldExpire { expiring, rows, oldest: oldest.start() })
        }
        _ => Ok(()),
    }
}

/// Returns whether there are events of days that end before `oldest`.
fn has_any_before(lake: &Lake, oldest: Option<Hour>) -> Result<bool, LakeError> {
    oldest.map_or(Ok(false), |oldest| Ok(!lake.plan_expire(oldest)?.hours.is_empty()))
}

/// Returns the time of the newest commit that says what the time is, of commits with the newest first. The clock
/// that is wrong now may have been wrong already when the last ones were made: those of the last days are no
/// witnesses if nothing was committed for days before them.
fn newest_believed(commits: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
    let mut later = now;
    for &time in commits {
        if now.micros() - time.micros() > MAX_IDLE_MICROS {
            let is_jump = later.micros() - time.micros() > MAX_IDLE_MICROS;
            return if is_jump { Some(time) } else { commits.first().copied() };
        }
        later = time.min(later);
    }
    // As far as the log reaches.
    commits.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_by_a_clock_that_jumped_are_no_witnesses() {
        let day = |day: i64| Timestamp::from_micros(day * 86_400_000_000).expect("a good moment");
        let check = |commits: &[i64], now: i64, expected: Option<i64>| {
            let commits: Vec<Timestamp> = commits.iter().copied().map(day).collect();
            assert_eq!(newest_believed(&commits, day(now)), expected.map(day), "{commits:?} at {now}");
        };
        check(&[], 20, None);
        check(&[20, 19, 18], 20, Some(20));
        check(&[20, 15, 10, 5], 20, Some(20));
        // The lake is no longer written to.
        check(&[20, 19, 18], 40, Some(20));
        // Two commits after the clock has jumped.
        check(&[4_001, 4_000, 20, 19, 18], 4_002, Some(20));
        check(&[30, 20, 19], 31, Some(20));
        // For a week it has been so.
        check(&[30, 27, 22, 10], 31, Some(30));
        // A new lake.
        check(&[20, 20], 20, Some(20));
    }
}
