//! The queue between the threads that append and the one that writes.
//!
//! Invariant: what is queued and what is being written together never exceed the limits, and after the queue
//! has ended every append gets the reason.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

use crate::log::error::LogError;
use crate::log::record::encoded_bytes;
use crate::log::segment_name::SealedSegment;
use crate::log::ticket::{Appended, Completion, Ticket, ticket};

/// A record that waits to be written.
pub(super) struct Pending<R> {
    pub time_micros: i64,
    pub payload: Vec<u8>,
    pub completion: Completion<Appended<R>>,
}

impl<R> Pending<R> {
    fn encoded_bytes(&self) -> usize {
        encoded_bytes(self.payload.len())
    }
}

/// When the current segment is to be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SealRequest {
    /// If it is due at a time.
    IfDue { now_micros: i64 },
    /// In any case.
    Now,
}

/// What the writing thread is to do next.
pub(super) enum Work<R> {
    Seal(SealRequest, Completion<Option<SealedSegment>>),
    Write(VecDeque<Pending<R>>),
    Close,
}

pub(super) struct Queue<R> {
    state: Mutex<State<R>>,
    changed: Condvar,
    max_bytes: usize,
    max_records: usize,
}

struct State<R> {
    pending: VecDeque<Pending<R>>,
    seals: VecDeque<(SealRequest, Completion<Option<SealedSegment>>)>,
    /// Of the pending records and of those that were taken and not released.
    bytes: usize,
    records: usize,
    is_closing: bool,
    ended: Option<LogError>,
}

impl<R> Queue<R> {
    pub(super) fn new(max_bytes: usize, max_records: usize) -> Queue<R> {
        let state = State {
            pending: VecDeque::new(),
            seals: VecDeque::new(),
            bytes: 0,
            records: 0,
            is_closing: false,
            ended: None,
        };
        Queue { state: Mutex::new(state), changed: Condvar::new(), max_bytes, max_records }
    }

    /// Queues a record, or refuses it at once.
    pub(super) fn append(&self, time_micros: i64, payload: Vec<u8>) -> Result<Ticket<Appended<R>>, LogError> {
        let max = self.max_bytes.min(u32::MAX as usize).saturating_sub(encoded_bytes(0));
        if payload.len() > max {
            return Err(LogError::TooLarge { bytes: payload.len(), max });
        }
        let (completion, ticket) = ticket();
        let pending = Pending { time_micros, payload, completion };
        let bytes = pending.encoded_bytes();
        let mut state = self.lock_open()?;
        // A record that is larger than the limit with its padding is let in by itself.
        if state.records > 0 && (state.bytes + bytes > self.max_bytes || state.records >= self.max_records) {
            return Err(LogError::Overloaded);
        }
        state.bytes += bytes;
        state.records += 1;
        let was_empty = state.pending.is_empty();
        state.pending.push_back(pending);
        drop(state);
        if was_empty {
            self.changed.notify_all();
        }
        Ok(ticket)
    }

    /// Asks for the current segment to be sealed.
    pub(super) fn request_seal(
        &self,
        request: SealRequest,
    ) -> Result<Ticket<Option<SealedSegment>>, LogError> {
        let (completion, ticket) = ticket();
        self.lock_open()?.seals.push_back((request, completion));
        self.changed.notify_all();
        Ok(ticket)
    }

    /// Lets nothing more in; what is queued is still written.
    pub(super) fn close(&self) {
        self.lock().is_closing = true;
        self.changed.notify_all();
    }

    /// Waits for something to do.
    pub(super) fn next_work(&self) -> Work<R> {
        let mut state = self.lock();
        loop {
            if let Some((request, completion)) = state.seals.pop_front() {
                return Work::Seal(request, completion);
            }
            if !state.pending.is_empty() {
                return Work::Write(std::mem::take(&mut state.pending));
            }
            if state.is_closing {
                return Work::Close;
            }
            state = self.changed.wait(state).expect("nothing panics while it holds the queue");
        }
    }

    /// Makes room in the queue for as much as some taken records had.
    pub(super) fn release<'a>(&self, taken: impl Iterator<Item = &'a Pending<R>>)
    where
        R: 'a,
    {
        let (records, bytes) =
            taken.fold((0, 0), |(records, bytes), one| (records + 1, bytes + one.encoded_bytes()));
        let mut state = self.lock();
        state.records -= records;
        state.bytes -= bytes;
    }

    /// Ends the queue: whatever waits and whatever comes gets the reason, unless there is an earlier one.
    pub(super) fn end(&self, reason: &LogError) {
        let mut state = self.lock();
        let reason = state.ended.get_or_insert_with(|| reason.clone()).clone();
        let pending = std::mem::take(&mut state.pending);
        let seals = std::mem::take(&mut state.seals);
        drop(state);
        pending.into_iter().for_each(|one| one.completion.complete(Err(reason.clone())));
        seals.into_iter().for_each(|(_, completion)| completion.complete(Err(reason.clone())));
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().expect("nothing panics while it holds the queue")
    }

    fn lock_open(&self) -> Result<MutexGuard<'_, State<R>>, LogError> {
        let state = self.lock();
        match &state.ended {
            Some(reason) => Err(reason.clone()),
            None if state.is_closing => Err(LogError::Closed),
            None => Ok(state),
        }
    }
}
