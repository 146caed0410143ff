//! The rankings that were published before: checked, and in time removed.

use crate::snapshot::pointer::{POINTER, Pointer};
use crate::snapshot::{FOLDER, Snapshot, SnapshotError};
use crate::store::{Store, StoreError, StoredFile};

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

/// Returns the rankings published before a moment, but never the newest.
///
/// # Errors
/// Fails where the disk does.
pub fn old_rankings(store: &Store, kept_since_ms: i64) -> Result<Vec<StoredFile>, StoreError> {
    let pointer = match store.get(POINTER) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        json => json?,
    };
    // Where the pointer cannot be read, any of them may be the newest.
    let Ok(pointer) = serde_json::from_slice::<Pointer>(&pointer) else { return Ok(Vec::new()) };
    let newest = format!("{FOLDER}/{}", pointer.file);
    let mut old = rankings(store)?;
    old.retain(|file| file.path != newest && file.modified_ms < kept_since_ms);
    Ok(old)
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
