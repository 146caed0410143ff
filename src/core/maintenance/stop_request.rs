//! A request to end a long step early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A request to stop, that another thread makes.
#[derive(Clone, Debug, Default)]
pub struct StopRequest(pub Arc<AtomicBool>);

impl StopRequest {
    /// Makes it.
    pub fn make(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether it was made.
    pub fn is_made(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
