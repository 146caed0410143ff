//! Waiting for another process, and saying so when it takes long.

use std::io;
use std::thread;
use std::time::Duration;

use crate::storage::store::Store;
use crate::storage::wait_listener::{KnownListener, WaitListener};

/// How often is asked at first, and how often and how many times after that, before it is said that this
/// process waits: about three seconds.
const QUICK_TRIES: u32 = 50;
const QUICK_INTERVAL: Duration = Duration::from_micros(100);
const TRIES: u32 = 1_500;
const INTERVAL: Duration = Duration::from_millis(2);

impl Store {
    /// Returns the store, which says what it waits for when that takes longer than some seconds.
    #[must_use]
    pub fn on_wait(mut self, listener: WaitListener) -> Store {
        self.wait_listener = KnownListener(Some(listener));
        self
    }

    /// Says what is waited for.
    pub fn tell_waiting(&self, what: &str) {
        if let KnownListener(Some(listener)) = &self.wait_listener {
            listener(what);
        }
    }

    /// Waits until `is_over`; after some seconds says so, and waits by `block`.
    pub(super) fn wait_until(
        &self,
        what: impl Fn() -> String,
        is_over: impl Fn() -> io::Result<bool>,
        block: impl Fn() -> io::Result<()>,
    ) -> io::Result<()> {
        for tries in 0..QUICK_TRIES + TRIES {
            if is_over()? {
                return Ok(());
            }
            thread::sleep(if tries < QUICK_TRIES { QUICK_INTERVAL } else { INTERVAL });
        }
        self.tell_waiting(&what());
        loop {
            match block() {
                // By a signal that is handled elsewhere.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                over => return over,
            }
        }
    }
}
