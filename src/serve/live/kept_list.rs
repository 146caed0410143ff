//! A list that is kept in memory, and the hours of it that are there.
//!
//! Invariant: each of its hours has all records that were added, or it has none.

use std::sync::Arc;

use crate::live::live_board::{Board, CountedRecord, ListKind};
use topsell_core::model::{Hour, Timestamp};
use topsell_core::rank::DroppedWindow;
use topsell_core::rollup::Counts;

/// A list, of all categories.
pub(super) struct KeptList {
    pub kind: ListKind,
    pub last_asked: Timestamp,
    pub boards: Vec<Board>,
    /// Of each board that was discarded; one that was read before that is not used.
    pub discarded: u64,
    /// The records since the reading of a board began.
    pub queue: Option<Vec<Arc<CountedRecord>>>,
    /// Why it could not be read.
    pub failure: Option<String>,
    /// The end of the hour whose list cannot be made from that of the hour before, so that it is read from the lake.
    pub read_from_lake: Option<Hour>,
}

impl KeptList {
    /// Returns a list that is not read yet.
    pub fn of(kind: ListKind, now: Timestamp) -> KeptList {
        let (boards, discarded, queue, failure, read_from_lake) = (Vec::new(), 0, None, None, None);
        KeptList { kind, last_asked: now, boards, discarded, queue, failure, read_from_lake }
    }

    /// Leaves all answers to the lake until it has been read again.
    pub fn discard(&mut self) -> Vec<Board> {
        self.discarded += 1;
        std::mem::take(&mut self.boards)
    }

    /// Returns the board that ends with an hour, which the one before may have been prepared for.
    pub fn board_of(&mut self, as_of: Hour, past: &mut Vec<DroppedWindow>) -> Option<&mut Board> {
        if let Some(before) = self.boards.iter_mut().find(|board| board.ranking.has_next(as_of)) {
            past.extend(before.ranking.turn());
        }
        self.boards.iter_mut().find(|board| board.as_of() == as_of)
    }

    /// Adds the events of a record.
    pub fn add(&mut self, record: &Arc<CountedRecord>) {
        // Only those that a window has can change it.
        let is_unknown = record.counts.contains(&Counts::Unknown);
        let (now, hours) = (self.boards.iter().map(Board::as_of).max(), self.kind.hours);
        let may_be_in = |row: usize| {
            now.is_none_or(|end| {
                record.events.ts(row).hour().number() >= end.number() - 1 - hours.cast_signed()
            })
        };
        let unknown = (0..record.counts.len()).filter(|row| record.counts[*row] == Counts::Unknown);
        if is_unknown && unknown.into_iter().any(may_be_in) {
            drop(self.discard());
        }
        if let Some(queue) = &mut self.queue {
            queue.push(Arc::clone(record));
        }
        let KeptList { boards, kind, .. } = self;
        if boards.iter_mut().any(|board| board.add(kind, record).is_err()) {
            // The lake says which number does not fit.
            drop(self.discard());
        }
    }
}
