//! Names of segments and of their files.
//!
//! ```text
//! main.0000000003-0000000000004711.new                        being prepared, not yet part of the log
//! main.0000000003-0000000000004711.open                       being written
//! main.0000000003-0000000000004711-0000000000009999.sealed    complete
//! ```
//!
//! Site, incarnation, first sequence number and, of a complete segment, the last one. The first three name the
//! segment, also as a batch of the lake. The last makes a segment that lost its end noticed.
//!
//! Invariant: by name, the files of a site are in the order of their records.

use std::fmt;

use crate::log::position::{Position, Site};

pub(super) const NEW: &str = ".new";
const OPEN: &str = ".open";
const SEALED: &str = ".sealed";

/// The name of a segment, such as `main.0000000003-0000000000004711`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentName {
    /// The site whose log it is of.
    pub site: Site,
    /// The opening of the log that wrote it.
    pub incarnation: u32,
    /// The sequence number of its first record.
    pub first: u64,
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:010}-{:016}", self.site, self.incarnation, self.first)
    }
}

impl SegmentName {
    pub(super) fn new_file(&self) -> String {
        format!("{self}{NEW}")
    }

    pub(super) fn open_file(&self) -> String {
        format!("{self}{OPEN}")
    }

    pub(super) fn sealed_file(&self, last: u64) -> String {
        format!("{self}-{last:016}{SEALED}")
    }
}

/// A segment that is complete: it never changes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSegment {
    /// Its name.
    pub name: SegmentName,
    /// The sequence number of its last record.
    pub last: u64,
    /// The size of its file.
    pub size_bytes: u64,
}

impl SealedSegment {
    /// Returns the name of its file in the folder of the log.
    pub fn file_name(&self) -> String {
        self.name.sealed_file(self.last)
    }

    /// Returns the position of the last record.
    pub fn last_position(&self) -> Position {
        let SegmentName { site, incarnation, .. } = self.name.clone();
        Position { site, incarnation, sequence: self.last }
    }

    /// Returns the number of records.
    pub fn records(&self) -> u64 {
        self.last - self.name.first + 1
    }
}

/// What the name of a segment's file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentFile {
    pub name: SegmentName,
    /// The last sequence number; none of a segment that is being written.
    pub last: Option<u64>,
}

impl SegmentFile {
    pub(super) fn file_name(&self) -> String {
        match self.last {
            Some(last) => self.name.sealed_file(last),
            None => self.name.open_file(),
        }
    }

    /// Reads the name of a file.
    pub(super) fn parse(file_name: &str) -> Option<SegmentFile> {
        let (stem, last) = match file_name.strip_suffix(OPEN) {
            Some(stem) => (stem, None),
            None => {
                let (stem, last) = file_name.strip_suffix(SEALED)?.rsplit_once('-')?;
                (stem, Some(last.parse().ok()?))
            }
        };
        let (site, numbers) = stem.rsplit_once('.')?;
        let (incarnation, first) = numbers.split_once('-')?;
        let (incarnation, first) = (incarnation.parse().ok()?, first.parse().ok()?);
        let name = SegmentName { site: Site::new(site).ok()?, incarnation, first };
        let parsed = SegmentFile { name, last };
        let is_in_order = first > 0 && last.is_none_or(|last| last >= first);
        (is_in_order && parsed.file_name() == file_name).then_some(parsed)
    }
}

/// Returns whether a file claims to be a segment of the log.
pub(super) fn is_segment(file_name: &str) -> bool {
    file_name.ends_with(OPEN) || file_name.ends_with(SEALED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_files_are_read_back_and_are_in_order() {
        let name = SegmentName { site: Site::new("a-b").expect("valid"), incarnation: 3, first: 4711 };
        assert_eq!(name.open_file(), "a-b.0000000003-0000000000004711.open");
        let sealed = name.sealed_file(9999);
        assert_eq!(sealed, "a-b.0000000003-0000000000004711-0000000000009999.sealed");
        for last in [None, Some(9999)] {
            let file = SegmentFile { name: name.clone(), last };
            assert_eq!(SegmentFile::parse(&file.file_name()), Some(file));
        }
        let later = SegmentName { incarnation: 10, first: 1, ..name.clone() };
        assert!(sealed < later.open_file());
        for other in ["x.open", "a-b.3-4711.open", "a-b.0000000003-0000000000004711-0000000000000009.sealed"]
        {
            assert!(is_segment(other));
            assert_eq!(SegmentFile::parse(other), None, "{other}");
        }
    }
}
