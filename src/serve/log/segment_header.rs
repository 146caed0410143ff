//! The header of a segment.
//!
//! All numbers are little-endian; the records follow at byte 128, and zeros follow them until the segment is
//! sealed:
//!
//! ```text
//!   0  [u8; 8]   magic "topslog\n"
//!   8  u32       version, 1
//!  12  u32       incarnation
//!  16  u64       sequence number of the first record
//!  24  i64       opened at, microseconds since 1970 in UTC
//!  32  u64       salt, random
//!  40  u64       sequence number of the last record before, 0 for none
//!  48  u32       incarnation of the last record before, 0 for none
//!  52  u32       length of the site's name
//!  56  [u8; 64]  the site's name, padded with zeros
//! 120  u64       XXH3-64 of bytes 0 to 120
//! ```
//!
//! The checksums of records have a seed that is made of site, incarnation, first sequence number and salt.
//! So bytes of an older segment in a block that is used again never verify, and nobody who chooses a payload
//! can put something into it that looks like a record.
//!
//! Invariant: a file under the name of a segment has a whole header, because it is renamed to it after the
//! header was synced.

use twox_hash::XxHash3_64;

use crate::log::error::Follows;
use crate::log::segment_id::SegmentId;
use crate::log::segment_name::SegmentName;

/// The size of the header, where the records begin.
pub(super) const SEGMENT_HEADER_BYTES: usize = 128;

const MAGIC: [u8; 8] = *b"topslog\n";
const VERSION: u32 = 1;
const CHECKED_BYTES: usize = 120;

/// What a segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub name: SegmentName,
    pub opened_at_micros: i64,
    pub salt: u64,
    /// The last record before the segment.
    pub follows: Follows,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let site = self.name.site.as_str().as_bytes();
        let site_bytes = u32::try_from(site.len()).expect("a site's name is short");
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.name.incarnation.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.name.first.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.opened_at_micros.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.salt.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.follows.sequence.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.follows.incarnation.to_le_bytes());
        bytes[52..56].copy_from_slice(&site_bytes.to_le_bytes());
        bytes[56..56 + site.len()].copy_from_slice(site);
        let checksum = XxHash3_64::oneshot(&bytes[..CHECKED_BYTES]);
        bytes[CHECKED_BYTES..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of the segment of a name; none where it is damaged or that of another segment.
    pub(super) fn decode(bytes: &[u8], name: &SegmentName) -> Option<SegmentHeader> {
        let bytes = bytes.get(..SEGMENT_HEADER_BYTES)?;
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let header = SegmentHeader {
            name: name.clone(),
            opened_at_micros: u64_at(24).cast_signed(),
            salt: u64_at(32),
            follows: Follows { incarnation: u32_at(48), sequence: u64_at(40) },
        };
        // What is encoded again is the same only if every byte of it is what it has to be.
        (header.encode() == bytes).then_some(header)
    }

    /// Returns the seed of the records' checksums.
    pub(super) fn seed(&self) -> u64 {
        XxHash3_64::oneshot_with_seed(self.salt, &self.name_bytes())
    }

    /// Returns the identity, from which the seed cannot be told.
    pub(super) fn id(&self) -> SegmentId {
        let SegmentName { site, incarnation, first } = self.name.clone();
        let fingerprint =
            XxHash3_64::oneshot_with_seed(!self.salt, &[&self.name_bytes()[..], b"id"].concat());
        SegmentId { site, incarnation, first, fingerprint }
    }

    fn name_bytes(&self) -> Vec<u8> {
        let mut bound = Vec::with_capacity(96);
        bound.extend_from_slice(&self.name.incarnation.to_le_bytes());
        bound.extend_from_slice(&self.name.first.to_le_bytes());
        bound.extend_from_slice(self.name.site.as_str().as_bytes());
        bound
    }
}
