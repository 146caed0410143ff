//! How many bytes go in and out, for whoever keeps accounts.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::storage::Store;

/// Bytes of files that were read and written since the store was opened; those of the tables' logs, which
/// the Delta library sees to, are not among them.
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
}

impl Store {
    /// Returns how many bytes of files were read since the store was opened; those of the tables' logs are
    /// not among them.
    pub fn bytes_read(&self) -> u64 {
        self.io_counters.read.load(Ordering::Relaxed)
    }

    /// Returns how many bytes of files were written, likewise.
    pub fn bytes_written(&self) -> u64 {
        self.io_counters.written.load(Ordering::Relaxed)
    }
}
