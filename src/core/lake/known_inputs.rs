//! How far each file was ingested, so that of a file that has grown only what is new is ingested.
//!
//! ```text
//! inputs/<first 3 digits of the key>.txt, lines of
//! <key> <batch id> <bytes> <tail bytes> <tail size> <size> <start> <first> <last> <second> <newest> .<checksum>
//! ```
//!
//! Sizes are written as the versions of transactions are; `first` and `last` are the hours of the tail, `newest`
//! is the last hour of all. A key is the hash of a file's name, of its number on its file system, or of its
//! beginning. A line is appended before the batch that it is about is committed, and more than one process
//! may append.
//!
//! Invariant: an entry alone means nothing: only where the log has its batch id, and the id is the hash
//! of a file's first `bytes` bytes, are these bytes ingested. So an entry of a batch that was never
//! committed does no harm, and neither does a line that a power failure has left incomplete. A line that is
//! complete and has another checksum than its own is damaged, and never taken for one of these.

use std::fmt::Write as _;
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::lake::batch_size::BatchSize;
use crate::lake::error::LakeError;
use crate::lake::layout::INPUTS;
use crate::lake::open::Lake;
use crate::lake::settings::LakeSettings;
use crate::model::Hour;
use crate::storage::{Store, checksum};

/// The number of digits of a key, and of those that name its file.
pub(super) const KEY_DIGITS: usize = 32;
const FILE_DIGITS: usize = 3;
/// The length of what a line ends with: a dot and its checksum.
const END_BYTES: usize = 17;
/// What stands for no value.
const NONE: &str = "-";

/// What entries are found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InputKey(String);

/// An entry: a beginning of a file that was to be ingested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownInput {
    /// The hash of these bytes, which is the id of the batch that they end with.
    pub id: String,
    pub bytes: u64,
    /// The length of a last record without a newline, which is a batch of its own, and what it has.
    pub tail_bytes: u64,
    pub tail_size: BatchSize,
    /// What these bytes have.
    pub size: BatchSize,
    /// The key of the file's beginning, where it has one.
    pub start: Option<InputKey>,
    /// The first and last hour of the tail's events; none where it has none.
    pub hours: Option<(Hour, Hour)>,
    /// When it was ingested, in seconds since 1970.
    pub second: i64,
    /// The last hour of the events of these bytes, where it is known.
    pub newest: Option<Hour>,
}

impl InputKey {
    /// Returns the key of a file's name.
    pub fn of_name(path: &Path) -> InputKey {
        InputKey::of("name", path.as_os_str().as_encoded_bytes())
    }

    /// Returns the key of a file's number on its file system.
    pub fn of_inode(device: u64, inode: u64) -> InputKey {
        InputKey::of("inode", &[device.to_le_bytes(), inode.to_le_bytes()].concat())
    }

    /// Returns the key of a version of an object in a bucket.
    pub fn of_version(url: &Path, version: &str) -> InputKey {
        InputKey::of("version", &[url.as_os_str().as_encoded_bytes(), b"\n", version.as_bytes()].concat())
    }

    /// Returns the key of a file's beginning.
    pub fn of_start(bytes: &[u8]) -> InputKey {
        InputKey::of("start", bytes)
    }

    fn of(kind: &str, bytes: &[u8]) -> InputKey {
        let hash = blake3::Hasher::new_derive_key(&format!("topsell {kind}")).update(bytes).finalize();
        InputKey(hash.to_hex()[..KEY_DIGITS].to_owned())
    }

    pub(super) fn file(&self) -> String {
        format!("{INPUTS}/{}.txt", &self.0[..FILE_DIGITS])
    }
}

