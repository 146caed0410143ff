//! The events that a scheduler waits for, sent by any thread.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use topsell_core::storage::{Lock, LockError};

/// The channel of a scheduler's events.
pub struct EventChannel {
    send: Sender<SchedulerEvent>,
    receive: Receiver<SchedulerEvent>,
}

/// A handle by which other threads send events.
#[derive(Clone)]
pub struct EventSender(Sender<SchedulerEvent>);

/// An event of a scheduler.
pub(super) enum SchedulerEvent {
    Stop,
    Reload,
    /// A child process may have exited.
    ChildExited,
    /// The leader lock was taken, or cannot be taken.
    Elected(Result<Lock, LockError>),
    /// The result of cleaning up after a run whose process died.
    OrphanReaped(String),
}

impl Default for EventChannel {
    fn default() -> EventChannel {
        let (send, receive) = channel();
        EventChannel { send, receive }
    }
}

impl EventChannel {
    /// Returns a handle for another thread.
    pub fn sender(&self) -> EventSender {
        EventSender(self.send.clone())
    }

    /// Waits for events, at most for a time, and returns all pending ones.
    pub(super) fn wait(&self, length: Duration) -> Vec<SchedulerEvent> {
        let first = self.receive.recv_timeout(length).ok();
        first.into_iter().chain(self.receive.try_iter()).collect()
    }
}

impl EventSender {
    /// Requests the scheduler to stop.
    pub fn stop(&self) {
        self.send(SchedulerEvent::Stop);
    }

    /// Requests the scheduler to reload its jobs.
    pub fn reload(&self) {
        self.send(SchedulerEvent::Reload);
    }

    /// Reports that a child process may have exited.
    pub fn child_exited(&self) {
        self.send(SchedulerEvent::ChildExited);
    }

    pub(super) fn send(&self, event: SchedulerEvent) {
        // The scheduler may have ended.
        let _ = self.0.send(event);
    }
}
