//! A spool folder, and where its files go after they were ingested.
//!
//! ```text
//! <folder>/<log>          waits to be ingested
//! <folder>/done/<log>     was ingested
//! <folder>/failed/<log>   could not be read; the reason is in the lake's rejects
//! ```
//!
//! Invariant: a file is moved only after all of its batches are committed. Where a run ends between
//! the two, the next one finds the batches already ingested and moves the file. Whoever can write to the
//! folder can have nothing read or moved that is not a regular file in it: see
//! [`Directory`](crate::storage::Directory).

use crate::ingest::input::Input;

/// The folder.
#[derive(Clone, Debug)]
pub struct Spool {
    /// Number of files that were modified too recently to be ingested.
    pub too_recent: u64,
}

/// Where a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    Done,
    Failed,
}

impl Destination {
    /// The names of the destination folders.
    pub(super) const NAMES: [&str; 2] = ["done", "failed"];

    fn name(self) -> &'static str {
        match self {
            Destination::Done => Destination::NAMES[0],
            Destination::Failed => Destination::NAMES[1],
        }
    }

    /// Moves a file here, and returns whether it still existed.
    ///
    /// # Errors
    /// Returns why the file cannot be moved; it then stays where it was.
    pub(super) fn receive(self, input: &Input) -> Result<bool, String> {
        let name = self.name();
        input.move_to(name).map_err(|e| format!("{}: cannot be moved to {name}: {e}", input.name))
    }
}
