//! The rankings that names show, held in memory from one request to the next.
//!
//! Invariant: what is held was checked as a whole, and stays until a newer ranking was checked, too.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hashbrown::HashMap;

use crate::model::Timestamp;
use crate::rankings::error::SnapshotError;
use crate::rankings::name::RankingName;
use crate::rankings::snapshot::Snapshot;
use crate::storage::Store;

/// After so long, a ranking that could not be read is read again: a full disk, or a repair, changes no pointer.
const RETRY_AFTER_MICROS: u64 = 1_000_000;

/// The newest ranking of each name that could be read.
#[derive(Default)]
pub struct RankingCache(Mutex<HashMap<RankingName, Held>>);

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
    /// Returns the ranking that a name shows at a moment. Another one is read and checked as a whole where the pointer has changed; where that
    /// fails, the one that was held before is returned. Where none is held, the newest is returned unchecked, so that what
    /// is not damaged in it can be read.
    ///
    /// # Errors
    /// As [`Snapshot::current`], where none is held.
    pub fn current(
        &self,
        store: &Store,
        name: &RankingName,
        now: Timestamp,
    ) -> Result<Snapshot, SnapshotError> {
        let pointer = match store.get(&name.pointer()) {
            Err(error) if error.is_not_found() => None,
            Err(error) => {
                let held = self.lock();
                return held.get(name).and_then(Held::before).ok_or_else(|| error.into());
            }
            Ok(pointer) => Some(pointer),
        };
        let mut all = self.lock();
        let Some(pointer) = pointer else {
            // Only names that have had a ranking are held, whatever names are asked for.
            if let Some(held) = all.get_mut(name) {
                *held = Held { failures: held.failures, ..Held::default() };
            }
            return Err(SnapshotError::None);
        };
        let held = all.entry(name.clone()).or_default();
        let is_known = held.ranking.as_ref().is_some_and(|(known, _)| *known == pointer);
        let failed = held.unreadable.as_ref().filter(|(known, _)| *known == pointer).map(|(_, at)| *at);
        if !is_known && failed.is_none_or(|at| now.micros().abs_diff(at.micros()) >= RETRY_AFTER_MICROS) {
            match Snapshot::checked(store, name) {
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
        drop(all);
        before.map_or_else(|| Snapshot::named(store, name), Ok)
    }

    /// Returns how many rankings could not be read, and whether the newest of a name is one of them.
    pub fn failures(&self) -> (u64, bool) {
        let held = self.lock();
        let failures = held.values().map(|held| held.failures).sum();
        (failures, held.values().any(|held| held.unreadable.is_some()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RankingName, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn before(&self) -> Option<Snapshot> {
        self.ranking.as_ref().map(|(_, snapshot)| snapshot.clone())
    }
}
