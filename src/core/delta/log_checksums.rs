//! Checksums of a table's log.
//!
//! A commit and the file `_last_checkpoint` have, in the `tags` that the protocol gives to whoever writes them:
//!
//! | tag | |
//! |---|---|
//! | `topsell.checksum` | the checksum of the file's own path, as `events/_delta_log/….json`, and of its bytes, in which these digits are zeros |
//! | `topsell.previous` | the checksum of all bytes of the commit before it; of commits only |
//!
//! A checkpoint's checksum is the name of an empty file: `_checksums/<version>-<checksum>` in the table's folder.
//! There may be several, since two processes may write the checkpoint of one version.
//!
//! Invariant: what this program wrote is not interpreted where its bytes are others. Files that other programs
//! or older versions wrote have no checksum, and are read as they are.

use std::fmt;

use memchr::memmem;

use crate::storage::checksum_of;

const CHECKSUM: &[u8] = b"\"topsell.checksum\":\"";
const PREVIOUS: &[u8] = b"\"topsell.previous\":\"";
const DIGITS: usize = 16;
const ZEROS: [u8; DIGITS] = [b'0'; DIGITS];
/// The folder of the checksums of checkpoints, below a table's.
pub(super) const CHECKSUMS: &str = "_checksums";

/// A file of the log has other bytes than were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogDamage {
    pub file: String,
    pub what: &'static str,
}

impl fmt::Display for LogDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.file, self.what)
    }
}

impl std::error::Error for LogDamage {}

impl LogDamage {
    pub fn of(file: &str, what: &'static str) -> LogDamage {
        LogDamage { file: file.to_owned(), what }
    }
}

pub(super) const OTHER_BYTES: &str =
    "is damaged: its bytes do not have the checksum with which they were written";
const NO_TEXT: &str = "is damaged: it is empty or not text";
const CUT: &str = "is damaged: its end is missing";
pub(super) const OTHER_PREVIOUS: &str =
    "does not follow the commit before it: one of the two was replaced, or a commit between them is missing";

/// The kind of a file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogFile {
    /// A commit's version.
    Commit(u64),
    /// A checkpoint's version.
    Checkpoint(u64),
    LastCheckpoint,
}

impl LogFile {
    /// Returns the kind of a file by its name; none of a file that has no checksum.
    pub(super) fn of(name: &str) -> Option<LogFile> {
        if name == "_last_checkpoint" {
            return Some(LogFile::LastCheckpoint);
        }
        let (digits, rest) = name.split_at_checked(20)?;
        let version = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
        match rest {
            ".json" => Some(LogFile::Commit(version)),
            ".checkpoint.parquet" => Some(LogFile::Checkpoint(version)),
            _ => None,
        }
    }
}

/// Returns the name of the file that stands for a checkpoint's checksum.
pub(super) fn checkpoint_name(version: u64, checksum: u64) -> String {
    format!("{version:020}-{checksum:016x}")
}

/// Returns the version of a file that stands for a checkpoint's checksum.
pub(super) fn version_of_checksum(name: &str) -> Option<u64> {
    let (digits, checksum) = name.split_once('-')?;
    let is_one = digits.len() == 20 && checksum.len() == DIGITS;
    digits.parse().ok().filter(|_| is_one)
}

/// Returns the checksum that a file stands for, if it is that of a checkpoint's version.
pub(super) fn checksum_of_name(name: &str, version: u64) -> Option<u64> {
    version_of_checksum(name).filter(|of| *of == version)?;
    u64::from_str_radix(name.split_once('-')?.1, 16).ok()
}

/// Returns a commit, or the file `_last_checkpoint`, with its checksum; as it is where it has no place for one.
pub(super) fn with_checksum(path: &str, kind: LogFile, bytes: &[u8], previous: Option<u64>) -> Vec<u8> {
    let opening: &[u8] = if kind == LogFile::LastCheckpoint { b"{" } else { b"{\"commitInfo\":{" };
    let Some(at) = memmem::find(bytes, opening) else { return bytes.to_vec() };
    let (before, after) = bytes.split_at(at + opening.len());
    let mut tags = b"\"tags\":{".to_vec();
    if let Some(previous) = previous {
        tags.extend([PREVIOUS, format!("{previous:016x}").as_bytes(), b"\","].concat());
    }
    tags.extend([CHECKSUM, &ZEROS, b"\"}"].concat());
    if !after.starts_with(b"}") {
        tags.push(b',');
    }
    let mut whole = [before, &tags, after].concat();
    let digits = format!("{:016x}", checksum_of(&[path.as_bytes(), &whole]));
    let at = at + opening.len() + memmem::find(&tags, CHECKSUM).unwrap_or(0) + CHECKSUM.len();
    whole[at..at + DIGITS].copy_from_slice(digits.as_bytes());
    whole
}

/// What the tags of an intact file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    pub has_checksum: bool,
    /// The checksum of the commit before it.
    pub previous: Option<u64>,
}

