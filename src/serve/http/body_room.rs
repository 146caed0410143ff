//! How many bytes the bodies of all requests together may have.
//!
//! Invariant: what is held by requests that have ended is given back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room for bodies.
pub struct BodyRoom {
    max_bytes: usize,
    held_bytes: AtomicUsize,
}

/// Room that one body holds.
pub struct HeldRoom {
    room: Arc<BodyRoom>,
    bytes: usize,
}

impl BodyRoom {
    /// Returns room for so many bytes.
    pub fn of(max_bytes: usize) -> BodyRoom {
        BodyRoom { max_bytes, held_bytes: AtomicUsize::new(0) }
    }

    /// Returns room for a body that has no bytes yet.
    pub fn hold(self: &Arc<Self>) -> HeldRoom {
        HeldRoom { room: Arc::clone(self), bytes: 0 }
    }
}

impl HeldRoom {
    /// Takes more room; returns whether there was enough.
    pub fn grow(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        self.room.held_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.room.max_bytes
    }
}

impl Drop for HeldRoom {
    fn drop(&mut self) {
        self.room.held_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back() {
        let room = Arc::new(BodyRoom::of(100));
        let (mut one, mut two) = (room.hold(), room.hold());
        assert!(one.grow(60) && two.grow(40));
        assert!(!two.grow(1));
        drop(one);
        assert!(two.grow(59));
        drop(two);
        assert!(room.hold().grow(100));
    }
}
