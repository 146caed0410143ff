//! The compact form of a list: hash prefixes, coded in few bits.
//!
//! ```text
//!   0   4  "TSLP"
//!   4   1  1, the version of the form
//!   5   1  1 where it is the whole list, which replaces what the client holds; otherwise 0
//!   6   4  after how many seconds to ask again
//!  10  28  the version (see `version.rs`), which a client sends as base64url
//!  38   8  when it was made, in microseconds since 1970
//!  46   4  the number of prefixes
//!  50  32  the SHA-256 of all prefixes, sorted, each as 4 bytes
//!  82   2  the length of the signature, 0 without one
//!  84      the signature: when it expires, as 8 bytes, then the text of minisign
//!          what is removed: indexes in what the client holds (see `rice.rs`)
//!          what is added: prefixes (see `rice.rs`)
//! ```
//!
//! Numbers are big-endian. A client removes by the indexes, adds, sorts, and keeps the result if it has the hash.
//!
//! Invariant: bytes that are not as documented are an error, and change nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::prefix_index::{PrefixDelta, all, merged};
use crate::rice::{BadCode, decode, encode};
use crate::signature::Signed;
use crate::snapshot::Snapshot;
use crate::version::Version;

/// The media type.
pub const PREFIX_MEDIA_TYPE: &str = "application/vnd.topsell.list-prefixes";
const MAGIC: &[u8; 4] = b"TSLP";
const FORM: u8 = 1;
const VERSION_BYTES: usize = 28;
/// Where the seconds end, before which an answer differs from another one to the same question.
const HEAD_BYTES: usize = 10;

/// An answer in the compact form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixAnswer {
    pub is_full: bool,
    pub wait_seconds: u32,
    pub version: String,
    pub time: i64,
    pub entries: u32,
    pub sha256: [u8; 32],
    /// When the signature expires, and its text.
    pub signature: Option<(i64, String)>,
    pub removed: Vec<u32>,
    pub added: Vec<u32>,
}

/// The prefixes of a list, as a client holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldPrefixes(Vec<u32>);

impl Snapshot {
    /// Returns whether an answer in the compact form needs no prefixes made before.
    pub fn has_prefixes(&self) -> bool {
        self.prefixes.is_made()
    }

    /// Makes the prefixes now where those of an earlier version were asked for.
    pub fn make_prefixes_if_wanted(&self) {
        if self.prefixes.was_made() {
            self.prefixes.make_levels(&self.sorted_prefixes(), self.changes());
        }
    }

    /// Returns the SHA-256 of the sorted prefixes.
    pub fn prefixes_sha256(&self) -> [u8; 32] {
        sha256_of(&self.sorted_prefixes())
    }

    /// Returns the keys with a hash prefix.
    pub fn keys_with_prefix(&self, prefix: u32) -> Vec<String> {
        self.prefixes.keys(&self.lines, prefix)
    }

    /// Returns what follows the head of an answer in the compact form.
    pub fn prefix_body(
        &self,
        since: Option<&Version>,
        sha256: &[u8; 32],
        signed: Option<&Signed>,
    ) -> Vec<u8> {
        let sorted = self.sorted_prefixes();
        let delta = match since {
            Some(since) => self.prefixes.delta(&sorted, self.changes(), since.sequence),
            None => PrefixDelta { removed: Vec::new(), added: sorted.to_vec() },
        };
        let mut body = Vec::with_capacity(128 + 3 * (delta.removed.len() + delta.added.len()));
        body.extend_from_slice(&self.version.bytes(&self.name));
        body.extend_from_slice(&self.time.to_be_bytes());
        body.extend_from_slice(&u32::try_from(sorted.len()).unwrap_or(u32::MAX).to_be_bytes());
        body.extend_from_slice(sha256);
        let signature = signed.map_or_else(Vec::new, |signed| {
            [&signed.expires.to_be_bytes()[..], signed.signature.as_bytes()].concat()
        });
        body.extend_from_slice(&u16::try_from(signature.len()).unwrap_or(0).to_be_bytes());
        body.extend_from_slice(&signature);
        encode(&delta.removed, &mut body);
        encode(&delta.added, &mut body);
        body
    }

