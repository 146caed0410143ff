//! What the server knows that the lake does not yet: events that are durable in the log, and how they get to the lake.
//!
//! Invariant: an event of the log is in exactly one of the two for every answer: in the segments here, or in the version
//! of the lake that the answer is read from.

mod catalog;
mod committer;
mod kept_list;
mod list_reader;
mod live_board;
mod live_lists;
mod receiver;
mod recent;
mod uncommitted;

#[cfg(test)]
mod tests;

pub use catalog::ReloadedCatalog;
pub use committer::{CommitError, Committer, CommitterStatus};
pub use live_board::ListKind;
pub use live_lists::{ListAnswer, ListQuestion, LiveLists};
pub use receiver::{ReceiveError, Received, ReceivedReject, Receiver, Receiving, Totals};
pub use recent::{Recent, RecentQuery};
pub use uncommitted::{SegmentBatch, Uncommitted};
