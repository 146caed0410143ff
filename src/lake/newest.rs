//! The newest hour that has events, as the table's log tells.

use crate::lake::{HourPartition, Lake, LakeError};
use crate::time::Hour;

impl Lake {
    /// Returns the newest hour before another that has events of some types; none where there are none.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn newest_hour(&self, event_types: &[String], before: Hour) -> Result<Option<Hour>, LakeError> {
        let newest = self.events().newest()?;
        let files = newest.files_of(&|values| {
            values.get("event_type").and_then(Option::as_ref).is_some_and(|name| event_types.contains(name))
        })?;
        let hours = files.iter().filter_map(|file| HourPartition::of(&file.partition)).map(|of| of.hour);
        Ok(hours.filter(|hour| *hour < before).max())
    }
}
