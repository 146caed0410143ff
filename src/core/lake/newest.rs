//! Finds the newest hour that has events, in the table's log.

use crate::delta::{NamedFile, Partition};
use crate::lake::error::LakeError;
use crate::lake::events::events_log;
use crate::lake::open::Lake;
use crate::lake::partition::{DayPartition, FilePartition};
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
        let wants = |values: &Partition| is_of(values, event_types, before, since);
        let days = since.unwrap_or(Date::MIN)..=before.date();
        let Some(state) = events_log(store).of_days(days).newest_with_statistics(&wants)? else { break };
        let newest = newest_of(state.files.iter(), before);
        if newest.is_some() || since.is_none() {
            return Ok(newest);
        }
    }
    // The log has an unexpected form: open the table.
    let lake = Lake::open(store.clone())?;
    let newest = lake.events().newest()?;
    let files = newest.files_of(&|values| is_of(values, event_types, before, None))?;
    Ok(newest_of(files.iter().map(|file| &**file), before))
}

fn newest_of<'a>(files: impl Iterator<Item = &'a NamedFile>, before: Hour) -> Option<Hour> {
    let newest = |file: &NamedFile| FilePartition::of(file)?.hours().filter(|hour| *hour < before).max();
    files.filter_map(newest).max()
}

/// Returns whether a partition is one of those searched for.
fn is_of(values: &Partition, event_types: &[String], before: Hour, since: Option<Date>) -> bool {
    DayPartition::of(values).is_some_and(|day| {
        let is_recent = since.is_none_or(|since| day.date >= since);
        day.date <= before.date() && is_recent && event_types.contains(&day.event_type)
    })
}
