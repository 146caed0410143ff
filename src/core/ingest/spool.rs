//! A folder into which others drop finished logs: which of them are finished, and where they go.
//!
//! ```text
//! <folder>/<log>          waits to be taken in
//! <folder>/done/<log>     was taken in
//! <folder>/failed/<log>   could not be read; why stands in the lake's rejects
//! ```
//!
//! Invariant: a file is moved only when all that it brought is committed. Where a run ends between
//! the two, the next one knows the file's batches again and moves it.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::ingest::{Input, Plan};
use crate::input_format::{Format, format_of_name};
use crate::model::Timestamp;
use crate::storage::{is_gone, move_to_folder};

/// Where files go that are in, and those that failed; no log is called so.
const DONE: &str = "done";
const FAILED: &str = "failed";
/// What the names of files end in that someone is still writing.
const UNFINISHED: [&str; 5] = [".tmp", ".part", ".partial", ".swp", "~"];

/// The folder.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
    /// How many files have changed too lately to be taken.
    pub unsettled: u64,
}

/// Where a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Done,
    Failed,
}

/// What has become of the folder's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spooled {
    pub done: u64,
    pub failed: u64,
    /// Files that changed too lately to be taken.
    pub unsettled: u64,
    /// Files that changed while they were read, and wait for the next run.
    pub changed: Vec<String>,
    /// Files that could not be moved, and why.
    pub unmoved: Vec<String>,
}

/// By what a change of a file is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    size_bytes: u64,
    modified: SystemTime,
}

/// Finds a folder's finished logs, in the byte order of their names.
pub fn plan_spool(folder: &Path, format: Option<Format>, now: Timestamp, settle_seconds: u64) -> Plan {
    let mut plan = Plan::default();
    let entries = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
    let mut paths = match entries {
        Ok(paths) => paths,
        Err(error) => {
            plan.fail(folder, &error);
            return plan;
        }
    };
    paths.sort_unstable();
    let mut spool = Spool { folder: folder.to_owned(), unsettled: 0 };
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // What leads nowhere is an input too: one that fails.
        let meta = std::fs::metadata(&path).ok();
        let changed = meta.clone().or_else(|| std::fs::symlink_metadata(&path).ok());
        if path.is_dir() || [DONE, FAILED].contains(&name.as_str()) {
            continue;
        } else if name.starts_with(['.', '_']) {
            plan.pass_over(&path, "it is hidden");
        } else if UNFINISHED.iter().any(|end| name.ends_with(end)) {
            plan.pass_over(&path, "its name says that it is not finished");
        } else if meta.as_ref().is_some_and(|meta| !meta.is_file()) {
            plan.pass_over(&path, "it is no file");
        } else if changed.is_some_and(|meta| !has_settled(&meta, now, settle_seconds)) {
            spool.unsettled += 1;
            plan.pass_over(&path, &format!("it changed less than {settle_seconds} s ago"));
        } else {
            let format = format.or_else(|| format_of_name(&path));
            plan.inputs.push(Input::spooled(path, format, meta.as_ref()));
        }
    }
    plan.spool = Some(spool);
    plan
}

/// Tells whether a file has not changed for so long; one from the future may be changing now.
fn has_settled(meta: &Metadata, now: Timestamp, settle_seconds: u64) -> bool {
    let Ok(modified) = meta.modified() else { return true };
    let since_1970 = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
    let settle_micros = u128::from(settle_seconds) * 1_000_000;
    settle_seconds == 0 || since_1970 + settle_micros <= u128::from(now.micros().max(0).unsigned_abs())
}

impl Stamp {
    pub(super) fn of(meta: &Metadata) -> Option<Stamp> {
        Some(Stamp { size_bytes: meta.len(), modified: meta.modified().ok()? })
    }

    /// Tells whether the file under a path is another than it was; one that is gone has not changed.
    pub(super) fn has_changed(was: Option<Stamp>, path: &Path) -> bool {
        let is = std::fs::metadata(path).ok().as_ref().and_then(Stamp::of);
        was != is && !is_gone(path)
    }
}

impl Spool {
    /// Moves a file to its place; tells whether it was still there to be moved.
    ///
    /// # Errors
    /// Says why it cannot be moved; it is then where it was.
    pub(super) fn put(&self, file: &Path, place: Place) -> Result<bool, String> {
        let name = match place {
            Place::Done => DONE,
            Place::Failed => FAILED,
        };
        let moved = move_to_folder(file, &self.folder.join(name));
        Ok(moved.map_err(|e| format!("{}: cannot be moved to {name}: {e}", file.display()))?.is_some())
    }
}
