//! The list of what was set aside because it is damaged.
//!
//! ```text
//! quarantine/list.ndjson     a line for each damaged or missing file
//! ```
//!
//! Invariant: a file is in the list, also after a power failure, before it is gone from its own folder; one that is
//! set aside twice, since the first run was killed, is in it twice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::storage::{QUARANTINE, Store, StoreError};

const LIST: &str = "list.ndjson";

/// A damaged or missing file, and what it had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// When it was set aside, RFC 3339.
    pub time: String,
    /// Its path below the lake.
    pub file: String,
    /// Its path in the quarantine; none where it was missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
    pub reason: String,
    /// Of a file of events: its partition, and how many rows the table's log says that it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// What is in the quarantine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuarantineStats {
    pub files: u64,
    pub size_bytes: u64,
    /// Rows of events that were lost with them.
    pub event_rows: u64,
}

/// Adds a file to the list of what was set aside; it is in the list after a power failure, too.
///
/// # Errors
/// Fails where the disk does.
pub fn note_quarantined(store: &Store, now: Timestamp, file: &Quarantined) -> Result<(), StoreError> {
    let line = Quarantined { time: now.to_string(), ..file.clone() };
    // Texts and numbers alone cannot fail to be JSON.
    let mut line = serde_json::to_vec(&line).expect("it is plain texts and numbers");
    line.push(b'\n');
    store.append_durably(&format!("{QUARANTINE}/{LIST}"), &line)
}

/// Returns what is in the quarantine.
///
/// # Errors
/// Fails where the disk does.
pub fn quarantine_stats(store: &Store) -> Result<QuarantineStats, StoreError> {
    let list = format!("{QUARANTINE}/{LIST}");
    let mut stats = QuarantineStats::default();
    for file in store.files(QUARANTINE)?.into_iter().filter(|file| file.path != list) {
        stats.files += 1;
        stats.size_bytes += file.size_bytes;
    }
    let text = match store.get(&list) {
        Err(error) if error.is_not_found() => return Ok(stats),
        text => text?,
    };
    let lines =
        text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Quarantined>(line).ok());
    let rows: BTreeMap<String, u64> = lines.map(|line| (line.file, line.rows.unwrap_or(0))).collect();
    stats.event_rows = rows.values().sum();
    Ok(stats)
}
