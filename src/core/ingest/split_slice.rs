//! A slice of a file that grows, split into what is already ingested and what is new.
//!
//! Invariant: the parts follow each other, and are the slice together.

use std::ops::Range;

use crate::ingest::record_bounds::{Quoting, last_complete_record_end};
use crate::ingest::slices::Slice;
use crate::lake::{BatchSize, KnownInput};

/// A slice, of which the beginning may be ingested.
pub(super) struct SplitSlice {
    /// What is already ingested, and its size.
    pub known: Range<usize>,
    pub known_size: BatchSize,
    /// The complete new records, and the last one where it has no newline.
    pub complete: Range<usize>,
    pub tail: Range<usize>,
    /// The record without a newline that was ingested, and is new again since it has changed.
    pub replaces: Option<KnownInput>,
    /// The batches whose lines were all rejected and are read again.
    pub read_again: Vec<String>,
    /// The batch before the next part.
    pub after: Option<String>,
    /// The size of the slice before the next part.
    pub size: BatchSize,
}

impl SplitSlice {
    /// Returns the batch that what is already ingested ends with.
    pub fn known_id(&self) -> Option<&str> {
        self.after.as_deref()
    }

    pub fn new(slice: &Slice, after: Option<String>) -> SplitSlice {
        let end = slice.bytes.len();
        SplitSlice {
            known: 0..0,
            known_size: BatchSize::default(),
            complete: 0..end,
            tail: end..end,
            replaces: None,
            read_again: Vec::new(),
            after,
            size: BatchSize::default(),
        }
    }

    /// Takes what is known out of the new part.
    pub fn take_known(
        &mut self,
        slice: &Slice,
        known: KnownInput,
        size: BatchSize,
        quoting: Option<Quoting>,
    ) {
        let end = (known.bytes - slice.start) as usize;
        let tail = usize::try_from(known.tail_bytes).unwrap_or(usize::MAX).min(end);
        let with_newline = slice.bytes.get(end - tail..=end);
        let is_completed = tail == 0
            || with_newline.is_some_and(|record| last_complete_record_end(record, quoting) == Some(tail + 1));
        self.after = Some(known.id.clone());
        if is_completed {
            self.known_size = size;
            self.known = 0..end;
        } else {
            self.known_size = size.minus(known.tail_size);
            self.known = 0..end - tail;
            self.replaces = Some(known).filter(|known| known.hours.is_some());
        }
        self.size = self.known_size;
        self.complete.start = self.known.end;
    }

    /// Takes a last record without a newline out of the complete ones.
    pub fn cut_tail(&mut self, slice: &Slice, quoting: Option<Quoting>) {
        let new = &slice.bytes[self.complete.clone()];
        let end = last_complete_record_end(new, quoting).unwrap_or(0);
        if !new[end..].trim_ascii().is_empty() {
            self.complete.end = self.complete.start + end;
            self.tail.start = self.complete.end;
        }
    }
}
