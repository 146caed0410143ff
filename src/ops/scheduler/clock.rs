//! The clocks of a run.

use std::time::Duration;

use topsell_core::model::Timestamp;

/// A wall clock and a monotonic clock.
#[derive(Clone, Copy)]
pub struct Clock<'a> {
    wall: &'a dyn Fn() -> Timestamp,
    elapsed: &'a dyn Fn() -> Duration,
}

impl<'a> Clock<'a> {
    /// Returns a clock from functions; the second returns the time since a fixed start.
    pub fn of(wall: &'a dyn Fn() -> Timestamp, elapsed: &'a dyn Fn() -> Duration) -> Clock<'a> {
        Clock { wall, elapsed }
    }

    /// Returns the current time, which may be set back.
    pub fn wall(&self) -> Timestamp {
        (self.wall)()
    }

    /// Returns the time on the monotonic clock.
    pub fn elapsed(&self) -> Duration {
        (self.elapsed)()
    }
}
