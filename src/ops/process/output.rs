//! The output of a command: forwarded as it arrives, and the end of it kept.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How much of the end of the output is kept.
const TAIL_BYTES: usize = 4 << 10;
const READ_BYTES: usize = 16 << 10;
/// The capacity of two pipes: after a command has exited, at most this much of its own output is left.
const PIPE_CAPACITY_BYTES: u64 = 2 * (64 << 10);
/// How long a pipe held open by another process must be idle before it is abandoned,
const IDLE_TIME: Duration = Duration::from_millis(200);
/// and after how many such periods if it is never idle.
const MAX_IDLE_PERIODS: u32 = 5;

/// The destination of a command's output.
pub struct Output {
    pub stdout: Box<dyn Write + Send>,
    pub stderr: Box<dyn Write + Send>,
    pub tail: Tail,
}

/// The last few kilobytes of the output of one or more commands.
#[derive(Clone, Default)]
pub struct Tail(Arc<Mutex<VecDeque<u8>>>);

/// Reads a command's output pipes.
#[derive(Default)]
pub(super) struct OutputReader {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Pipes that are open.
    open: u32,
    /// Threads that are writing what they have read, and may be blocked.
    writing: u32,
    read_bytes: u64,
}

impl Tail {
    /// Returns the text, if there was any output.
    pub fn text(&self) -> Option<String> {
        let bytes = locked(&self.0);
        // The first character may be cut off.
        let is_whole = |byte: &u8| bytes.len() < TAIL_BYTES || byte & 0xC0 != 0x80;
        let whole: Vec<u8> = bytes.iter().copied().skip_while(|byte| !is_whole(byte)).collect();
        (!whole.is_empty()).then(|| String::from_utf8_lossy(&whole).into_owned())
    }

    /// Appends output and drops the oldest.
    pub fn push(&self, bytes: &[u8]) {
        let mut kept = locked(&self.0);
        kept.extend(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]);
        let surplus = kept.len().saturating_sub(TAIL_BYTES);
        kept.drain(..surplus);
    }
}

impl OutputReader {
    /// Registers another pipe.
    pub(super) fn register(&self) {
        locked(&self.state).open += 1;
    }

    /// Forwards a pipe until its end.
    pub(super) fn read(&self, mut pipe: impl Read, mut to: impl Write, tail: &Tail) {
        let mut bytes = vec![0; READ_BYTES];
        loop {
            match pipe.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
                Ok(read) => {
                    self.change(|state| {
                        state.read_bytes += read as u64;
                        state.writing += 1;
                    });
                    tail.push(&bytes[..read]);
                    // If the destination is gone, the command is still allowed to write.
                    let _ = to.write_all(&bytes[..read]).and_then(|()| to.flush());
                    self.change(|state| state.writing -= 1);
                }
            }
        }
        self.change(|state| state.open -= 1);
    }

    /// After the command has exited, waits until its output has been forwarded. A background process may
    /// keep the pipes open forever and write to them, which is not waited for.
    pub(super) fn wait_until_forwarded(&self) {
        let mut state = locked(&self.state);
        let max_bytes = state.read_bytes + PIPE_CAPACITY_BYTES;
        for nth in 1.. {
            let before = state.read_bytes;
            let waited = self.changed.wait_timeout_while(state, IDLE_TIME, |state| state.open > 0);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            let is_idle = state.read_bytes == before || state.read_bytes > max_bytes;
            let is_done = state.writing == 0 && (is_idle || nth >= MAX_IDLE_PERIODS);
            if state.open == 0 || is_done {
                return;
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut locked(&self.state));
        self.changed.notify_all();
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_starts_with_a_whole_character() {
        let check = |pushed: &[&str], expected: Option<&str>| {
            let tail = Tail::default();
            pushed.iter().for_each(|text| tail.push(text.as_bytes()));
            assert_eq!(tail.text().as_deref(), expected);
        };
        check(&[], None);
        check(&["a", "", "bé"], Some("abé"));
        check(&[&"x".repeat(5_000), "end"], Some(&("x".repeat(4_093) + "end")));
        check(&["é", &"x".repeat(4_095)], Some(&"x".repeat(4_095)));
        check(&["é", &"x".repeat(4_094)], Some(&("é".to_owned() + &"x".repeat(4_094))));
    }
}
