//! The log of acknowledged events: what a server has answered for and the lake does not hold yet.
//!
//! Invariant: a record whose ticket succeeded is read back by every later [`EventLog::open`], exactly once
//! and in order, until the segment that holds it is deleted.
//!
//! # How a record becomes durable
//!
//! [`EventLog::append`] queues a record and returns a [`Ticket`]. One thread takes everything that is queued,
//! writes it with one `pwrite` to a preallocated segment, makes it durable with one `fdatasync`, calls the
//! caller's `apply` with each record in the order of their sequence numbers, and completes the tickets.
//! Records that were written together are a *group*. A group is written only after the sync of the one before
//! it, and each record names the first of its group; reading relies on both.
//!
//! # How it refuses
//!
//! - The queue has a limit in bytes and in records, and whatever is being written counts. A full queue
//!   refuses at once ([`LogError::Overloaded`]).
//! - A full disk shows when the next segment is preallocated: nothing of it is part of the log, so the records
//!   that waited are refused with [`LogError::Full`], and a later append tries again.
//! - After any other failed write or sync ([`LogError::Failed`]), also where the disk is full, nothing is
//!   acknowledged until the log has been opened again. A sync is never repeated: the kernel may have marked
//!   the pages clean that it could not write, and the second sync would succeed without them.
//!
//! # Positions
//!
//! Each opening has an *incarnation*, one more than the highest seen, and sequence numbers start at 1 in each:
//! no counter has to be saved while records are written, and a number that was cut off with a torn group is
//! never given to another record under the same name. A position is written `main.3:4711`: site, incarnation,
//! sequence. Each segment names the last record before it, which links the incarnations. The number of the
//! incarnation is in the file `incarnation`, so that it outlives all segments; on a full disk it is saved
//! with the first segment, before which no record can have it.
//!
//! # What opening does
//!
//! It takes a lock, reads all segments, verifies that no record is missing between the first and the last,
//! and calls `apply` with each. The newest segment is open where the log was not closed. Its last group may be
//! torn: it is cut before the first record of it that is not intact, which is reported as a [`Cut`]. What
//! remains is synced, after the last group has been written once more with the same bytes: after a failed
//! sync its pages may be in memory only and count as clean. Everything else that is not intact is
//! [`LogError::Damaged`], and nothing is changed.
//!
//! One kind of damage cannot be told from a torn group: in an open segment, damage from some record on after
//! which no header of a record of a later group is intact. So it covers at least the last group, because
//! nothing was written after that which would prove that it had been acknowledged. It is reported as a [`Cut`],
//! too, unless it left zeros only. A log that was closed has no open segment, so this needs a crash and damage
//! at the same place.
//! What is wholly absent at either end of the log, such as a sealed segment that somebody has removed, shows
//! only in the positions of consumers and of the lake.
//!
//! # The folder
//!
//! ```text
//! log/lock                                                         held while the log is open
//! log/incarnation                                                  `3`: the last incarnation
//! log/main.0000000003-0000000000004711.open                        the segment that is being written
//! log/main.0000000003-0000000000000001-0000000000004710.sealed     one that is complete: first, last sequence
//! log/consumers/lake                                               `main.3:4710`: this consumer has these
//! log/*.new                                                        not finished; removed by the next opening
//! ```

mod consumers;
mod disk;
mod error;
mod event_log;
mod position;
mod queue;
mod record;
mod recovery;
mod seal;
mod segment;
mod segment_header;
mod segment_id;
mod segment_name;
mod ticket;
mod writer;
mod writer_thread;

#[cfg(test)]
pub mod tests;

pub use error::{Damage, Follows, LogError};
pub use event_log::{EventLog, Options};
pub use position::{Position, PositionError, Site};
pub use record::Record;
pub use recovery::{Cut, Recovered};
pub use segment::{Records, Segment};
pub use segment_id::SegmentId;
pub use segment_name::{SealedSegment, SegmentName};
pub use ticket::{Appended, Ticket};