    fn sorted_prefixes(&self) -> std::sync::Arc<Vec<u32>> {
        self.prefixes.sorted(&self.lines, self.changes(), self.version.sequence)
    }
}

/// Returns the head of an answer in the compact form.
pub fn prefix_head(is_full: bool, wait_seconds: u32) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(MAGIC);
    (head[4], head[5]) = (FORM, u8::from(is_full));
    head[6..].copy_from_slice(&wait_seconds.to_be_bytes());
    head
}

impl PrefixAnswer {
    /// Reads an answer.
    ///
    /// # Errors
    /// Fails where the bytes are something else.
    pub fn parse(bytes: &[u8]) -> Result<PrefixAnswer, BadCode> {
        let mut rest = bytes;
        let mut take = |length: usize| {
            let (taken, after) = rest.split_at_checked(length).ok_or(BadCode)?;
            rest = after;
            Ok(taken)
        };
        if take(5)? != [MAGIC.as_slice(), &[FORM]].concat() {
            return Err(BadCode);
        }
        let is_full = match take(1)? {
            [0] => false,
            [1] => true,
            _ => return Err(BadCode),
        };
        let wait_seconds = u32::from_be_bytes(array(take(4)?)?);
        let version = URL_SAFE_NO_PAD.encode(take(VERSION_BYTES)?);
        let time = i64::from_be_bytes(array(take(8)?)?);
        let entries = u32::from_be_bytes(array(take(4)?)?);
        let sha256 = array(take(32)?)?;
        let signature_bytes = u16::from_be_bytes(array(take(2)?)?);
        let signature = signature_of(take(usize::from(signature_bytes))?)?;
        let (removed, added) = (decode(&mut rest)?, decode(&mut rest)?);
        let answer =
            PrefixAnswer { is_full, wait_seconds, version, time, entries, sha256, signature, removed, added };
        if rest.is_empty() { Ok(answer) } else { Err(BadCode) }
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], BadCode> {
    bytes.try_into().map_err(|_| BadCode)
}

fn signature_of(bytes: &[u8]) -> Result<Option<(i64, String)>, BadCode> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (expires, text) = bytes.split_at_checked(8).ok_or(BadCode)?;
    let text = String::from_utf8(text.to_vec()).map_err(|_| BadCode)?;
    Ok(Some((i64::from_be_bytes(array(expires)?), text)))
}

impl HeldPrefixes {
    /// Returns those of lines.
    pub fn of_lines(lines: &crate::lines::Lines) -> HeldPrefixes {
        HeldPrefixes(all(lines))
    }

    /// Returns whether an entry may be in the list: where it may be, the list has one with its prefix.
    pub fn may_have(&self, entry: &str) -> bool {
        self.0.binary_search(&crate::history::prefix_of(entry)).is_ok()
    }

    /// Returns them after an answer; none where the result does not have the hash that the answer says.
    pub fn updated(&self, answer: &PrefixAnswer) -> Option<HeldPrefixes> {
        let held = if answer.is_full { &[][..] } else { &self.0 };
        let mut removed = answer.removed.iter().peekable();
        let kept = (0..).zip(held).filter(|(index, _)| removed.next_if(|of| **of == *index).is_none());
        let updated = merged(kept.map(|(_, prefix)| *prefix), &answer.added, held.len());
        let is_right =
            updated.len() as u64 == u64::from(answer.entries) && sha256_of(&updated) == answer.sha256;
        is_right.then_some(HeldPrefixes(updated))
    }
}

fn sha256_of(prefixes: &[u32]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut buffer = Vec::with_capacity(4 * 1_024);
    for some in prefixes.chunks(1_024) {
        buffer.clear();
        buffer.extend(some.iter().flat_map(|prefix| prefix.to_be_bytes()));
        hasher.update(&buffer);
    }
    hasher.finalize().into()
}
