//! Sealing: how an open segment becomes one that never changes again.
//!
//! Invariant: a file under a sealed name is durable, has all records that its name says, and nothing else.

use std::path::Path;

use crate::log::disk::{Disk, DiskFile};
use crate::log::error::LogError;
use crate::log::segment_name::SealedSegment;

/// Cuts an open segment at the end of its records, makes it durable, and gives it its sealed name.
pub(super) fn seal(
    disk: &dyn Disk,
    dir: &Path,
    file: &dyn DiskFile,
    sealed: &SealedSegment,
) -> Result<(), LogError> {
    let open = dir.join(sealed.name.open_file());
    let failed = |error| LogError::failed(&open, error);
    file.truncate(sealed.size_bytes).map_err(failed)?;
    // Before the rename: a sealed file has no torn end that reading would forgive.
    file.sync_all().map_err(failed)?;
    disk.rename(&open, &dir.join(sealed.file_name())).map_err(failed)?;
    // Before the next segment is begun, so that no more than one is ever open.
    disk.sync_dir(dir).map_err(|error| LogError::failed(dir, error))
}