impl Lake {
    /// Returns the entries of some keys, oldest first for each.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn known_inputs(&self, keys: &[InputKey]) -> Result<Vec<KnownInput>, LakeError> {
        let mut known = Vec::new();
        for key in keys {
            let bytes = match self.store.is_bucket() {
                true => self.inputs.read(&self.store, &key.file()).map(Bytes::from),
                false => self.store.get(&key.file()),
            };
            match bytes {
                Ok(bytes) => {
                    if let Some(number) = damaged_line(&bytes) {
                        return Err(LakeError::DamagedInputs { file: key.file(), number });
                    }
                    known.extend(entries_of(key, &String::from_utf8_lossy(&bytes)));
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(known)
    }

    /// Appends an entry under some keys.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn note_input(&self, keys: &[InputKey], known: &KnownInput) -> Result<(), LakeError> {
        self.note_input_later(keys, known)?;
        self.write_noted_inputs()
    }

    /// Appends an entry under some keys; in a bucket, when all that were noted are written.
    pub(super) fn note_input_later(&self, keys: &[InputKey], known: &KnownInput) -> Result<(), LakeError> {
        for key in keys {
            // The first newline ends a line that a power failure has left incomplete.
            let line = format!("\n{}\n", line_of(key, known));
            match self.store.is_bucket() {
                true => self.inputs.note(key.file(), &line),
                false => self.store.append(&key.file(), line.as_bytes())?,
            }
        }
        Ok(())
    }

    /// Writes the entries that were noted, where the lake is in a bucket.
    /// Reads what an ingest needs of the lake before its first batch: the settings, and of a bucket, at once, what is
    /// listed later.
    ///
    /// # Errors
    /// As [`Lake::settings`], and where the store cannot be listed.
    pub fn prepare_ingest(&self) -> Result<LakeSettings, LakeError> {
        if !self.store.is_bucket() {
            return self.settings();
        }
        std::thread::scope(|scope| {
            scope.spawn(|| self.listed_rejects());
            let inputs = scope.spawn(|| self.inputs.list(&self.store));
            let settings = self.settings();
            inputs.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            settings
        })
    }

    pub(super) fn write_noted_inputs(&self) -> Result<(), LakeError> {
        if self.inputs.has_noted() {
            // Before the entries: whoever commits later may have noted others since.
            let before = self.events.newest_known()?.number();
            self.inputs.write(&self.store, before)?;
        }
        Ok(())
    }
}

/// Returns each file of entries that is damaged or cannot be read, and what is wrong with it.
///
/// # Errors
/// Fails where the folder cannot be listed.
pub fn check_inputs(store: &Store) -> Result<Vec<(String, LakeError)>, LakeError> {
    let mut problems = Vec::new();
    for file in store.files(INPUTS)? {
        let problem = match store.get(&file.path) {
            Ok(bytes) => {
                let file = file.path.clone();
                damaged_line(&bytes).map(|number| LakeError::DamagedInputs { file, number })
            }
            Err(error) if error.is_not_found() => None,
            Err(error) => Some(error.into()),
        };
        problems.extend(problem.map(|problem| (file.path, problem)));
    }
    problems.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(problems)
}

fn entries_of<'a>(key: &'a InputKey, text: &'a str) -> impl Iterator<Item = KnownInput> + 'a {
    let of_key = text.lines().filter_map(|line| line.strip_prefix(key.0.as_str())?.strip_prefix(' '));
    of_key.filter_map(parse_entry)
}

pub(super) fn line_of(key: &InputKey, known: &KnownInput) -> String {
    let KnownInput { id, bytes, tail_bytes, tail_size, size, start, hours, second, newest } = known;
    let (tail_size, size) = (tail_size.version(), size.version());
    let mut line = format!("{} {id} {bytes} {tail_bytes} {tail_size} {size} ", key.0);
    line.push_str(start.as_ref().map_or(NONE, |start| &start.0));
    match hours {
        // Writing to a text cannot fail.
        Some((first, last)) => drop(write!(line, " {} {}", first.number(), last.number())),
        None => line.push_str(" - -"),
    }
    match newest {
        Some(newest) => drop(write!(line, " {second} {} ", newest.number())),
        None => drop(write!(line, " {second} - ")),
    }
    let end = end_of(line.as_bytes());
    line + &end
}

/// Returns what a line ends with, given what is before it.
fn end_of(line: &[u8]) -> String {
    format!(".{:016x}", checksum(line))
}

/// Returns whether a line ends with its own checksum.
pub(super) fn has_checksum(line: &[u8]) -> bool {
    let end = line.len().checked_sub(END_BYTES).map(|at| line.split_at(at));
    end.is_some_and(|(before, end)| end_of(before).as_bytes() == end)
}

/// Returns the number of the first line that is damaged: it is complete, and its checksum is not its own.
///
/// A power failure leaves a beginning of a line, which has no end at all; of a damaged line only some bytes
/// are others.
pub(super) fn damaged_line(text: &[u8]) -> Option<usize> {
    const MOST_CHANGED: usize = 2;
    let is_damaged = |line: &[u8]| {
        let Some((before, end)) = line.len().checked_sub(END_BYTES).map(|at| line.split_at(at)) else {
            return false;
        };
        let right = end_of(before);
        let changed = end.iter().zip(right.bytes()).filter(|(is, should)| **is != *should).count();
        let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        let has_end = end[0] == b'.' && end[1..].iter().all(is_digit);
        // Its newline is another byte.
        let is_longer = line.split_last().is_some_and(|(_, line)| has_checksum(line));
        changed > 0 && (has_end || changed <= MOST_CHANGED || is_longer)
    };
    text.split(|byte| *byte == b'\n').position(is_damaged).map(|at| at + 1)
}

/// Reads a line after its key; none where it is incomplete.
pub(super) fn parse_entry(text: &str) -> Option<KnownInput> {
    let words: Vec<&str> = text.split(' ').collect();
    let [id, bytes, tail_bytes, tail_size, size, start, first, last, second, ref rest @ ..] = words[..]
    else {
        return None;
    };
    let newest = match rest {
        [newest, end] if matches!(*end, ".") || end.len() == END_BYTES => *newest,
        // So it was at first.
        ["."] => NONE,
        _ => return None,
    };
    let hour = |text: &str| text.parse().ok().map(Hour::new);
    Some(KnownInput {
        id: id.to_owned(),
        bytes: bytes.parse().ok()?,
        tail_bytes: tail_bytes.parse().ok()?,
        tail_size: BatchSize::of_version(tail_size.parse().ok()?)?,
        size: BatchSize::of_version(size.parse().ok()?)?,
        start: (start != NONE).then(|| InputKey(start.to_owned())),
        hours: hour(first).zip(hour(last)),
        second: second.parse().ok()?,
        newest: hour(newest),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(bytes: u64) -> KnownInput {
        KnownInput {
            id: "ab".into(),
            bytes,
            tail_bytes: 5,
            tail_size: BatchSize { events: 3, lines: 1 },
            size: BatchSize { events: 7, lines: 7 },
            start: Some(InputKey::of_start(b"x")),
            hours: Some((Hour::new(-3), Hour::new(400_000))),
            second: 1_484_395_200,
            newest: Some(Hour::new(400_001)),
        }
    }

    #[test]
    fn an_entry_is_found_by_its_key_and_an_incomplete_line_is_ignored() {
        let (key, other) = (InputKey::of_name(Path::new("/a")), InputKey::of_inode(1, 2));
        let plain = KnownInput { start: None, hours: None, newest: None, ..known(9) };
        let line = line_of(&key, &known(8));
        let half = &line_of(&key, &known(7))[..line.len() - 1];
        let text = format!("\n{line}\n\n{half}\n{}\n\n{}\n", line_of(&other, &plain), line_of(&key, &plain));
        assert_eq!(entries_of(&key, &text).collect::<Vec<_>>(), [known(8), plain.clone()]);
        let without_newest = format!("{} ab 9 5 4611686020574871555 7 - - - 1484395200 .\n", key.0);
        assert_eq!(entries_of(&key, &without_newest).next().as_ref(), Some(&plain));
        assert_eq!(entries_of(&other, &text).collect::<Vec<_>>(), [plain]);
        assert_eq!(damaged_line(text.as_bytes()), None);
        assert_eq!(damaged_line(without_newest.as_bytes()), None);
    }

    #[test]
    fn every_flipped_bit_of_a_line_is_found_and_a_beginning_of_a_line_is_none() {
        let line = line_of(&InputKey::of_name(Path::new("/a")), &known(8));
        for length in 0..line.len() {
            assert_eq!(damaged_line(&line.as_bytes()[..length]), None, "{length}");
        }
        for bit in 0..line.len() * 8 {
            let mut flipped = line.clone().into_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(damaged_line(&flipped).is_some(), "{bit}: {}", String::from_utf8_lossy(&flipped));
        }
        assert_eq!(damaged_line(format!("{line}\u{b}\n").as_bytes()), Some(1), "a newline is a bit, too");
        let joined = format!("{line}\u{b}{line}");
        assert_eq!(damaged_line(joined.as_bytes()), Some(1), "a newline is a bit, too");
    }
}
