//! A lake's own settings: `topsell.toml` in its folder.
//!
//! ```toml
//! retention = "400d"    # older days are rejected and expire [default: none]
//! ```
//!
//! The file may hold settings of commands too; `cli` knows them all, and refuses unknown ones.

use serde::Deserialize;

use crate::lake::error::LakeError;
use crate::lake::layout::SETTINGS_FILE;
use crate::lake::open::Lake;
use crate::model::{Hour, Timestamp, parse_hours};

/// A lake's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LakeSettings {
    /// How many hours are kept; none keeps all.
    pub retention_hours: Option<u32>,
}

#[derive(Deserialize)]
struct Written {
    retention: Option<String>,
}

impl LakeSettings {
    /// Returns the oldest hour that is kept, always a midnight; none where all are.
    ///
    /// Events are deduplicated within a day, so a day is kept or expires as a whole: without its first
    /// hours, another version of an event could begin to count.
    pub fn oldest_kept(&self, now: Timestamp) -> Option<Hour> {
        let hours = i32::try_from(self.retention_hours?).unwrap_or(i32::MAX);
        Some(Hour::of(now.hour().plus(-hours).date(), 0))
    }
}

impl Lake {
    /// Reads the lake's settings; the defaults where there is no file.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn settings(&self) -> Result<LakeSettings, LakeError> {
        let bytes = match self.store().get(SETTINGS_FILE) {
            Err(error) if error.is_not_found() => return Ok(LakeSettings::default()),
            bytes => bytes?,
        };
        let bad = |what: String| {
            let file = self.store().location_of(SETTINGS_FILE);
            LakeError::BadSettings { file, what: what.trim_end().to_owned() }
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| bad("it is not UTF-8".to_owned()))?;
        let written: Written = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
        let hours = |text: &String| parse_hours(text).map_err(|error| bad(format!("retention: {error}")));
        Ok(LakeSettings { retention_hours: written.retention.as_ref().map(hours).transpose()? })
    }
}