/// Checks a commit, or the file `_last_checkpoint`.
///
/// # Errors
/// Fails where its bytes are not those that were written.
pub(super) fn check(path: &str, bytes: &[u8]) -> Result<Checked, LogDamage> {
    if bytes.is_empty() || std::str::from_utf8(bytes).is_err() || bytes.contains(&0) {
        return Err(LogDamage::of(path, NO_TEXT));
    }
    let Some((at, digits)) = digits_after(bytes, CHECKSUM) else {
        // Cut off before its checksum, or after its first lines by another program.
        if bytes.trim_ascii_end().last() != Some(&b'}') {
            return Err(LogDamage::of(path, CUT));
        }
        return Ok(Checked { has_checksum: false, previous: None });
    };
    let (before, after) = (&bytes[..at], &bytes[at + DIGITS..]);
    if digits != Some(checksum_of(&[path.as_bytes(), before, &ZEROS, after])) {
        return Err(LogDamage::of(path, OTHER_BYTES));
    }
    let previous = digits_after(bytes, PREVIOUS).and_then(|(_, digits)| digits);
    Ok(Checked { has_checksum: true, previous })
}

/// Returns where the digits of a tag begin, and their number.
fn digits_after(bytes: &[u8], tag: &[u8]) -> Option<(usize, Option<u64>)> {
    // The tags come first, so that the rest of the file need not be searched.
    let head = &bytes[..bytes.len().min(1 << 10)];
    let at = memmem::find(head, tag)? + tag.len();
    let digits = std::str::from_utf8(bytes.get(at..at + DIGITS)?).ok()?;
    Some((at, u64::from_str_radix(digits, 16).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "{\"commitInfo\":{\"timestamp\":1}}\n{\"txn\":{\"appId\":\"a\",\"version\":1}}\n";

    #[test]
    fn every_flipped_bit_of_a_commit_is_found_or_does_no_harm() {
        let path = "events/_delta_log/00000000000000000007.json";
        let stamped = with_checksum(path, LogFile::Commit(7), COMMIT.as_bytes(), Some(5));
        assert_eq!(check(path, &stamped), Ok(Checked { has_checksum: true, previous: Some(5) }));
        let others = |bytes: &[u8]| memchr::memchr(b'\n', bytes).map(|at| bytes[at..].to_vec());
        assert_eq!(others(&stamped), others(COMMIT.as_bytes()));
        for bit in 0..stamped.len() * 8 {
            let mut flipped = stamped.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = check(path, &flipped).is_err();
            // A tag of another name is no checksum; then all that counts is as it was.
            assert!(found || others(&flipped) == others(&stamped), "{bit}");
        }
        for length in 0..stamped.len() {
            let cut = check(path, &stamped[..length]);
            assert!(cut.is_err(), "{length}: {cut:?}");
        }
        assert!(check("events/_delta_log/00000000000000000008.json", &stamped).is_err());
        assert!(check("rollups/_delta_log/00000000000000000007.json", &stamped).is_err());
    }

    #[test]
    fn what_has_no_place_for_a_checksum_stays_and_is_read_as_it_is() {
        let path = "events/_delta_log/00000000000000000007.json";
        let bytes = with_checksum(path, LogFile::Commit(7), b"{\"txn\":{}}\n", Some(5));
        assert_eq!(bytes, b"{\"txn\":{}}\n");
        assert_eq!(check(path, &bytes), Ok(Checked { has_checksum: false, previous: None }));
        let hint =
            with_checksum("a/_delta_log/_last_checkpoint", LogFile::LastCheckpoint, b"{\"version\":5}", None);
        assert!(check("a/_delta_log/_last_checkpoint", &hint).is_ok_and(|checked| checked.has_checksum));
        let value: serde_json::Value = serde_json::from_slice(&hint).expect("it is JSON");
        assert_eq!(value["version"], 5);
        let mut flipped = hint;
        let at = memmem::find(&flipped, b":5").expect("it has a version") + 1;
        flipped[at] ^= 1;
        assert!(check("a/_delta_log/_last_checkpoint", &flipped).is_err());
    }

    #[test]
    fn files_are_told_apart_by_their_names() {
        let zeros = "0".repeat(19);
        assert_eq!(LogFile::of(&format!("{zeros}7.json")), Some(LogFile::Commit(7)));
        assert_eq!(LogFile::of(&format!("{zeros}7.checkpoint.parquet")), Some(LogFile::Checkpoint(7)));
        assert_eq!(LogFile::of("_last_checkpoint"), Some(LogFile::LastCheckpoint));
        for other in ["7.json", "", &format!("{zeros}7.crc"), &format!("{zeros}x.json")] {
            assert_eq!(LogFile::of(other), None, "{other}");
        }
        assert_eq!(version_of_checksum(&checkpoint_name(7, 9)), Some(7));
        assert_eq!(version_of_checksum("7-9"), None);
    }
}
