//! Real processes: signals, and waiting for a condition or for a random moment at which they are killed.
//!
//! Invariant: the only place of the tests that sleeps, a few milliseconds at a time and never beyond a deadline.

use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The test machine may be busy; what takes longer than this does not happen.
const DEADLINE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Waits until a condition holds.
pub fn wait_until(what: &str, is_so: impl FnMut() -> bool) {
    assert!(holds_within(DEADLINE, is_so), "not within {DEADLINE:?}: {what}");
}

/// Waits until a process exits, for a limited time; returns whether it has exited.
pub fn exits_within(limit: Duration, child: &mut Child) -> bool {
    holds_within(limit, || child.try_wait().expect("it is our child").is_some())
}

/// Sends a signal to a process.
pub fn signal(process: u32, signal: Signal) {
    kill(Pid::from_raw(process.cast_signed()), signal).expect("the process can be signalled");
}

/// Returns the next of a fixed series of random numbers.
pub fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Returns whether a condition holds within a limited time.
#[expect(clippy::disallowed_methods, reason = "real processes take real time")]
pub fn holds_within(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if is_so() {
            return true;
        }
        let Some(left) = limit.checked_sub(began.elapsed()) else { return false };
        std::thread::sleep(left.min(POLL_INTERVAL));
    }
}
