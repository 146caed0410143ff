//! The published rankings that are still stored, as their files' names list them.

use crate::model::Timestamp;
use crate::rankings::error::SnapshotError;
use crate::rankings::metadata::RankingMetadata;
use crate::rankings::pointer::FOLDER;
use crate::storage::{Store, StoreError, StoredFile};

/// A published ranking that is still stored; ordered by time, and of one time by when it was published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RetainedRanking {
    /// Where its window ends.
    pub as_of: Timestamp,
    /// When it was written, in milliseconds since 1970.
    modified_ms: i64,
    path: String,
    /// The first digits of the hash of the rules; none in the names of older files.
    rules: Option<String>,
}

/// Returns the published rankings that are still stored, oldest first.
///
/// # Errors
/// Fails where the folder cannot be listed.
pub fn retained_rankings(store: &Store) -> Result<Vec<RetainedRanking>, SnapshotError> {
    let files = ranking_files(store)?.into_iter();
    let mut retained: Vec<RetainedRanking> = files.filter_map(|file| RetainedRanking::of(&file)).collect();
    retained.sort_unstable();
    Ok(retained)
}

impl RetainedRanking {
    /// Returns the ranking in a file, if its name is that of one.
    pub(super) fn of(file: &StoredFile) -> Option<RetainedRanking> {
        let name = file.path.strip_prefix(FOLDER)?.strip_prefix('/')?;
        let (hour, hashes) = name.strip_suffix(".parquet")?.split_once("Z-")?;
        let as_of = Timestamp::parse(&format!("{hour}:00:00Z")).ok()?;
        let rules = hashes.rsplit_once('-').map(|(rules, _)| rules.to_owned());
        Some(RetainedRanking { as_of, path: file.path.clone(), modified_ms: file.modified_ms, rules })
    }

    /// Returns whether the ranking may have been made by the same rules as another; it is opened to know, if it is of
    /// an older version.
    pub fn may_be_like(&self, other: &RankingMetadata) -> bool {
        self.rules.as_ref().is_none_or(|rules| *rules == other.rules_hash())
    }

    /// Returns the hash of the rules, as far as the name has it.
    pub(super) fn rules(&self) -> Option<&str> {
        self.rules.as_deref()
    }

    /// Returns the path of the file below the lake.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

/// Returns the files of all published rankings, in the order of their names.
pub(super) fn ranking_files(store: &Store) -> Result<Vec<StoredFile>, StoreError> {
    let mut files = store.files(FOLDER)?;
    files.retain(|file| file.path.ends_with(".parquet"));
    files.sort_unstable();
    Ok(files)
}

/// Returns whether the hash in a file's name, the beginning of BLAKE3, is that of some bytes.
pub(super) fn has_hash_of(path: &str, bytes: &[u8]) -> bool {
    let hash = path.strip_suffix(".parquet").and_then(|name| name.rsplit_once('-'));
    hash.is_some_and(|(_, hash)| hash.len() == 16 && blake3::hash(bytes).to_hex().starts_with(hash))
}
