//! The newest published ranking, held in memory from one request to the next.
//!
//! Invariant: what is held was checked as a whole, and stays until a newer ranking was checked, too.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::model::Timestamp;
use crate::rankings::error::SnapshotError;
use crate::rankings::pointer::POINTER;
use crate::rankings::snapshot::Snapshot;
use crate::storage::Store;

/// After so long, a ranking that could not be read is read again: a full disk, or a repair, changes no pointer.
const RETRY_AFTER_MICROS: u64 = 1_000_000;

/// The newest published ranking that could be read.
#[derive(Default)]
pub struct RankingCache(Mutex<Held>);

#[derive(Default)]
struct Held {
    /// With the pointer that named it.
    ranking: Option<(Bytes, Snapshot)>,
    /// The pointer of a newer one that could not be read, and when that was tried.
    unreadable: Option<(Bytes, Timestamp)>,
    /// How many rankings could not be read.
    failures: u64,
}

impl RankingCache {
    /// Returns the newest ranking at a moment. Another one is read and checked as a whole where the pointer has changed; where that
    /// fails, the one that was held before is returned. Where none is held, the newest is returned unchecked, so that what
    /// is not damaged in it can be read.
    ///
    /// # Errors
    /// As [`Snapshot::current`], where none is held.
    pub fn current(&self, store: &Store, now: Timestamp) -> Result<Snapshot, SnapshotError> {
        let pointer = match store.get(POINTER) {
            Err(error) if error.is_not_found() => None,
            Err(error) => return self.lock().before().ok_or_else(|| error.into()),
            Ok(pointer) => Some(pointer),
        };
        let mut held = self.lock();
        let Some(pointer) = pointer else {
            *held = Held { failures: held.failures, ..Held::default() };
            return Err(SnapshotError::None);
        };
        let is_known = held.ranking.as_ref().is_some_and(|(known, _)| *known == pointer);
        let failed = held.unreadable.as_ref().filter(|(known, _)| *known == pointer).map(|(_, at)| *at);
        if !is_known && failed.is_none_or(|at| now.micros().abs_diff(at.micros()) >= RETRY_AFTER_MICROS) {
            match Snapshot::checked(store) {
                Ok(snapshot) => {
                    held.ranking = Some((pointer, snapshot));
                    held.unreadable = None;
                }
                Err(_) => {
                    held.failures += u64::from(failed.is_none());
                    held.unreadable = Some((pointer, now));
                }
            }
        }
        let before = held.before();
        drop(held);
        before.map_or_else(|| Snapshot::current(store), Ok)
    }

    /// Returns how many rankings could not be read, and whether the newest is one of them.
    pub fn failures(&self) -> (u64, bool) {
        let held = self.lock();
        (held.failures, held.unreadable.is_some())
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn before(&self) -> Option<Snapshot> {
        self.ranking.as_ref().map(|(_, snapshot)| snapshot.clone())
    }
}
