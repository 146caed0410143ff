//! Counts the bytes of files that a store reads and writes.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes read and written since a store was opened.
#[derive(Debug, Default)]
pub(super) struct IoCounters {
    read: AtomicU64,
    written: AtomicU64,
}

impl IoCounters {
    pub fn read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub fn bytes_written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}
