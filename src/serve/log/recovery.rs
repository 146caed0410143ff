//! Reading the log back.
//!
//! Invariant: every record that was handed to `apply` is durable before the log is open, and a log that is
//! damaged is left as it was.

use std::io;
use std::path::{Path, PathBuf};

use crate::log::disk::Disk;
use crate::log::error::{Damage, Follows, LogError};
use crate::log::position::Site;
use crate::log::record::Record;
use crate::log::seal::seal;
use crate::log::segment::Segment;
use crate::log::segment_name::{NEW, SealedSegment, SegmentFile, is_segment};

/// The file that holds the last incarnation.
pub(super) const INCARNATION: &str = "incarnation";

/// What opening a log has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The incarnation that begins: one more than the highest seen.
    pub incarnation: u32,
    /// The number of records read back.
    pub records: u64,
    /// What was cut from the newest segment; none where the log was closed, or crashed between two writes.
    pub cut: Option<Cut>,
}

/// The remains of a torn write, which nobody was told was durable, were removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment's file, by its name at that time.
    pub path: PathBuf,
    /// Where in the file.
    pub offset: u64,
    /// The number of bytes up to the last that was not zero.
    pub bytes: u64,
}

/// What the folder of a log held.
pub(super) struct Found {
    pub sealed: Vec<SealedSegment>,
    /// The last record.
    pub last: Follows,
    pub recovered: Recovered,
}

/// Reads all segments, seals the one that was open, and calls `apply` with each record.
pub(super) fn recover(
    disk: &dyn Disk,
    dir: &Path,
    site: &Site,
    mut apply: impl FnMut(Record<'_>),
) -> Result<Found, LogError> {
    let names = disk.list(dir).map_err(|error| LogError::io(dir, error))?;
    let files = segment_files(dir, site, &names)?;
    let mut highest = saved_incarnation(disk, dir)?;
    let (mut sealed, mut last, mut records, mut cut) = (Vec::new(), Follows::NOTHING, 0, None);
    for (at, file) in files.iter().enumerate() {
        let path = dir.join(file.file_name());
        let damaged = |damage| LogError::Damaged { path: path.clone(), offset: 0, damage };
        if file.last.is_none() && at + 1 < files.len() {
            return Err(damaged(Damage::OpenBeforeOthers));
        }
        let segment = Segment::read(disk, dir, file)?;
        // What the oldest one follows may have been deleted.
        if at > 0 && segment.follows() != last {
            return Err(damaged(Damage::MissingSegment { expected: segment.follows(), found: last }));
        }
        if file.last.is_none() {
            let bytes = segment.torn_bytes() as u64;
            cut = (bytes > 0).then(|| Cut { path: path.clone(), offset: segment.end() as u64, bytes });
            finish(disk, dir, &segment)?;
        }
        segment.records().for_each(&mut apply);
        highest = highest.max(file.name.incarnation);
        if segment.last() >= file.name.first {
            last = Follows { incarnation: file.name.incarnation, sequence: segment.last() };
            records += segment.last() - file.name.first + 1;
            sealed.push(as_sealed(&segment));
        }
    }
    remove_unfinished(disk, dir, &names)?;
    Ok(Found { sealed, last, recovered: Recovered { incarnation: highest + 1, records, cut } })
}

/// Makes the records of an open segment durable and seals it; one without records is removed.
fn finish(disk: &dyn Disk, dir: &Path, segment: &Segment) -> Result<(), LogError> {
    let path = dir.join(segment.name().open_file());
    let failed = |error| LogError::io(&path, error);
    if segment.last() < segment.name().first {
        disk.remove(&path).map_err(failed)?;
        return disk.sync_dir(dir).map_err(|error| LogError::io(dir, error));
    }
    let file = disk.open(&path).map_err(failed)?;
    // If the sync of this group failed, its pages are in memory, not on the disk, and no longer dirty: a sync
    // alone would succeed and do nothing. The groups before it were synced.
    let (at, group) = segment.last_group();
    file.write_at(group, at).map_err(failed)?;
    seal(disk, dir, file.as_ref(), &as_sealed(segment))
}

fn as_sealed(segment: &Segment) -> SealedSegment {
    SealedSegment { name: segment.name().clone(), last: segment.last(), size_bytes: segment.end() as u64 }
}

/// Returns the segments in the order of their records.
fn segment_files(dir: &Path, site: &Site, names: &[String]) -> Result<Vec<SegmentFile>, LogError> {
    let mut files = Vec::new();
    for name in names.iter().filter(|name| is_segment(name)) {
        let path = dir.join(name);
        let Some(file) = SegmentFile::parse(name) else {
            return Err(LogError::Damaged { path, offset: 0, damage: Damage::Name });
        };
        if file.name.site != *site {
            let (found, expected) = (file.name.site.to_string(), site.to_string());
            return Err(LogError::OtherSite { path, found, expected });
        }
        files.push(file);
    }
    files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Returns the incarnation of the last opening; 0 where there was none.
fn saved_incarnation(disk: &dyn Disk, dir: &Path) -> Result<u32, LogError> {
    let path = dir.join(INCARNATION);
    match disk.read(&path) {
        Ok(bytes) => std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.trim_end().parse().ok())
            .ok_or(LogError::Damaged { path, offset: 0, damage: Damage::Incarnation }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(LogError::io(path, error)),
    }
}

/// Removes files that were being prepared when the log ended. They may take space that the log needs.
fn remove_unfinished(disk: &dyn Disk, dir: &Path, names: &[String]) -> Result<(), LogError> {
    for name in names.iter().filter(|name| name.ends_with(NEW)) {
        let path = dir.join(name);
        disk.remove(&path).map_err(|error| LogError::io(path, error))?;
    }
    Ok(())
}
