//! The lists that were computed last, each for as long as neither the log nor the lake changes.
//!
//! A list is computed by one request at a time. Whoever asks for the same meanwhile waits, and takes what is computed
//! next: many requests cost one computation, and still each has every event that was acknowledged before it came.
//!
//! Invariant: a list is given only to requests that came before its computation began, or while the state that it was
//! computed from is still that of the log and the lake.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard, Semaphore};

use topsell_core::model::Timestamp;

/// How many bytes of lists are kept.
const MAX_BYTES: usize = 32 << 20;
/// How many lists are kept.
const MAX_LISTS: usize = 1_024;

/// A list as a response has it.
#[derive(Debug)]
pub struct List {
    pub body: Bytes,
    /// When it was computed.
    pub computed_at: Timestamp,
}

/// What a list is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListState {
    /// How many records the log has had since the start.
    pub records: u64,
    /// The versions of the lake's tables.
    pub events: Option<u64>,
    pub rollups: Option<u64>,
}

/// A list that was computed.
#[derive(Clone, Debug)]
pub struct Computed {
    pub list: Arc<List>,
    /// The state before the computation began.
    pub state: ListState,
    /// When it began, as [`ListCache::moment`] counts.
    pub began: u64,
}

/// The place of a list.
#[derive(Default)]
pub struct Slot {
    computed: AsyncMutex<Option<Computed>>,
    bytes: AtomicUsize,
    last_used: AtomicU64,
}

/// The lists by what they answer.
pub struct ListCache {
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    /// Counts the beginnings of requests and computations.
    moments: AtomicU64,
    waiting: AtomicUsize,
    max_waiting: usize,
    /// Lets so many decayed lists be computed at a time.
    pub decayed: Semaphore,
    pub computed: AtomicU64,
    /// How many requests had no list computed for them.
    pub shared: AtomicU64,
}

/// A request that has the turn at a list.
pub struct Turn<'a> {
    pub computed: AsyncMutexGuard<'a, Option<Computed>>,
    /// When the request came.
    came: u64,
}

/// A request that waits for its turn.
struct Waiting<'a>(&'a AtomicUsize);

impl ListCache {
    /// Returns a cache without lists, for which so many requests may wait.
    pub fn of(max_waiting: usize, decayed: usize) -> ListCache {
        ListCache {
            slots: Mutex::default(),
            moments: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            max_waiting,
            decayed: Semaphore::new(decayed),
            computed: AtomicU64::new(0),
            shared: AtomicU64::new(0),
        }
    }

    /// Returns a number that is greater than those before.
    pub fn moment(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::SeqCst)
    }

    /// Returns the place of a list.
    pub fn slot(&self, key: String) -> Arc<Slot> {
        let now = self.moment();
        let slot = Arc::clone(self.lock().entry(key).or_default());
        slot.last_used.store(now, Ordering::Relaxed);
        slot
    }

    /// Waits for the turn at a list; none where too many wait.
    pub async fn turn<'a>(&self, slot: &'a Slot) -> Option<Turn<'a>> {
        let came = self.moment();
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.max_waiting {
            return None;
        }
        let computed = slot.computed.lock().await;
        drop(waiting);
        Some(Turn { computed, came })
    }

    /// Forgets the lists that were not asked for the longest, where there are too many; none that somebody waits for.
    pub fn make_room(&self) {
        let mut slots = self.lock();
        let mut bytes: usize = slots.values().map(|slot| slot.bytes.load(Ordering::Relaxed)).sum();
        if bytes <= MAX_BYTES && slots.len() <= MAX_LISTS {
            return;
        }
        let mut by_use: Vec<(u64, String)> =
            slots.iter().map(|(key, slot)| (slot.last_used.load(Ordering::Relaxed), key.clone())).collect();
        by_use.sort_unstable();
        for (_, key) in by_use {
            if bytes <= MAX_BYTES / 2 && slots.len() <= MAX_LISTS / 2 {
                return;
            }
            if slots.get(&key).is_some_and(|slot| Arc::strong_count(slot) == 1) {
                bytes -= slots.remove(&key).map_or(0, |slot| slot.bytes.load(Ordering::Relaxed));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Notes how many bytes its list has.
    pub fn set_bytes(&self, list: &List) {
        self.bytes.store(list.body.len(), Ordering::Relaxed);
    }
}

impl Turn<'_> {
    /// Returns the list, if it was begun after the request came: it then has all that the request must find in it.
    pub fn computed_since(&self) -> Option<Arc<List>> {
        let computed = self.computed.as_ref().filter(|computed| computed.began > self.came);
        computed.map(|computed| Arc::clone(&computed.list))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
