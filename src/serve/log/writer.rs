//! Writing groups of records, and the segments that they go to.
//!
//! Invariant: what [`Writer::write`] has returned for is durable, and no group is written before the one before
//! it is. After an error other than [`LogError::Full`] nothing more may be written.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;

use crate::log::disk::{Disk, DiskFile, replace_file};
use crate::log::error::{Follows, LogError};
use crate::log::position::Site;
use crate::log::record::{RecordHeader, encode, encoded_bytes};
use crate::log::recovery::{Found, INCARNATION};
use crate::log::seal::seal;
use crate::log::segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::log::segment_id::SegmentId;
use crate::log::segment_name::{SealedSegment, SegmentName};

/// The list of sealed segments, the oldest first. The writer adds to it, deletion takes from it.
pub(super) type SealedList = Arc<Mutex<Vec<SealedSegment>>>;

/// When a segment is complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct SealPolicy {
    pub segment_bytes: u64,
    pub segment_age_micros: u64,
}

/// Writes to the log in a folder. It has no thread and no lock: whoever owns it is the only writer.
pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    site: Site,
    policy: SealPolicy,
    incarnation: u32,
    is_incarnation_saved: bool,
    next: u64,
    /// The last record of the log, to which the next segment is linked.
    last: Follows,
    active: Option<Active>,
    sealed: SealedList,
    buffer: Vec<u8>,
}

/// The segment that is being written.
struct Active {
    name: SegmentName,
    id: SegmentId,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    seed: u64,
    opened_at_micros: i64,
    capacity: u64,
    end: u64,
}

impl Writer {
    /// Continues the log of a folder.
    ///
    /// # Errors
    /// Fails where the incarnation cannot be saved, unless that is because the disk is full: it is saved with
    /// the first segment then.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        dir: &Path,
        site: Site,
        policy: SealPolicy,
        found: Found,
    ) -> Result<Writer, LogError> {
        let mut writer = Writer {
            disk,
            dir: dir.to_owned(),
            site,
            policy,
            incarnation: found.recovered.incarnation,
            is_incarnation_saved: false,
            next: 1,
            last: found.last,
            active: None,
            sealed: Arc::new(Mutex::new(found.sealed)),
            buffer: Vec::new(),
        };
        match writer.save_incarnation() {
            Ok(()) | Err(LogError::Full { .. }) => Ok(writer),
            Err(error) => Err(error),
        }
    }

    pub(super) fn incarnation(&self) -> u32 {
        self.incarnation
    }

    pub(super) fn sealed(&self) -> SealedList {
        Arc::clone(&self.sealed)
    }

    /// Returns the segment that was written to last, unless it is sealed.
    pub(super) fn segment(&self) -> Option<&SegmentId> {
        self.active.as_ref().map(|active| &active.id)
    }

    /// Makes the first of some records durable, as many as there is space for in one segment and at least one,
    /// and returns their sequence numbers. Each record is a time and a payload.
    pub(super) fn write<'a>(
        &mut self,
        records: impl Iterator<Item = (i64, &'a [u8])>,
    ) -> Result<Range<u64>, LogError> {
        let mut records = records.peekable();
        let first = self.next;
        let Some(&(now_micros, payload)) = records.peek() else { return Ok(first..first) };
        let least = encoded_bytes(payload.len()) as u64;
        if self.active.as_ref().is_some_and(|active| active.end + least > active.capacity) {
            self.seal()?;
        }
        let mut active = match self.active.take() {
            Some(active) => active,
            None => self.begin_segment(now_micros, least)?,
        };
        let space = active.capacity - active.end;
        self.buffer.clear();
        let fits =
            |buffer: &Vec<u8>, payload: &[u8]| (buffer.len() + encoded_bytes(payload.len())) as u64 <= space;
        while let Some((time_micros, payload)) = records.next_if(|(_, payload)| fits(&self.buffer, payload)) {
            let payload_bytes = u32::try_from(payload.len()).expect("the queue refuses larger ones");
            let header = RecordHeader { payload_bytes, sequence: self.next, group: first, time_micros };
            encode(&mut self.buffer, active.seed, &header, payload);
            self.next += 1;
        }
        let failed = |error| LogError::failed(&active.path, error);
        active.file.write_at(&self.buffer, active.end).map_err(failed)?;
        active.file.sync_data().map_err(failed)?;
        active.end += self.buffer.len() as u64;
        self.last = Follows { incarnation: self.incarnation, sequence: self.next - 1 };
        self.active = Some(active);
        Ok(first..self.next)
    }

    /// Seals the current segment if it is old enough or full. A clock that was set back counts as well, or
    /// nothing would be sealed until it has caught up.
    pub(super) fn tick(&mut self, now_micros: i64) -> Result<Option<SealedSegment>, LogError> {
        let is_due = self.active.as_ref().is_some_and(|active| {
            active.end >= self.policy.segment_bytes
                || now_micros.abs_diff(active.opened_at_micros) >= self.policy.segment_age_micros
        });
        if is_due { self.seal() } else { Ok(None) }
    }

    /// Seals the current segment; none where nothing was written since the last.
    pub(super) fn seal(&mut self) -> Result<Option<SealedSegment>, LogError> {
        let Some(active) = self.active.take() else { return Ok(None) };
        let sealed = SealedSegment { name: active.name, last: self.next - 1, size_bytes: active.end };
        seal(self.disk.as_ref(), &self.dir, active.file.as_ref(), &sealed)?;
        self.sealed.lock().expect("nothing panics while it holds the list").push(sealed.clone());
        Ok(Some(sealed))
    }

    /// Prepares a segment under another name and renames it, so that one that is found has a whole header.
    fn begin_segment(&mut self, now_micros: i64, least: u64) -> Result<Active, LogError> {
        self.save_incarnation()?;
        let name = SegmentName { site: self.site.clone(), incarnation: self.incarnation, first: self.next };
        let header = SegmentHeader {
            name: name.clone(),
            opened_at_micros: now_micros,
            salt: random(),
            follows: self.last,
        };
        let capacity = self.policy.segment_bytes.max(SEGMENT_HEADER_BYTES as u64 + least);
        let new = self.dir.join(name.new_file());
        let path = self.dir.join(name.open_file());
        let prepare = || -> io::Result<Box<dyn DiskFile>> {
            let file = self.disk.create(&new)?;
            file.preallocate(capacity)?;
            file.write_at(&header.encode(), 0)?;
            file.sync_all()?;
            self.disk.rename(&new, &path)?;
            Ok(file)
        };
        let file = prepare().map_err(|error| {
            // For the space. If it stays, the next attempt begins with an empty file nevertheless.
            let _ = self.disk.remove(&new);
            LogError::full_or_failed(&new, error)
        })?;
        self.disk.sync_dir(&self.dir).map_err(|error| LogError::failed(&self.dir, error))?;
        let end = SEGMENT_HEADER_BYTES as u64;
        Ok(Active {
            id: header.id(),
            name,
            path,
            file,
            seed: header.seed(),
            opened_at_micros: now_micros,
            capacity,
            end,
        })
    }

    fn save_incarnation(&mut self) -> Result<(), LogError> {
        if !self.is_incarnation_saved {
            let text = format!("{}\n", self.incarnation);
            replace_file(self.disk.as_ref(), &self.dir, INCARNATION, text.as_bytes())
                .map_err(|error| LogError::full_or_failed(self.dir.join(INCARNATION), error))?;
            self.is_incarnation_saved = true;
        }
        Ok(())
    }
}

/// Returns a number that nobody can guess, from the keys that the standard library draws for its hash maps.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
