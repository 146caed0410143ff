//! Whom a run asks for the time.

use std::time::Duration;

use topsell_core::model::Timestamp;

/// The clock on the wall, and one that measures lengths.
#[derive(Clone, Copy)]
pub struct Clock<'a> {
    wall: &'a dyn Fn() -> Timestamp,
    lapsed: &'a dyn Fn() -> Duration,
}

impl<'a> Clock<'a> {
    /// Returns a clock of the two; the second says how long it has run, and never goes back.
    pub fn of(wall: &'a dyn Fn() -> Timestamp, lapsed: &'a dyn Fn() -> Duration) -> Clock<'a> {
        Clock { wall, lapsed }
    }

    /// Returns what time it is; people may set it back.
    pub fn wall(&self) -> Timestamp {
        (self.wall)()
    }

    /// Returns how long the clock has run.
    pub fn lapsed(&self) -> Duration {
        (self.lapsed)()
    }
}
