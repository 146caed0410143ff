//! The hash of the names of some files, by which what was made from them is known to be of them and no others.

use crate::model::Date;
use crate::storage::checksum_of;

/// Returns the hash of paths, in whatever order they come.
pub(super) fn names_hash<'a>(paths: impl Iterator<Item = &'a str>) -> u64 {
    let mut paths: Vec<&str> = paths.collect();
    paths.sort_unstable();
    checksum_of(&[paths.join("\n").as_bytes()])
}

/// Returns what the name of a file begins with that was made from some files of a month: the month, and the hash of their
/// paths.
pub(super) fn name_of_month<'a>(first: Date, paths: impl Iterator<Item = &'a str>) -> String {
    let date = first.to_string();
    let month = date.rsplit_once('-').map_or(date.as_str(), |(month, _)| month);
    format!("{month}-{:016x}", names_hash(paths))
}
