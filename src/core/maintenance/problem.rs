//! What a verification finds wrong with a lake.

use std::fmt;

use crate::delta::{LogProblem, Partition};
use crate::model::Date;
use crate::rankings::PublishedFile;

/// A table of the lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LakeTable {
    Events,
    Rollups,
}

impl fmt::Display for LakeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LakeTable::Events => "events",
            LakeTable::Rollups => "rollups",
        })
    }
}

/// A file of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFile {
    pub table: LakeTable,
    /// Path below the table's folder.
    pub path: String,
    pub partition: Partition,
    pub state: FileState,
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It has other bytes than were written.
    Damaged,
    Missing,
    /// The disk or its permissions keep it from being read: it may be intact.
    OutOfReach,
}

/// What is wrong: a file, or what was computed from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// A file of a table's log.
    Log(LakeTable, LogProblem),
    /// Something cannot be read, because of the disk or its permissions: it may be intact.
    OutOfReach,
    /// A table cannot be opened, so that its files are not known.
    Table(LakeTable),
    /// A file of a table.
    File(TableFile),
    /// A day cannot be compared, because of a file that is not in the share.
    Day,
    /// The aggregates of an event type and day are not what its events add up to.
    Differing(String, Date),
    /// A copy of a month's aggregates is not what its days have, or cannot be read; by its path below the lake.
    Month(String),
    /// An index of paths is not what its days have, or cannot be read; by its path below the lake.
    PathIndex(String),
    /// What is known of ingested files, by the path of the file below the lake.
    Inputs(String),
    Published(PublishedFile),
}

/// A problem of a lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub kind: ProblemKind,
    /// Names the file, and says what is wrong with it.
    pub text: String,
}

impl Problem {
    /// Returns the event type of a damaged file of a table.
    pub(super) fn event_type(&self) -> Option<String> {
        match &self.kind {
            ProblemKind::File(file) => file.partition.get("event_type")?.clone(),
            _ => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
