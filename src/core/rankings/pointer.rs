//! The pointer to the newest ranking, and the file that it names opened.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::escape_control;
use crate::parquet_format::{ColumnsError, RankingFile};
use crate::rankings::{FOLDER, Facts, Rows, Snapshot, SnapshotError};
use crate::storage::Store;

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
    /// None in pointers that were written before groups were hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<Footer>,
}

/// The end of a file, which says how to read the rest.
#[derive(Serialize, Deserialize)]
pub(super) struct Footer {
    pub size_bytes: u64,
    pub blake3: String,
}

/// Opens what the pointer names.
pub(super) fn newest(
    store: &Store,
    open: impl Fn(&Pointer) -> Result<Snapshot, SnapshotError>,
) -> Result<Snapshot, SnapshotError> {
    let mut pointer = read_pointer(store)?;
    loop {
        match open(&pointer) {
            Err(SnapshotError::Store(error)) if error.is_not_found() => {
                // Between the two looks a newer ranking may have come, and the older one gone.
                let newer = read_pointer(store)?;
                if newer.file == pointer.file {
                    let what = format!("it names {}, which is not there", pointer.path());
                    return Err(damaged_pointer(what));
                }
                pointer = newer;
            }
            opened => return opened,
        }
    }
}

impl Footer {
    /// Returns what a pointer tells of a footer.
    pub fn of(footer: &[u8]) -> Footer {
        Footer { size_bytes: footer.len() as u64, blake3: blake3::hash(footer).to_hex().to_string() }
    }
}

impl Pointer {
    /// Returns the pointer as it is kept.
    pub fn json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).expect("a pointer is plain texts and numbers");
        json.push(b'\n');
        json
    }

    /// Returns the file's path below the lake.
    pub fn path(&self) -> String {
        format!("{FOLDER}/{}", self.file)
    }

    /// Opens what it names; the rows are checked when they are read.
    pub fn open(&self, store: &Store) -> Result<Snapshot, SnapshotError> {
        let Some(footer) = &self.footer else {
            return self.open_whole(store.get(&self.path())?);
        };
        // Whatever is wrong with the end, the whole file says what it is.
        let opened = match store.get_tail(&self.path(), footer.size_bytes) {
            Err(error) if error.is_not_found() => return Err(error.into()),
            tail => tail.ok().and_then(|tail| self.footer_of(&tail)),
        };
        match opened {
            Some(Ok(file)) => self.snapshot(file, Rows::InGroups(store.clone())),
            Some(Err(_)) | None => self.open_whole(store.get(&self.path())?),
        }
    }

    /// Opens a file's bytes, if they are what the pointer says.
    pub fn open_whole(&self, bytes: Bytes) -> Result<Snapshot, SnapshotError> {
        if bytes.len() as u64 != self.size_bytes || blake3::hash(&bytes).to_hex().to_string() != self.blake3 {
            return Err(damaged_file(self, "its bytes are not those that were published"));
        }
        let file = RankingFile::open(bytes.clone(), self.size_bytes);
        self.snapshot(file.map_err(|e| damaged_file(self, &e.to_string()))?, Rows::Whole(bytes))
    }

    /// Opens the footer at the end of some bytes, if it is the one that the pointer tells of and
    /// has what it takes to check each group by itself.
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

    pub fn snapshot(&self, file: RankingFile, rows: Rows) -> Result<Snapshot, SnapshotError> {
        if file.rows() != self.rows {
            return Err(damaged_file(self, "it has another number of rows than was published"));
        }
        let facts =
            Facts::of(&self.as_of, &|name| file.label(name)).map_err(|what| damaged_file(self, what))?;
        Ok(Snapshot { path: self.path(), file, rows, facts })
    }
}

fn read_pointer(store: &Store) -> Result<Pointer, SnapshotError> {
    match store.get(POINTER) {
        Err(error) if error.is_not_found() => Err(SnapshotError::None),
        json => parse_pointer(&json?, POINTER),
    }
}

/// Returns the name of the file that the pointer names; none where there is none, or it is damaged.
pub fn current_file(store: &Store) -> Option<String> {
    read_pointer(store).ok().map(|pointer| pointer.file)
}

/// Reads what a pointer at a path says.
pub(super) fn parse_pointer(json: &[u8], path: &str) -> Result<Pointer, SnapshotError> {
    let damaged_pointer = |what: String| SnapshotError::Damaged { file: path.to_owned(), what };
    let pointer: Pointer = serde_json::from_slice(json).map_err(|e| damaged_pointer(e.to_string()))?;
    if pointer.schema != SCHEMA {
        let what = format!("its schema is {}, and this program knows {SCHEMA}", pointer.schema);
        return Err(damaged_pointer(what));
    }
    // Else it may lead out of the folder, or be nothing that a disk can name.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if pointer.file.bytes().all(is_plain) {
        return Ok(pointer);
    }
    Err(damaged_pointer(format!("it names `{}`, which is no ranking", escape_control(&pointer.file))))
}

pub(super) fn damaged_pointer(what: String) -> SnapshotError {
    SnapshotError::Damaged { file: POINTER.to_owned(), what }
}

pub(super) fn damaged_file(pointer: &Pointer, what: &str) -> SnapshotError {
    SnapshotError::Damaged { file: pointer.path(), what: what.to_owned() }
}
