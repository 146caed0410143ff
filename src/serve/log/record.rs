//! Records: how one is laid out in a segment, and how it is recognized there.
//!
//! All numbers are little-endian. A record begins at a multiple of 8 bytes and is padded with zeros to one:
//!
//! ```text
//!  0  u32  magic "tsRC"
//!  4  u32  length of the payload
//!  8  u64  sequence number, one more than that of the record before
//! 16  u64  sequence number of the first record of the same group
//! 24  i64  time, microseconds since 1970 in UTC
//! 32  u64  XXH3-64 of bytes 0 to 32, with the segment's seed
//! 40  u64  XXH3-64 of the payload with its padding, with the number at 32 as the seed
//! 48       payload, padding
//! ```
//!
//! The header has a checksum of its own so that a search for headers costs the same whatever payloads hold.
//!
//! Invariant: what verifies was written as a record of this very segment.

use twox_hash::XxHash3_64;

use crate::log::position::{Position, Site};
use crate::log::segment_id::SegmentId;

/// The bytes before the payload.
pub(super) const HEADER_BYTES: usize = 48;
/// Records begin at multiples of this.
pub(super) const ALIGNMENT: usize = 8;

const MAGIC: [u8; 4] = *b"tsRC";

/// A record, as `apply` and readers get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The site whose log holds it.
    pub site: &'a Site,
    /// The opening of the log that wrote it.
    pub incarnation: u32,
    /// Its number in the incarnation, from 1.
    pub sequence: u64,
    /// The time that it was appended with: microseconds since 1970 in UTC.
    pub time_micros: i64,
    /// The segment that it is in.
    pub segment: &'a SegmentId,
    /// What was appended.
    pub payload: &'a [u8],
}

impl Record<'_> {
    /// Returns the position, which names the record forever.
    pub fn position(&self) -> Position {
        Position { site: self.site.clone(), incarnation: self.incarnation, sequence: self.sequence }
    }
}

/// What precedes the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub payload_bytes: u32,
    pub sequence: u64,
    /// The sequence number of the first record of the same group.
    pub group: u64,
    pub time_micros: i64,
}

/// Returns the bytes that a record takes in a segment.
pub(super) fn encoded_bytes(payload_bytes: usize) -> usize {
    HEADER_BYTES + payload_bytes.next_multiple_of(ALIGNMENT)
}

/// Appends a record to a buffer whose length is a multiple of 8.
pub(super) fn encode(buffer: &mut Vec<u8>, seed: u64, header: &RecordHeader, payload: &[u8]) {
    let start = buffer.len();
    buffer.extend_from_slice(&MAGIC);
    buffer.extend_from_slice(&header.payload_bytes.to_le_bytes());
    buffer.extend_from_slice(&header.sequence.to_le_bytes());
    buffer.extend_from_slice(&header.group.to_le_bytes());
    buffer.extend_from_slice(&header.time_micros.to_le_bytes());
    let of_header = XxHash3_64::oneshot_with_seed(seed, &buffer[start..]);
    buffer.extend_from_slice(&of_header.to_le_bytes());
    buffer.extend_from_slice(&[0; 8]);
    buffer.extend_from_slice(payload);
    buffer.resize(start + encoded_bytes(payload.len()), 0);
    let of_payload = XxHash3_64::oneshot_with_seed(of_header, &buffer[start + HEADER_BYTES..]);
    buffer[start + 40..start + 48].copy_from_slice(&of_payload.to_le_bytes());
}

/// Returns the header of a record that begins here, whether or not its payload is intact.
pub(super) fn verified_header(bytes: &[u8], seed: u64) -> Option<RecordHeader> {
    let is_intact = bytes.len() >= HEADER_BYTES
        && bytes[..4] == MAGIC
        && u64_at(bytes, 32) == XxHash3_64::oneshot_with_seed(seed, &bytes[..32]);
    is_intact.then(|| header(bytes))
}

/// Returns a record that begins here and is intact, and its payload.
pub(super) fn verified(bytes: &[u8], seed: u64) -> Option<(RecordHeader, &[u8])> {
    let header = verified_header(bytes, seed)?;
    let payload_bytes = usize::try_from(header.payload_bytes).ok()?;
    let padded = bytes.get(HEADER_BYTES..encoded_bytes(payload_bytes))?;
    let is_intact = u64_at(bytes, 40) == XxHash3_64::oneshot_with_seed(u64_at(bytes, 32), padded);
    is_intact.then(|| (header, &padded[..payload_bytes]))
}

/// Returns the record that begins here, without verifying it.
pub(super) fn unverified(bytes: &[u8]) -> (RecordHeader, &[u8]) {
    let header = header(bytes);
    (header, &bytes[HEADER_BYTES..HEADER_BYTES + header.payload_bytes as usize])
}

fn header(bytes: &[u8]) -> RecordHeader {
    RecordHeader {
        payload_bytes: u32::from_le_bytes(bytes[4..8].try_into().expect("four bytes")),
        sequence: u64_at(bytes, 8),
        group: u64_at(bytes, 16),
        time_micros: u64_at(bytes, 24).cast_signed(),
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
