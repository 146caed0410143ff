//! Refuses a pruning that looks like a mistake: by a clock that is wrong, or of most of the lake.

use crate::lake::{HourPartition, Lake, LakeError};
use crate::model::{Hour, Timestamp};

/// How far a clock may be beyond all events and files. Nothing comes into a lake for so long only if it is no
/// longer used.
const MAX_IDLE_DAYS: i64 = 7;
const DAY_MICROS: i64 = 86_400_000_000;

/// Checks what is to be removed at a moment, and of which hours.
///
/// # Errors
/// [`LakeError::ClockAhead`], [`LakeError::MostWouldExpire`], or the table cannot be read.
pub(super) fn check(lake: &Lake, oldest: Option<Hour>, now: Timestamp) -> Result<(), LakeError> {
    let newest = lake.events().newest()?;
    let (mut newest_event, mut rows, mut expiring) = (None, 0, 0);
    for file in newest.files()? {
        let bad = || LakeError::BadPartition { file: file.path.clone() };
        let hour = HourPartition::of(&file.partition).ok_or_else(bad)?.hour;
        newest_event = newest_event.max(Some(hour.plus(1).start()));
        rows += file.rows;
        if oldest.is_some_and(|oldest| hour < oldest) {
            expiring += file.rows;
        }
    }
    if let Some(newest) = newest_event.max(lake.newest_commit()?)
        && now.micros() - newest.micros() > MAX_IDLE_DAYS * DAY_MICROS
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
