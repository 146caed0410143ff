//! The rejected lines of a batch: all are counted, the first ones are kept.
//!
//! Invariant: what is kept has no more bytes than there was room for, however much is rejected: a small
//! compressed file may have a billion bad lines.

use std::cell::Cell;

use crate::ingest::raw_event::Rejection;
use crate::lake::Reject;

/// The number of bytes of a rejected line that are kept with the reason.
const MAX_KEPT_BYTES: usize = 1 << 20;
/// Approximate size of a reject besides its texts.
const BYTES_PER_REJECT: u64 = 256;
/// Which part of the room of a run an input may take, so that the first one does not take all of it.
const INPUTS_PER_RUN: u64 = 4;

/// The rejected lines of a batch, or of a part of one.
#[derive(Debug, Default)]
pub(super) struct KeptRejects {
    kept: Vec<Reject>,
    count: u64,
    size_bytes: u64,
    max_bytes: u64,
}

impl KeptRejects {
    /// Returns none yet, with room for so many bytes.
    pub fn within(max_bytes: u64) -> KeptRejects {
        KeptRejects { max_bytes, ..KeptRejects::default() }
    }

    /// Counts a rejected line of a file, and keeps it where there is room.
    pub fn push(&mut self, file: &str, line: u64, rejection: Rejection, text: &[u8]) {
        // Of lines in their order the first ones are kept, not those that happen to be short.
        let is_first = self.kept.len() as u64 == self.count;
        self.count += 1;
        let kept = &text[..text.len().min(MAX_KEPT_BYTES)];
        let utf8 = std::str::from_utf8(kept).ok();
        let texts = utf8.map_or(2 * kept.len(), str::len) + rejection.reason.len() + file.len();
        let size_bytes = BYTES_PER_REJECT + texts as u64;
        if !is_first || self.size_bytes + size_bytes > self.max_bytes {
            return;
        }
        self.size_bytes += size_bytes;
        self.kept.push(Reject {
            file: file.to_owned(),
            line: Some(line),
            column: rejection.column,
            reason: rejection.reason,
            text: utf8.map(str::to_owned),
            bytes_hex: utf8.is_none().then(|| kept.iter().map(|byte| format!("{byte:02x}")).collect()),
        });
    }

    /// Returns how many lines were rejected.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns how many of them are not kept.
    pub fn unkept(&self) -> u64 {
        self.count - self.kept.len() as u64
    }

    /// Returns the memory of those that are kept.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns those that are kept.
    pub fn kept(&self) -> &[Reject] {
        &self.kept
    }

    /// Returns those that are kept.
    pub fn into_kept(self) -> Vec<Reject> {
        self.kept
    }
}

/// How many bytes of rejects may still be kept in a run.
pub(super) struct RejectRoom {
    run: Cell<u64>,
    input: Cell<u64>,
    input_bytes: u64,
}

impl RejectRoom {
    /// Returns the room of a run that keeps so many bytes.
    pub fn of_run(max_bytes: u64) -> RejectRoom {
        let input_bytes = max_bytes / INPUTS_PER_RUN;
        RejectRoom { run: Cell::new(max_bytes), input: Cell::new(input_bytes), input_bytes }
    }

    /// Begins the next input.
    pub fn begin_input(&self) {
        self.input.set(self.input_bytes);
    }

    /// Returns how many bytes of the next batch may be kept.
    pub fn left(&self) -> u64 {
        self.run.get().min(self.input.get())
    }

    /// Takes what a batch keeps.
    pub fn take(&self, rejects: &KeptRejects) {
        for left in [&self.run, &self.input] {
            left.set(left.get().saturating_sub(rejects.size_bytes));
        }
        if rejects.unkept() > 0 {
            // Nor is a short line of a later batch kept.
            self.input.set(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(rejects: &mut KeptRejects, bytes: usize) {
        rejects.push("", 1, Rejection::of_line(""), &b"x".repeat(bytes));
    }

    #[test]
    fn the_first_rejects_are_kept_within_their_room_and_all_are_counted() {
        let room = RejectRoom::of_run(4 * 600);
        let mut rejects = KeptRejects::within(room.left());
        [10, 10, 500, 1, 1].into_iter().for_each(|bytes| push(&mut rejects, bytes));
        assert_eq!((rejects.count(), rejects.unkept(), rejects.kept().len()), (5, 3, 2));
        room.take(&rejects);
        assert_eq!(room.left(), 0, "of this input no more is kept");
        for _ in 0..10 {
            room.begin_input();
            let mut rejects = KeptRejects::within(room.left());
            push(&mut rejects, 300);
            room.take(&rejects);
        }
        assert!(room.left() < 556, "nor of the run");
    }
}
