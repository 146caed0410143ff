//! The events that a run waits for: the end of a step, a request to stop, a timeout.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::process::ProcessEvent;

/// The channel of a run's events.
pub struct RunEvents {
    send: Sender<RunEvent>,
    receive: Receiver<RunEvent>,
    stopped: Cell<Option<i32>>,
}

/// A handle by which another thread stops a run.
#[derive(Clone)]
pub struct StopHandle(Sender<RunEvent>);

/// One piece of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunEvent {
    Step(ProcessEvent),
    /// A signal requests the run to stop.
    Stop(i32),
}

impl Default for RunEvents {
    fn default() -> RunEvents {
        let (send, receive) = channel();
        RunEvents { send, receive, stopped: Cell::new(None) }
    }
}

impl RunEvents {
    /// Returns a handle by which another thread stops the run.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(self.send.clone())
    }

    /// Returns a callback for the events of a step.
    pub(super) fn step_listener(&self) -> impl Fn(ProcessEvent) + Send + use<> {
        let send = self.send.clone();
        // The run may have stopped waiting for the step.
        move |progress| {
            let _ = send.send(RunEvent::Step(progress));
        }
    }

    /// Waits for an event, at most for a time.
    pub(super) fn wait(&self, at_most: Option<Duration>) -> Option<RunEvent> {
        let event = match at_most {
            Some(at_most) => self.receive.recv_timeout(at_most),
            None => self.receive.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if let Ok(RunEvent::Stop(signal)) = event {
            self.stopped.set(Some(signal));
        }
        event.ok()
    }

    /// Waits for a time or until a stop is requested; returns the signal.
    pub(super) fn pause(&self, length: Duration) -> Option<i32> {
        // Between steps there are no other events.
        if self.stopped.get().is_none() {
            self.wait(Some(length));
        }
        self.stopped.get()
    }

    /// Returns the signal that requested a stop, if any.
    pub(super) fn stopped(&self) -> Option<i32> {
        while let Ok(event) = self.receive.try_recv() {
            if let RunEvent::Stop(signal) = event {
                self.stopped.set(Some(signal));
            }
        }
        self.stopped.get()
    }
}

impl StopHandle {
    /// Requests the run to stop because of a signal.
    pub fn stop(&self, signal: i32) {
        // The run may have ended.
        let _ = self.0.send(RunEvent::Stop(signal));
    }
}
