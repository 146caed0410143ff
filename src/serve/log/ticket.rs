//! Tickets: how whoever has queued something learns what became of it.
//!
//! Invariant: every ticket is completed, also where the thread that should do it ends early.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use crate::log::error::LogError;
use crate::log::position::Position;

/// A record is durable and was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended<R> {
    /// The record's position.
    pub position: Position,
    /// What `apply` returned for it.
    pub applied: R,
}

/// The outcome of something queued, to be waited for by a thread ([`Ticket::wait`]) or a task (`.await`).
#[derive(Debug)]
pub struct Ticket<T> {
    slot: Arc<Slot<T>>,
}

/// The other end of a ticket. One that is dropped completes it with [`LogError::Closed`].
#[derive(Debug)]
pub(super) struct Completion<T> {
    slot: Arc<Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    state: Mutex<State<T>>,
    completed: Condvar,
}

#[derive(Debug)]
enum State<T> {
    Waiting(Option<Waker>),
    Completed(Result<T, LogError>),
    Taken,
}

/// Returns the two ends of a ticket.
pub(super) fn ticket<T>() -> (Completion<T>, Ticket<T>) {
    let slot = Arc::new(Slot { state: Mutex::new(State::Waiting(None)), completed: Condvar::new() });
    (Completion { slot: Arc::clone(&slot) }, Ticket { slot })
}

impl<T> Ticket<T> {
    /// Waits for the outcome.
    ///
    /// # Errors
    /// Says why nothing is known to be durable.
    pub fn wait(self) -> Result<T, LogError> {
        let mut state = self.slot.lock();
        loop {
            match std::mem::replace(&mut *state, State::Taken) {
                State::Completed(outcome) => return outcome,
                before => *state = before,
            }
            state = self.slot.completed.wait(state).expect("nothing panics while it holds the state");
        }
    }
}

impl<T> Future for Ticket<T> {
    type Output = Result<T, LogError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T, LogError>> {
        let mut state = self.slot.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Completed(outcome) => Poll::Ready(outcome),
            State::Waiting(_) => {
                *state = State::Waiting(Some(context.waker().clone()));
                Poll::Pending
            }
            State::Taken => panic!("a ticket is not polled again after it was ready"),
        }
    }
}

impl<T> Completion<T> {
    pub(super) fn complete(self, outcome: Result<T, LogError>) {
        self.slot.complete(outcome);
    }
}

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        self.slot.complete(Err(LogError::Closed));
    }
}

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("nothing panics while it holds the state")
    }

    /// Completes the ticket unless it is already.
    fn complete(&self, outcome: Result<T, LogError>) {
        let mut state = self.lock();
        if let State::Waiting(waker) = &mut *state {
            let waker = waker.take();
            *state = State::Completed(outcome);
            drop(state);
            self.completed.notify_all();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}
