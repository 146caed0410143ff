//! What a lake is told once for all who work on it: `topsell.toml` in its folder.
//!
//! ```toml
//! retention = "400d"    # days before this are refused and dropped; everything stays unless said
//! ```
//!
//! The file may set other things, for those who call the lake; `cli` knows them all, and refuses what
//! it does not know.

use serde::Deserialize;

use crate::lake::{Lake, LakeError};
use crate::model::{Hour, Timestamp, parse_hours};

/// The file's name below the lake.
pub const SETTINGS_FILE: &str = "topsell.toml";

/// A lake's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LakeSettings {
    /// How many hours are kept; all of them where none.
    pub retention_hours: Option<u32>,
}

#[derive(Deserialize)]
struct Written {
    retention: Option<String>,
}

impl LakeSettings {
    /// Returns the oldest hour that is kept, always a midnight; none where all are.
    ///
    /// Which version of an event counts is settled over its day, so a day stays whole or goes whole:
    /// without its first hours, a version in the others could begin to count.
    pub fn oldest_kept(&self, now: Timestamp) -> Option<Hour> {
        let hours = i32::try_from(self.retention_hours?).unwrap_or(i32::MAX);
        Some(Hour::of(now.hour().plus(-hours).date(), 0))
    }
}

impl Lake {
    /// Reads the lake's settings; the defaults where nothing is written.
    ///
    /// # Errors
    /// Names the file and says what is wrong with it.
    pub fn settings(&self) -> Result<LakeSettings, LakeError> {
        let bytes = match self.store().get(SETTINGS_FILE) {
            Err(error) if error.is_not_found() => return Ok(LakeSettings::default()),
            bytes => bytes?,
        };
        let bad = |what: String| {
            let file = self.store().root().join(SETTINGS_FILE).display().to_string();
            LakeError::BadSettings { file, what: what.trim_end().to_owned() }
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| bad("it is not UTF-8".to_owned()))?;
        let written: Written = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
        let hours = |text: &String| parse_hours(text).map_err(|error| bad(format!("retention: {error}")));
        Ok(LakeSettings { retention_hours: written.retention.as_ref().map(hours).transpose()? })
    }
}
