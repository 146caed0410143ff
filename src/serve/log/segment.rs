//! A segment that was read: its records, and where they end.
//!
//! Invariant: every record that a [`Segment`] hands out was verified, and their numbers have no gap.

use std::path::Path;

use crate::log::disk::Disk;
use crate::log::error::{Damage, Follows, LogError};
use crate::log::record::{ALIGNMENT, Record, encoded_bytes, unverified, verified, verified_header};
use crate::log::segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::log::segment_id::SegmentId;
use crate::log::segment_name::{SegmentFile, SegmentName};

/// The records of a segment.
#[derive(Debug)]
pub struct Segment {
    name: SegmentName,
    id: SegmentId,
    follows: Follows,
    bytes: Vec<u8>,
    end: usize,
    last: u64,
    last_group_at: usize,
}

impl Segment {
    /// Reads and verifies a segment's file.
    pub(super) fn read(disk: &dyn Disk, dir: &Path, file: &SegmentFile) -> Result<Segment, LogError> {
        let path = dir.join(file.file_name());
        let bytes = disk.read(&path).map_err(|error| LogError::io(&path, error))?;
        Segment::parse(bytes, file).map_err(|(offset, damage)| LogError::Damaged {
            path,
            offset: offset as u64,
            damage,
        })
    }

    /// Verifies a segment; an error says where it is damaged.
    fn parse(bytes: Vec<u8>, file: &SegmentFile) -> Result<Segment, (usize, Damage)> {
        let header = SegmentHeader::decode(&bytes, &file.name).ok_or((0, Damage::Header))?;
        let seed = header.seed();
        let (mut end, mut next) = (SEGMENT_HEADER_BYTES, file.name.first);
        let (mut last_group, mut last_group_at) = (0, end);
        while let Some((record, payload)) = verified(&bytes[end..], seed) {
            if record.sequence != next {
                return Err((end, Damage::Sequence { expected: next, found: record.sequence }));
            }
            if record.group != last_group {
                (last_group, last_group_at) = (record.group, end);
            }
            end += encoded_bytes(payload.len());
            next += 1;
        }
        match file.last {
            Some(_) if end < bytes.len() => return Err((end, Damage::Record { sequence: next })),
            Some(expected) if next - 1 != expected => {
                return Err((end, Damage::LastRecord { expected, found: next - 1 }));
            }
            Some(_) => {}
            None => check_torn(&bytes, end, seed, next)?,
        }
        let name = file.name.clone();
        Ok(Segment {
            name,
            id: header.id(),
            follows: header.follows,
            bytes,
            end,
            last: next - 1,
            last_group_at,
        })
    }

    /// Returns the name.
    pub fn name(&self) -> &SegmentName {
        &self.name
    }

    /// Returns the identity.
    pub fn id(&self) -> &SegmentId {
        &self.id
    }

    /// Returns the records in their order.
    pub fn records(&self) -> Records<'_> {
        Records { segment: self, at: SEGMENT_HEADER_BYTES }
    }

    /// Returns the sequence number of the last record: one less than the first where there is none.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Returns the last record before the segment.
    pub(super) fn follows(&self) -> Follows {
        self.follows
    }

    /// Returns where the records end.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Returns where the last group begins, and its bytes.
    pub(super) fn last_group(&self) -> (u64, &[u8]) {
        (self.last_group_at as u64, &self.bytes[self.last_group_at..self.end])
    }

    /// Returns the bytes from the end of the records to the last byte that is not zero.
    pub(super) fn torn_bytes(&self) -> usize {
        let rest = &self.bytes[self.end..];
        rest.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)
    }
}

/// Checks that what follows the last intact record of an open segment can be the remains of a torn write.
///
/// A group is written after the sync of the one before it. So a header of a group that begins after the
/// missing record proves that the missing record was durable once, and is damaged now. A header of the
/// missing record's own group proves nothing: the parts of one write reach the disk in any order. The header
/// is proof enough, because the later write may be torn itself.
fn check_torn(bytes: &[u8], end: usize, seed: u64, missing: u64) -> Result<(), (usize, Damage)> {
    for at in (end..bytes.len()).step_by(ALIGNMENT) {
        match verified_header(&bytes[at..], seed) {
            Some(later) if later.group > missing => {
                let damage = Damage::BeforeLaterWrite { sequence: missing, later: later.sequence };
                return Err((end, damage));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The records of a segment, in their order.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    segment: &'a Segment,
    at: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let Segment { name, id, bytes, end, .. } = self.segment;
        if self.at >= *end {
            return None;
        }
        let (header, payload) = unverified(&bytes[self.at..]);
        self.at += encoded_bytes(payload.len());
        Some(Record {
            site: &name.site,
            incarnation: name.incarnation,
            sequence: header.sequence,
            time_micros: header.time_micros,
            segment: id,
            payload,
        })
    }
}
