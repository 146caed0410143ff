//! Standard input: threads that read the pipe, the clock and the signals.
//!
//! Invariant: input is passed on in order and without loss; when the reader is slow, the pipe fills up
//! and its writer waits.

use std::ffi::c_int;
use std::io::{self, Read, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;
use std::{process, thread};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::clock::Clock;
use crate::failure::Failure;
use topsell_core::ingest::{StdinEvent, StdinStream, StopHandle};

/// Maximum number of bytes of one read.
const READ_BYTES: usize = 64 << 10;
/// Events that wait in the channel.
const WAITING: usize = 16;
/// How long to wait before a pipe that would block is read again.
const NAP: Duration = Duration::from_millis(10);
/// How long a pipe that never pauses is still read after a signal.
const GRACE: Duration = Duration::from_secs(5);

/// How long after a signal the process ends at the latest, whatever it waits for: nobody may read its answers,
/// or its disk may hang. Shorter than service managers wait.
const MAX_STOP: Duration = Duration::from_secs(60);

/// What to do with standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// How often what has come is committed.
    pub every: Option<Duration>,
    /// Whether messages are answered on standard output.
    pub answers: bool,
}

/// Opens standard input and handles SIGTERM and SIGINT from now on: the first ends the input, the second
/// the process, as does a minute after the first.
///
/// # Errors
/// Fails where the signals cannot be handled or the clock cannot be read.
pub fn open(opening: Opening, clock: Clock) -> Result<StdinStream, Failure> {
    let (send, receive) = sync_channel(WAITING);
    let signals = Signals::new([SIGTERM, SIGINT]);
    let signals = signals.map_err(|e| Failure::runtime(format!("cannot handle signals: {e}")))?;
    let stdin = StdinStream::of(receive, clock.now()?);
    if let Some(every) = opening.every {
        let send = send.clone();
        thread::spawn(move || tick(every, &send));
    }
    let to_hear = send.clone();
    let stop = stdin.stop_handle();
    thread::spawn(move || hear(signals, &stop, &to_hear));
    thread::spawn(move || read(clock, &send));
    Ok(if opening.answers { stdin.acknowledged_on(io::stdout()) } else { stdin })
}

/// Passes on what the pipe gives, until its end.
fn read(clock: Clock, send: &SyncSender<StdinEvent>) {
    let mut stdin = io::stdin().lock();
    loop {
        let mut bytes = vec![0; READ_BYTES];
        let event = match stdin.read(&mut bytes) {
            Ok(0) => StdinEvent::End,
            Ok(read) => {
                bytes.truncate(read);
                match clock.now() {
                    Ok(at) => StdinEvent::Bytes { bytes, at },
                    Err(failure) => StdinEvent::Failed(io::Error::other(failure.to_string())),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // Whoever shares the pipe has set it so; it still has an end.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(NAP);
                continue;
            }
            Err(error) => StdinEvent::Failed(error),
        };
        let is_last = !matches!(event, StdinEvent::Bytes { .. });
        if send.send(event).is_err() || is_last {
            return;
        }
    }
}

fn tick(every: Duration, send: &SyncSender<StdinEvent>) {
    loop {
        thread::sleep(every);
        if send.send(StdinEvent::Tick).is_err() {
            return;
        }
    }
}

fn hear(mut signals: Signals, stop: &StopHandle, send: &SyncSender<StdinEvent>) {
    let mut heard = signals.forever();
    let Some(first) = heard.next() else { return };
    thread::spawn(move || {
        thread::sleep(MAX_STOP);
        let seconds = MAX_STOP.as_secs();
        // Without stderr there is nowhere to report it.
        let _ = writeln!(
            io::stderr(),
            "error: not ended {seconds} s after a signal; what was not committed must be sent again"
        );
        end_by(first);
    });
    stop.request();
    let to_end = send.clone();
    // On a thread of its own: whoever reads may be busy, and a second signal must not wait for it.
    thread::spawn(move || {
        let is_heard = to_end.send(StdinEvent::Stop).is_ok();
        thread::sleep(GRACE);
        // Nobody is left to hear of it where the run has ended by itself.
        let _ = is_heard && to_end.send(StdinEvent::End).is_ok();
    });
    if let Some(signal) = heard.next() {
        end_by(signal);
    }
}

/// Ends the process, as if it had heard no signals.
fn end_by(signal: c_int) {
    let _ = emulate_default_handler(signal);
    process::abort();
}
