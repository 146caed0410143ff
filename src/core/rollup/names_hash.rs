//! The hash of the names of some files, by which what was made from them is known to be of them and no others.

use crate::storage::checksum_of;

/// Returns the hash of paths, in whatever order they come.
pub(super) fn names_hash<'a>(paths: impl Iterator<Item = &'a str>) -> u64 {
    let mut paths: Vec<&str> = paths.collect();
    paths.sort_unstable();
    checksum_of(&[paths.join("\n").as_bytes()])
}
