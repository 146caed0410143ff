//! Finds the newest hour that has events, in the table's log.

use crate::delta::Partition;
use crate::lake::error::LakeError;
use crate::lake::events::events_log;
use crate::lake::open::Lake;
use crate::lake::partition::HourPartition;
use crate::model::{Date, Hour};
use crate::storage::Store;

/// How many days before the given hour are searched first.
const LAST_DAYS: i32 = 2;

/// Returns the newest hour before another that has events of some types; none where there are none.
///
/// # Errors
/// Fails where there is no lake, or the table's log cannot be read.
pub fn newest_hour(store: &Store, event_types: &[String], before: Hour) -> Result<Option<Hour>, LakeError> {
    let recent = Date::new(before.date().number() - LAST_DAYS);
    // Mostly a few of the newest files suffice, and the others need not be decoded.
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
    // The log has an unexpected form: open the table.
    let lake = Lake::open(store.clone())?;
    let newest = lake.events().newest()?;
    let files = newest.files_of(&|values| hour_of(values, event_types, before, None).is_some())?;
    Ok(files.iter().filter_map(|file| hour_of(&file.partition, event_types, before, None)).max())
}

/// Returns the hour of a partition, if it is one of those searched for.
fn hour_of(values: &Partition, event_types: &[String], before: Hour, since: Option<Date>) -> Option<Hour> {
    let HourPartition { event_type, hour, .. } = HourPartition::of(values)?;
    let is_recent = since.is_none_or(|since| hour.date() >= since);
    (hour < before && is_recent && event_types.contains(&event_type)).then_some(hour)
}
