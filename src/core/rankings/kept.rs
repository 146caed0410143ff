//! The rankings that were published before: checked, and in time removed.

use hashbrown::{HashMap, HashSet};

use crate::model::Timestamp;
use crate::parquet_format::RankingFile;
use crate::rankings::pointer::{POINTER, Pointer, SCHEMA, parse_pointer};
use crate::rankings::{FOLDER, Rows, Snapshot, SnapshotError};
use crate::storage::{Store, StoreError, StoredFile, is_unfinished};

/// Returns what is wrong with published rankings, the newest and all before it: each file's name
/// ends in the beginning of its hash.
///
/// # Errors
/// Fails where the folder cannot be listed.
pub fn check_all(store: &Store) -> Result<(u64, Vec<String>), StoreError> {
    let mut problems = Vec::new();
    let files = rankings(store)?;
    for file in &files {
        let named = file.path.strip_suffix(".parquet").and_then(|name| name.rsplit_once('-'));
        match store.get(&file.path) {
            Ok(bytes) if named.is_some_and(|(_, hash)| is_hash_of(hash, &bytes)) => {}
            Ok(_) => problems.push(format!("{}: its bytes are not those that were published", file.path)),
            Err(error) => problems.push(error.to_string()),
        }
    }
    match Snapshot::checked(store) {
        Ok(_) | Err(SnapshotError::None) => {}
        Err(error) => problems.push(error.to_string()),
    }
    Ok((files.len() as u64, problems))
}

/// A published ranking that is still there; what is newer is more, and of those of one time what
/// was published later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// Where its window ends.
    pub as_of: Timestamp,
    /// When it was written, in milliseconds since 1970.
    modified_ms: i64,
    path: String,
}

/// How long rankings are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepRankings {
    /// All that were published since then, ...
    pub all_since: Timestamp,
    /// ... and the last of each week, by their own times, since then.
    pub weekly_since: Timestamp,
}

/// Returns the published rankings that are still there, oldest first.
///
/// # Errors
/// Fails where the folder cannot be listed.
pub fn kept(store: &Store) -> Result<Vec<Kept>, SnapshotError> {
    let files = rankings(store)?.into_iter();
    let mut kept: Vec<Kept> = files.filter_map(|file| Kept::of(&file)).collect();
    kept.sort_unstable();
    Ok(kept)
}

impl Kept {
    /// Returns the ranking that a file is by its name, if it is one.
    fn of(file: &StoredFile) -> Option<Kept> {
        let name = file.path.strip_prefix(FOLDER)?.strip_prefix('/')?;
        let (hour, _) = name.strip_suffix(".parquet")?.rsplit_once('-')?;
        let as_of = Timestamp::parse(&format!("{}:00:00Z", hour.strip_suffix('Z')?)).ok()?;
        Some(Kept { as_of, path: file.path.clone(), modified_ms: file.modified_ms })
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] where the file is not the one that was published; fails where it was
    /// removed meanwhile, too.
    pub fn open(&self, store: &Store) -> Result<Snapshot, SnapshotError> {
        let beside = pointer_beside(&self.path);
        let pointer = store.get(&beside).ok().and_then(|json| parse_pointer(&json, &beside).ok());
        match pointer.filter(|pointer| pointer.path() == self.path) {
            Some(pointer) => pointer.open(store),
            // Published before pointers were kept beside, or it is damaged: the ranking may be whole.
            None => self.open_whole(store),
        }
    }

    /// Opens it by what its name says of its bytes.
    fn open_whole(&self, store: &Store) -> Result<Snapshot, SnapshotError> {
        let bytes = store.get(&self.path)?;
        let damaged = |what: &str| SnapshotError::Damaged { file: self.path.clone(), what: what.to_owned() };
        let named = self.path.strip_suffix(".parquet").and_then(|name| name.rsplit_once('-'));
        if !named.is_some_and(|(_, hash)| is_hash_of(hash, &bytes)) {
            return Err(damaged("its bytes are not those that were published"));
        }
        let size_bytes = bytes.len() as u64;
        let file = RankingFile::open(bytes.clone(), size_bytes).map_err(|e| damaged(&e.to_string()))?;
        let pointer = Pointer {
            schema: SCHEMA,
            file: self.path.trim_start_matches(FOLDER).trim_start_matches('/').to_owned(),
            blake3: String::new(),
            size_bytes,
            rows: file.rows(),
            as_of: self.as_of.to_string(),
            footer: None,
        };
        pointer.snapshot(file, Rows::Whole(bytes))
    }
}

/// Returns where the pointer is kept that named a ranking.
pub(super) fn pointer_beside(path: &str) -> String {
    format!("{}.json", path.strip_suffix(".parquet").unwrap_or(path))
}

/// Returns the files of rankings that need not be kept, never the newest, and what a run that was
/// killed left half written, in the order in which to remove them; and how many rankings these are.
/// No run may be at work meanwhile.
///
/// # Errors
/// Fails where the disk does.
pub fn old_rankings(store: &Store, keep: &KeepRankings) -> Result<(Vec<StoredFile>, u64), StoreError> {
    let pointer = match store.get(POINTER) {
        Err(error) if error.is_not_found() => return Ok((Vec::new(), 0)),
        json => json?,
    };
    // Where the pointer cannot be read, any of them may be the newest.
    let Ok(pointer) = serde_json::from_slice::<Pointer>(&pointer) else { return Ok((Vec::new(), 0)) };
    let newest = format!("{FOLDER}/{}", pointer.file);
    let files = store.files(FOLDER)?;
    let mut last_of_week: HashMap<i32, Kept> = HashMap::new();
    for kept in files.iter().filter_map(Kept::of).filter(|kept| kept.as_of >= keep.weekly_since) {
        let last = last_of_week.entry(week_of(kept.as_of)).or_insert_with(|| kept.clone());
        if *last < kept {
            *last = kept;
        }
    }
    let is_last_of_week = |path: &str| last_of_week.values().any(|last| last.path == path);
    let all_since_ms = keep.all_since.micros() / 1_000;
    let mut going: Vec<StoredFile> = rankings(store)?;
    going.retain(|file| {
        file.path != newest && file.modified_ms < all_since_ms && !is_last_of_week(&file.path)
    });
    let count = going.len() as u64;
    // Its pointer goes before the ranking itself: without one it is still whole.
    let beside: HashSet<String> = going.iter().map(|file| pointer_beside(&file.path)).collect();
    let goes_first = |file: &StoredFile| beside.contains(&file.path) || is_unfinished(&file.path);
    let mut all: Vec<StoredFile> = files.into_iter().filter(goes_first).collect();
    all.append(&mut going);
    Ok((all, count))
}

/// Returns the number of the week, from Monday to Sunday in UTC, that a ranking ends in.
fn week_of(as_of: Timestamp) -> i32 {
    // 1970 began on a Thursday; a ranking taken as a week begins is of the week that is over.
    (as_of.hour().number() - 1 + 3 * 24).div_euclid(7 * 24)
}

fn rankings(store: &Store) -> Result<Vec<StoredFile>, StoreError> {
    let mut files = store.files(FOLDER)?;
    files.retain(|file| file.path.ends_with(".parquet"));
    files.sort_unstable();
    Ok(files)
}

fn is_hash_of(name: &str, bytes: &[u8]) -> bool {
    name.len() == 16 && blake3::hash(bytes).to_hex().starts_with(name)
}
