//! A pointer to a ranking: which file it names, and how that is checked.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::escape_control;
use crate::parquet_format::{ColumnsError, RankingFile};
use crate::rankings::error::SnapshotError;
use crate::storage::{Store, checksum};

pub(super) const FOLDER: &str = "rankings";
pub(super) const POINTER: &str = "rankings/current.json";
pub(super) const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
pub(super) struct Pointer {
    pub schema: u32,
    pub file: String,
    pub blake3: String,
    pub size_bytes: u64,
    pub rows: u64,
    pub as_of: String,
    /// None in older pointers, written before row groups were hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<Footer>,
    /// The checksum of all of the pointer but this; none in older pointers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

/// The end of a file, with the metadata to read the rest.
#[derive(Serialize, Deserialize)]
pub(super) struct Footer {
    pub size_bytes: u64,
    pub blake3: String,
}

impl Footer {
    /// Returns what a pointer records of a footer.
    pub fn of(footer: &[u8]) -> Footer {
        Footer { size_bytes: footer.len() as u64, blake3: blake3::hash(footer).to_hex().to_string() }
    }
}

impl Pointer {
    /// Returns the pointer as it is stored.
    pub fn json(&mut self) -> Vec<u8> {
        self.checksum = None;
        self.checksum = Some(format!("{:016x}", checksum(&self.plain_json())));
        self.plain_json()
    }

    fn plain_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).expect("a pointer is plain texts and numbers");
        json.push(b'\n');
        json
    }

    /// Returns the file's path below the lake.
    pub fn path(&self) -> String {
        format!("{FOLDER}/{}", self.file)
    }

    /// Opens the footer at the end of some bytes, if it is the one in the pointer and has what it takes
    /// to check each row group by itself.
    pub fn footer_of(&self, tail: &Bytes) -> Option<Result<RankingFile, ColumnsError>> {
        let footer = self.footer.as_ref()?;
        let length = usize::try_from(footer.size_bytes).ok().filter(|length| *length <= tail.len())?;
        let bytes = tail.slice(tail.len() - length..);
        if blake3::hash(&bytes).to_hex().to_string() != footer.blake3 {
            return None;
        }
        let file = RankingFile::open(bytes, self.size_bytes);
        (!file.as_ref().is_ok_and(|file| !file.has_hashes())).then_some(file)
    }
}

/// Reads the pointer at a path.
pub(super) fn read_pointer(store: &Store, path: &str) -> Result<Pointer, SnapshotError> {
    match store.get(path) {
        Err(error) if error.is_not_found() => Err(SnapshotError::None),
        json => parse_pointer(&json?, path),
    }
}

/// Returns the name of the file of the ranking that the default name shows; `None` where there is no pointer, or a
/// damaged one.
pub fn current_file(store: &Store) -> Option<String> {
    read_pointer(store, POINTER).ok().map(|pointer| pointer.file)
}

/// Parses the pointer at a path.
pub(super) fn parse_pointer(json: &[u8], path: &str) -> Result<Pointer, SnapshotError> {
    let damaged_pointer = |what: String| SnapshotError::Damaged { file: path.to_owned(), what };
    let mut pointer: Pointer = serde_json::from_slice(json).map_err(|e| damaged_pointer(e.to_string()))?;
    if pointer.checksum.is_some() && pointer.json() != json {
        return Err(damaged_pointer(
            "its bytes do not have the checksum with which they were written".to_owned(),
        ));
    }
    if pointer.schema != SCHEMA {
        let what = format!("its schema is {}; this version of topsell reads schema {SCHEMA}", pointer.schema);
        return Err(damaged_pointer(what));
    }
    // Otherwise it may point outside of the folder, or be an invalid file name.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if pointer.file.bytes().all(is_plain) {
        return Ok(pointer);
    }
    Err(damaged_pointer(format!("it names `{}`, which is not a ranking", escape_control(&pointer.file))))
}

pub(super) fn damaged_pointer(path: &str, what: String) -> SnapshotError {
    SnapshotError::Damaged { file: path.to_owned(), what }
}

pub(super) fn damaged_file(pointer: &Pointer, what: &str) -> SnapshotError {
    SnapshotError::Damaged { file: pointer.path(), what: what.to_owned() }
}

/// Returns the path of the copy of the pointer beside a ranking.
pub(super) fn pointer_beside(path: &str) -> String {
    format!("{}.json", path.strip_suffix(".parquet").unwrap_or(path))
}
