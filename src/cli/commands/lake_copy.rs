//! `topsell lake copy`.

use std::path::Path;

use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use topsell_core::maintenance::{CopyError, LakeCopy, copy_lake};
use topsell_core::storage::Store;
use topsell_output::text::{counted, size};

/// Copies a lake.
///
/// # Errors
/// Fails where there is no lake, or something else at its new place, and where a file cannot be copied.
pub fn run(settings: &Settings, from: &Path, to: &Path) -> Result<Exit, Failure> {
    settings.use_threads()?;
    let open = |place: &Path| Store::open(place).map_err(|e| Failure::usage(e.to_string()));
    let copied = copy_lake(&open(from)?, &open(to)?).map_err(|error| match error {
        CopyError::Lake(error) => Failure::from(error),
        error => Failure::runtime(error.to_string()),
    })?;
    let LakeCopy { files, size_bytes, present_files } = copied;
    let mut text = format!("copy: {} copied, {}", counted(files, "file", "files"), size(size_bytes));
    if present_files > 0 {
        text.push_str(&format!("; {} copied before", counted(present_files, "file", "files")));
    }
    settings.note(&text);
    Ok(Exit::Success)
}
