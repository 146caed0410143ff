//! Standard input as it comes: bytes, moments, and the wish to end.
//!
//! Whoever stands at the door reads the pipe, the clock and the signals and passes on what happens
//! as events; so nothing here asks the time, and a test can be the door.
//!
//! Invariant: every byte that was passed on is read, also after the wish to end.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::model::Timestamp;

/// Once the end is wished for, what the pipe still holds is taken until it has been silent so long.
const SILENCE: Duration = Duration::from_millis(500);

/// One thing that happens to standard input.
#[derive(Debug)]
pub enum StdinEvent {
    /// Bytes have come.
    Bytes { bytes: Vec<u8>, at: Timestamp },
    /// What has come so far is to be committed.
    Tick,
    /// Someone wishes the run to end.
    Stop,
    /// Nothing more will come.
    End,
    /// It cannot be read.
    Failed(io::Error),
}

/// The room's end of standard input, and of standard output where answers are wanted.
pub struct StdinStream {
    events: Receiver<StdinEvent>,
    state: RefCell<State>,
    answers: RefCell<Box<dyn Write>>,
}

struct State {
    phase: Phase,
    /// Bytes that have come and are not read yet, from `at` on.
    bytes: Vec<u8>,
    at: usize,
    arrived: Timestamp,
    was_stopped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The end is wished for.
    Ending,
    Ended,
}

impl StdinStream {
    /// Returns a stream of the given events that was opened at `began`.
    pub fn of(events: Receiver<StdinEvent>, began: Timestamp) -> StdinStream {
        let state =
            State { phase: Phase::Open, bytes: Vec::new(), at: 0, arrived: began, was_stopped: false };
        StdinStream { events, state: RefCell::new(state), answers: RefCell::new(Box::new(io::sink())) }
    }

    /// Returns the same stream, whose messages are answered on the given output.
    #[must_use]
    pub fn answered_on(self, answers: impl Write + 'static) -> StdinStream {
        StdinStream { answers: RefCell::new(Box::new(answers)), ..self }
    }

    /// Returns when the newest bytes came.
    pub fn arrived(&self) -> Timestamp {
        self.state.borrow().arrived
    }

    /// Tells whether it ended because someone wished it to.
    pub fn was_stopped(&self) -> bool {
        self.state.borrow().was_stopped
    }

    /// Answers with one line.
    ///
    /// # Errors
    /// Fails where nobody listens.
    pub fn answer(&self, line: &str) -> io::Result<()> {
        let mut answers = self.answers.borrow_mut();
        answers.write_all(format!("{line}\n").as_bytes())?;
        answers.flush()
    }
}

impl State {
    /// Takes a event; what it means for whoever reads is returned.
    fn take(&mut self, event: StdinEvent) -> io::Result<()> {
        match event {
            StdinEvent::Bytes { bytes, at } => {
                (self.bytes, self.at, self.arrived) = (bytes, 0, at);
                Ok(())
            }
            StdinEvent::Tick if self.phase == Phase::Open => Err(io::ErrorKind::WouldBlock.into()),
            StdinEvent::Tick => Ok(()),
            StdinEvent::Stop => {
                (self.phase, self.was_stopped) = (Phase::Ending, true);
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

/// [`io::ErrorKind::WouldBlock`] says that it is time to commit; reading goes on after it.
impl Read for &StdinStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.borrow_mut();
        while state.at == state.bytes.len() {
            let event = match state.phase {
                Phase::Open => self.events.recv().unwrap_or(StdinEvent::End),
                Phase::Ending => match self.events.recv_timeout(SILENCE) {
                    Ok(event) => event,
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => StdinEvent::End,
                },
                Phase::Ended => return Ok(0),
            };
            state.take(event)?;
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
