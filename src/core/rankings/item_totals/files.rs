//! Where published item totals are stored, and how a large file is checked.

use blake3::Hasher;

use crate::storage::{Store, StoreError};

pub(super) const FOLDER: &str = "totals";
pub(in crate::rankings) const POINTER: &str = "totals/current.json";
/// Bytes of a file that are read or written at once.
pub(super) const BUFFER_BYTES: u64 = 8 << 20;

/// Returns the hash of the first bytes of a file, which need not fit into memory.
pub(super) fn hash_of(store: &Store, path: &str, size_bytes: u64) -> Result<String, StoreError> {
    let mut hash = Hasher::new();
    let mut at = 0;
    while at < size_bytes {
        let end = size_bytes.min(at + BUFFER_BYTES);
        hash.update_rayon(&store.get_range(path, at..end)?);
        at = end;
    }
    Ok(hash.finalize().to_hex().to_string())
}
