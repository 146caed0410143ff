//! What a command prints: passed on as it comes, and the last of it kept.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How much is kept.
const KEPT_BYTES: usize = 4 << 10;
const READ_BYTES: usize = 16 << 10;
/// What two pipes hold at most. When a command has ended, no more than this can be from itself.
const IN_PIPES_BYTES: u64 = 2 * (64 << 10);
/// For how long a pipe that someone else holds open must be silent before it is given up …
const SILENCE: Duration = Duration::from_millis(200);
/// … and for how many times as long it is heard where it never is.
const MAX_SILENCES: u32 = 5;

/// Where the output of a command goes.
pub struct Output {
    pub stdout: Box<dyn Write + Send>,
    pub stderr: Box<dyn Write + Send>,
    pub tail: Tail,
}

/// The last few thousand bytes that any of several commands printed.
#[derive(Clone, Default)]
pub struct Tail(Arc<Mutex<VecDeque<u8>>>);

/// How far the reading of a command's pipes is.
#[derive(Default)]
pub(super) struct Hearing {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Pipes that have not ended.
    open: u32,
    /// Readers that pass on what they have read, and may have to wait for whoever takes it.
    passing: u32,
    heard_bytes: u64,
}

impl Tail {
    /// Returns the text; none where nothing was printed.
    pub fn text(&self) -> Option<String> {
        let bytes = locked(&self.0);
        // The first character may have lost its beginning.
        let is_whole = |byte: &u8| bytes.len() < KEPT_BYTES || byte & 0xC0 != 0x80;
        let whole: Vec<u8> = bytes.iter().copied().skip_while(|byte| !is_whole(byte)).collect();
        (!whole.is_empty()).then(|| String::from_utf8_lossy(&whole).into_owned())
    }

    /// Adds to it, and forgets the oldest.
    pub fn push(&self, bytes: &[u8]) {
        let mut kept = locked(&self.0);
        kept.extend(&bytes[bytes.len().saturating_sub(KEPT_BYTES)..]);
        let surplus = kept.len().saturating_sub(KEPT_BYTES);
        kept.drain(..surplus);
    }
}

impl Hearing {
    /// Says that another pipe will be read.
    pub(super) fn expect(&self) {
        locked(&self.state).open += 1;
    }

    /// Passes on what a pipe gives, until its end.
    pub(super) fn read(&self, mut pipe: impl Read, mut to: impl Write, tail: &Tail) {
        let mut bytes = vec![0; READ_BYTES];
        loop {
            match pipe.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
                Ok(read) => {
                    self.change(|state| {
                        state.heard_bytes += read as u64;
                        state.passing += 1;
                    });
                    tail.push(&bytes[..read]);
                    // Where nobody takes it any more, the command is still let print.
                    let _ = to.write_all(&bytes[..read]).and_then(|()| to.flush());
                    self.change(|state| state.passing -= 1);
                }
            }
        }
        self.change(|state| state.open -= 1);
    }

    /// Waits, once the command has ended, until all that it printed has been passed on. A process that
    /// it left behind may hold its pipes open for ever, and print, too: that is not waited for.
    pub(super) fn wait_for_silence(&self) {
        let mut state = locked(&self.state);
        let until_bytes = state.heard_bytes + IN_PIPES_BYTES;
        for nth in 1.. {
            let before = state.heard_bytes;
            let waited = self.changed.wait_timeout_while(state, SILENCE, |state| state.open > 0);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            let is_silent = state.heard_bytes == before || state.heard_bytes > until_bytes;
            let is_over = state.passing == 0 && (is_silent || nth >= MAX_SILENCES);
            if state.open == 0 || is_over {
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
    fn the_last_of_it_is_kept_and_begins_with_a_whole_character() {
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
