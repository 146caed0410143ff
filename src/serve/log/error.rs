//! Why the log refuses, and what is wrong with a damaged one.
//!
//! Invariant: each variant asks something else of the caller, and what concerns a file names it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::io::Errno;

use crate::log::position::Position;
use crate::log::segment_name::SegmentName;

/// The log could not do what was asked of it. One failure may answer many waiting threads, hence `Clone`.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// Another process has the log open.
    #[error("{}: the log is open in another process", path.display())]
    Locked {
        /// The file that the other process holds.
        path: PathBuf,
    },
    /// The queue is full; to be tried again later.
    #[error("too many events are waiting to be written")]
    Overloaded,
    /// The payload is larger than the queue may ever be.
    #[error("a record of {bytes} bytes is too large: at most {max}")]
    TooLarge {
        /// The size of the payload.
        bytes: usize,
        /// The largest size of a payload.
        max: usize,
    },
    /// The disk, or this account's share of it, is full. Nothing was written; to be tried again later.
    #[error("{}: {source}", path.display())]
    Full {
        /// The file that got no space.
        path: PathBuf,
        /// What the disk said.
        source: Arc<io::Error>,
    },
    /// A write or a sync failed: whether the waiting records are durable shows when the log is opened again.
    #[error("{}: {source}; nothing is acknowledged until the log has been opened again", path.display())]
    Failed {
        /// The file that was written.
        path: PathBuf,
        /// What the disk said.
        source: Arc<io::Error>,
    },
    /// The log is closed, or its thread ended because `apply` panicked.
    #[error("the log is closed")]
    Closed,
    /// The log could not be opened, or a file beside the records not be written; the log is as it was.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        source: Arc<io::Error>,
    },
    /// The log is not what was written.
    #[error("{}: at byte {offset}: {damage}; {}", path.display(), damage.remedy())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// The folder holds the log of another site.
    #[error("{}: the log belongs to site {found}, not {expected}; start the server with that name", path.display())]
    OtherSite {
        /// The segment.
        path: PathBuf,
        /// The site whose segment it is.
        found: String,
        /// The site that the log was opened for.
        expected: String,
    },
    /// A consumer's name cannot be the name of a file.
    #[error("invalid consumer name {name:?}: use 1 to 63 lowercase letters, digits, `-` and `_`")]
    ConsumerName {
        /// The name.
        name: String,
    },
    /// No consumer of this name is registered.
    #[error("no consumer {name} is registered")]
    NotRegistered {
        /// The name.
        name: String,
    },
    /// The segment cannot be deleted yet.
    #[error("segment {segment} is kept for consumer {consumer}, which is at {position}")]
    Retained {
        /// The segment.
        segment: SegmentName,
        /// A consumer that has not passed it.
        consumer: String,
        /// How far it is.
        position: Position,
    },
    /// Segments are deleted from the oldest on, so that none is missing in the middle.
    #[error("segment {segment} is not the oldest sealed segment")]
    NotOldest {
        /// The segment.
        segment: SegmentName,
    },
}

impl LogError {
    pub(super) fn io(path: impl Into<PathBuf>, source: io::Error) -> LogError {
        LogError::Io { path: path.into(), source: Arc::new(source) }
    }

    pub(super) fn failed(path: impl Into<PathBuf>, source: io::Error) -> LogError {
        LogError::Failed { path: path.into(), source: Arc::new(source) }
    }

    /// Returns the error of a step that left the log as it was: retriable where the disk is full, or too many files are
    /// open.
    pub(super) fn full_or_failed(path: impl Into<PathBuf>, source: io::Error) -> LogError {
        let (path, source) = (path.into(), Arc::new(source));
        if is_full(&source) || has_too_many_files(&source) {
            LogError::Full { path, source }
        } else {
            LogError::Failed { path, source }
        }
    }
}

/// What is wrong with a segment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file's name is not one that the log gives.
    #[error("the name is not that of a segment")]
    Name,
    /// The segment's header does not verify, or is that of another segment.
    #[error("the header is damaged, or that of another segment or of a newer version")]
    Header,
    /// A record does not verify.
    #[error("record {sequence} is damaged")]
    Record {
        /// The record's number.
        sequence: u64,
    },
    /// An intact record is not the one that belongs here.
    #[error("record {expected} is missing: record {found} is in its place")]
    Sequence {
        /// The number that belongs here.
        expected: u64,
        /// The number that is here.
        found: u64,
    },
    /// A record does not verify, though it had been synced: a later group was written.
    #[error("record {sequence} is damaged, and is no torn write: record {later} of a later write follows")]
    BeforeLaterWrite {
        /// The damaged record's number.
        sequence: u64,
        /// The number of the first record found of a later write.
        later: u64,
    },
    /// The records do not end where the file's name says.
    #[error("the last record is {found}, not {expected}")]
    LastRecord {
        /// The number in the file's name.
        expected: u64,
        /// The number of the last record in the file.
        found: u64,
    },
    /// The segment does not follow the one before it.
    #[error(
        "segments are missing before this one: it follows {expected}, but the folder has only up to {found}"
    )]
    MissingSegment {
        /// The incarnation and sequence of the last record before it.
        expected: Follows,
        /// The incarnation and sequence of the last record of the older segment found.
        found: Follows,
    },
    /// An unfinished segment is not the newest.
    #[error("the segment is unfinished, though newer ones follow")]
    OpenBeforeOthers,
    /// The saved incarnation is no number.
    #[error("the file does not hold a number")]
    Incarnation,
    /// The saved position of a consumer is none.
    #[error("the file does not hold a position")]
    Consumer,
}

impl Damage {
    /// Returns what whoever runs the server can do.
    fn remedy(&self) -> &'static str {
        match self {
            Damage::Incarnation => {
                "write into it the highest incarnation that any position of this site was given with"
            }
            Damage::Consumer => {
                "restore the file from a copy, or remove it: the consumer then has to register again"
            }
            _ => {
                "restore the missing or damaged file from a copy, or move it and every older segment to another \
                 folder, which loses those of their records that are not yet in the lake"
            }
        }
    }
}

/// The last record before a segment: incarnation and sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follows {
    /// The incarnation; 0 where there was no record.
    pub incarnation: u32,
    /// The sequence number in the incarnation.
    pub sequence: u64,
}

impl Follows {
    /// Before the first record of all.
    pub(super) const NOTHING: Follows = Follows { incarnation: 0, sequence: 0 };
}

impl std::fmt::Display for Follows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.incarnation, self.sequence)
    }
}

/// Returns whether this process, or the machine, has too many files open.
fn has_too_many_files(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|of| error.raw_os_error() == Some(of.raw_os_error()))
}

/// Returns whether the disk, or this account's share of it, is full.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
