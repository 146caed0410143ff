//! The newest published ranking, held in memory from one request to the next.
//!
//! Invariant: what is held was checked as a whole, and stays until a newer ranking was checked, too.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::rankings::error::SnapshotError;
use crate::rankings::pointer::POINTER;
use crate::rankings::snapshot::Snapshot;
use crate::storage::Store;

/// The newest published ranking that could be read.
#[derive(Default)]
pub struct RankingCache(Mutex<Held>);

#[derive(Default)]
struct Held {
    /// With the pointer that named it.
    ranking: Option<(Bytes, Snapshot)>,
    /// The pointer of a newer one that cannot be read.
    damaged: Option<Bytes>,
    /// How many rankings could not be read.
    failures: u64,
}

impl RankingCache {
    /// Returns the newest ranking. Another one is read and checked as a whole where the pointer has changed; where that
    /// fails, the one that was held before is returned.
    ///
    /// # Errors
    /// As [`Snapshot::current`], where none is held.
    pub fn current(&self, store: &Store) -> Result<Snapshot, SnapshotError> {
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
        if (is_known || held.damaged.as_ref() == Some(&pointer))
            && let Some(snapshot) = held.before()
        {
            return Ok(snapshot);
        }
        match Snapshot::checked(store) {
            Ok(snapshot) => {
                held.ranking = Some((pointer, snapshot.clone()));
                held.damaged = None;
                Ok(snapshot)
            }
            Err(error) => {
                held.failures += 1;
                held.damaged = Some(pointer);
                held.before().ok_or(error)
            }
        }
    }

    /// Returns how many rankings could not be read, and whether the newest is one of them.
    pub fn failures(&self) -> (u64, bool) {
        let held = self.lock();
        (held.failures, held.damaged.is_some())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn before(&self) -> Option<Snapshot> {
        self.ranking.as_ref().map(|(_, snapshot)| snapshot.clone())
    }
}
