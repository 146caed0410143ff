//! Standard input as a stream of events: bytes with their time of arrival, ticks, the request to stop.
//!
//! The command line reads the pipe, the clock and the signals, and sends the events; so nothing here
//! reads the clock, and a test can send events of its own.
//!
//! Invariant: every byte that was sent is read, also after a request to stop.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::model::Timestamp;

/// After a request to stop, what the pipe still holds is read until nothing arrives for this long.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// An event of standard input.
#[derive(Debug)]
pub enum StdinEvent {
    /// Bytes have arrived.
    Bytes { bytes: Vec<u8>, at: Timestamp },
    /// What has arrived is to be committed.
    Tick,
    /// The run is to end.
    Stop,
    /// The end of the input.
    End,
    /// Standard input cannot be read.
    Failed(io::Error),
}

/// Tells a stream at once that the run is to end, ahead of the events that wait to be read.
#[derive(Clone, Debug, Default)]
pub struct StopHandle(Arc<AtomicBool>);

impl StopHandle {
    /// Requests that the stream ends: what has arrived is no longer committed in small batches.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether it was requested.
    pub(super) fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Standard input, and the output for acknowledgements where the sender expects them.
pub struct StdinStream {
    events: Receiver<StdinEvent>,
    state: RefCell<State>,
    acknowledgements: RefCell<Box<dyn Write>>,
    stop: StopHandle,
}

struct State {
    phase: Phase,
    /// Bytes that have arrived; those from `at` on are not read yet.
    bytes: Vec<u8>,
    at: usize,
    arrived: Timestamp,
    was_stopped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// A stop was requested.
    Stopping,
    Ended,
}

impl StdinStream {
    /// Returns a stream of the given events that was opened at `began`.
    pub fn of(events: Receiver<StdinEvent>, began: Timestamp) -> StdinStream {
        let state =
            State { phase: Phase::Open, bytes: Vec::new(), at: 0, arrived: began, was_stopped: false };
        StdinStream {
            events,
            state: RefCell::new(state),
            acknowledgements: RefCell::new(Box::new(io::sink())),
            stop: StopHandle::default(),
        }
    }

    /// Returns the handle that requests the end of the stream; an event [`StdinEvent::Stop`] follows it.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Returns the stream with an output for acknowledgements.
    #[must_use]
    pub fn acknowledged_on(self, output: impl Write + 'static) -> StdinStream {
        StdinStream { acknowledgements: RefCell::new(Box::new(output)), ..self }
    }

    /// Returns when the newest bytes arrived.
    pub fn arrived(&self) -> Timestamp {
        self.state.borrow().arrived
    }

    /// Returns whether a stop was requested.
    pub fn was_stopped(&self) -> bool {
        self.state.borrow().was_stopped
    }

    /// Writes one line of acknowledgement.
    ///
    /// # Errors
    /// Fails where the output is closed.
    pub fn acknowledge(&self, line: &str) -> io::Result<()> {
        let mut output = self.acknowledgements.borrow_mut();
        output.write_all(format!("{line}\n").as_bytes())?;
        output.flush()
    }
}

impl State {
    /// Applies an event; an error is for the reader.
    fn apply(&mut self, event: StdinEvent) -> io::Result<()> {
        match event {
            StdinEvent::Bytes { bytes, at } => {
                (self.bytes, self.at, self.arrived) = (bytes, 0, at);
                Ok(())
            }
            StdinEvent::Tick if self.phase == Phase::Open => Err(io::ErrorKind::WouldBlock.into()),
            StdinEvent::Tick => Ok(()),
            StdinEvent::Stop => {
                (self.phase, self.was_stopped) = (Phase::Stopping, true);
                Ok(())
            }
            StdinEvent::End => {
                self.phase = Phase::Ended;
                Ok(())
            }
            StdinEvent::Failed(error) => {
                self.phase = Phase::Ended;
                Err(error)
            }
        }
    }
}

/// [`io::ErrorKind::WouldBlock`] means that it is time to commit; reading continues after it.
impl Read for &StdinStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.borrow_mut();
        while state.at == state.bytes.len() {
            let event = match state.phase {
                Phase::Open => self.events.recv().unwrap_or(StdinEvent::End),
                Phase::Stopping => match self.events.recv_timeout(STOP_TIMEOUT) {
                    Ok(event) => event,
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => StdinEvent::End,
                },
                Phase::Ended => return Ok(0),
            };
            state.apply(event)?;
        }
        let read = (&state.bytes[state.at..]).read(into)?;
        state.at += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn bytes(text: &str, second: i64) -> StdinEvent {
        StdinEvent::Bytes { bytes: text.into(), at: at(second) }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_epoch(second).expect("a good moment")
    }

    /// Returns what is read, `|` standing for a tick.
    fn read(events: Vec<StdinEvent>) -> (String, Timestamp, bool) {
        let (send, receive) = sync_channel(events.len());
        events.into_iter().for_each(|event| send.send(event).expect("there is room"));
        drop(send);
        let stdin = StdinStream::of(receive, at(0));
        let (mut text, mut piece) = (String::new(), [0; 3]);
        loop {
            match (&stdin).read(&mut piece) {
                Ok(0) => return (text, stdin.arrived(), stdin.was_stopped()),
                Ok(read) => text.push_str(&String::from_utf8_lossy(&piece[..read])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => text.push('|'),
                Err(error) => text.push_str(&format!("<{error}>")),
            }
        }
    }

    #[test]
    fn bytes_come_in_order_with_ticks_between_them() {
        let events =
            vec![bytes("abcd", 1), StdinEvent::Tick, StdinEvent::Tick, bytes("e", 2), StdinEvent::End];
        assert_eq!(read(events), ("abcd||e".to_owned(), at(2), false));
        assert_eq!(read(vec![bytes("ab", 1)]), ("ab".to_owned(), at(1), false), "the door is gone");
        let failed = StdinEvent::Failed(io::Error::other("torn"));
        assert_eq!(read(vec![bytes("ab", 1), failed, bytes("c", 2)]).0, "ab<torn>");
    }

    #[test]
    fn what_comes_soon_after_the_wish_to_end_is_still_taken() {
        let events = vec![bytes("ab", 1), StdinEvent::Stop, bytes("cd", 2), StdinEvent::Tick, bytes("ef", 3)];
        assert_eq!(read(events), ("abcdef".to_owned(), at(3), true));
        assert_eq!(read(vec![StdinEvent::Stop, StdinEvent::End, bytes("ab", 1)]).0, "");
        // A door that stays open and silent is not waited for.
        let (send, receive) = sync_channel(2);
        for event in [StdinEvent::Stop, bytes("ab", 1)] {
            send.send(event).expect("there is room");
        }
        let mut text = String::new();
        (&StdinStream::of(receive, at(0))).read_to_string(&mut text).expect("it ends");
        assert_eq!(text, "ab");
        drop(send);
    }
}
