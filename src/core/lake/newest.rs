//! The newest hour that has events, as the table's log tells.

use crate::delta::Partition;
use crate::lake::{HourPartition, Lake, LakeError, events_log};
use crate::model::{Date, Hour};
use crate::storage::Store;

/// How many days before the day that is asked about are looked at first.
const LAST_DAYS: i32 = 2;

/// Returns the newest hour before another that has events of some types; none where there are none.
///
/// # Errors
/// Fails where there is no lake, or the table's log cannot be read.
pub fn newest_hour(store: &Store, event_types: &[String], before: Hour) -> Result<Option<Hour>, LakeError> {
    let recent = Date::new(before.date().number() - LAST_DAYS);
    // Mostly a few of the newest files tell, and the others need not be taken out of the log.
    for since in [Some(recent), None] {
        let wants = |values: &Partition| hour_of(values, event_types, before, since).is_some();
        let Some(state) = events_log(store).newest(&wants)? else { break };
        let hours =
            state.files.iter().filter_map(|file| hour_of(&file.partition, event_types, before, since));
        if let Some(newest) = hours.max() {
            return Ok(Some(newest));
        }
        if since.is_none() {
            return Ok(None);
        }
    }
    // A log that others have written to is for who opens the table to judge.
    let lake = Lake::open(store.clone())?;
    let newest = lake.events().newest()?;
    let files = newest.files_of(&|values| hour_of(values, event_types, before, None).is_some())?;
    Ok(files.iter().filter_map(|file| hour_of(&file.partition, event_types, before, None)).max())
}

/// Returns the hour of a partition, if it is one of those that are looked for.
fn hour_of(values: &Partition, event_types: &[String], before: Hour, since: Option<Date>) -> Option<Hour> {
    let HourPartition { event_type, hour, .. } = HourPartition::of(values)?;
    let is_recent = since.is_none_or(|since| hour.date() >= since);
    (hour < before && is_recent && event_types.contains(&event_type)).then_some(hour)
}
