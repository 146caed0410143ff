//! The lists that are followed, as answers and followers see them.
//!
//! Invariant: a list is replaced as a whole; who has begun to read one goes on with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::{Clock, LogLevel, LogLine};
use crate::edge::config::EdgeConfig;
use crate::edge::freshness::Freshness;
use crate::edge::mirror_files;
use topsell_core::storage::{Store, StoreError};
use topsell_lists::{HeldList, ListName};

/// A list of a million entries that changes every second is not written every second.
const WRITE_MICROS: i64 = 10 * 1_000_000;
const SYNCED_MICROS: i64 = 5 * 1_000_000;

/// All lists that are followed.
pub struct Mirrors {
    pub config: EdgeConfig,
    pub clock: Clock,
    pub log_line: LogLine,
    store: Store,
    lists: Mutex<BTreeMap<ListName, Arc<Mirror>>>,
    synced_written: Mutex<i64>,
}

/// A list that is followed.
pub struct Mirror {
    pub name: ListName,
    state: Mutex<MirrorState>,
}

struct MirrorState {
    held: HeldList,
    synced: i64,
    /// When it was last written, and whether it has changed since.
    written: i64,
    is_unwritten: bool,
}

impl Mirrors {
    /// Reads what was held before.
    ///
    /// # Errors
    /// Fails where the disk does; damaged files are logged, and are none.
    pub fn open(
        store: Store,
        config: EdgeConfig,
        clock: Clock,
        log_line: LogLine,
    ) -> Result<Mirrors, StoreError> {
        let read = mirror_files::read(&store)?;
        for name in read.damaged {
            let text = format!("list {name}: its file is damaged and not used; it is fetched again");
            log_line(LogLevel::Error, &text);
        }
        let lists = read.held.into_iter().map(|held| {
            let synced = read.synced.get(held.name.as_str()).copied().unwrap_or(i64::MIN);
            (held.name.clone(), Arc::new(Mirror::of(held, synced)))
        });
        let lists = Mutex::new(lists.collect());
        Ok(Mirrors { config, clock, log_line, store, lists, synced_written: Mutex::new(i64::MIN) })
    }

    /// Returns a list; none where it is not known.
    pub fn get(&self, name: &ListName) -> Option<Arc<Mirror>> {
        lock(&self.lists).get(name).cloned()
    }

    /// Returns all lists by their names.
    pub fn all(&self) -> Vec<Arc<Mirror>> {
        lock(&self.lists).values().cloned().collect()
    }

    /// Begins to follow a list; none where it is followed already.
    pub fn add(&self, name: ListName) -> Option<Arc<Mirror>> {
        let mut lists = lock(&self.lists);
        if lists.contains_key(&name) {
            return None;
        }
        let mirror = Arc::new(Mirror::of(HeldList::none(name.clone()), i64::MIN));
        lists.insert(name, Arc::clone(&mirror));
        Some(mirror)
    }

    pub fn now(&self) -> i64 {
        (self.clock)().micros()
    }

    /// Returns how old a list is.
    pub fn freshness(&self, mirror: &Mirror) -> Freshness {
        let state = lock(&mirror.state);
        Freshness::of(state.held.time, state.synced, self.now())
    }

    /// Returns whether a list may not be answered any more.
    pub fn is_refused(&self, freshness: Freshness) -> bool {
        let limit = self.config.max_stale.map(|limit| i64::try_from(limit.as_micros()).unwrap_or(i64::MAX));
        limit.is_some_and(|limit| freshness.is_older_than(limit, self.now()))
    }

    /// Writes what has changed and was not written for some time, or all of it.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn write(&self, is_end: bool) -> Result<(), StoreError> {
        let now = self.now();
        for mirror in self.all() {
            if let Some(held) = mirror.to_write(now, is_end)
                && let Err(error) = mirror_files::write(&self.store, &held)
            {
                lock(&mirror.state).is_unwritten = true;
                return Err(error);
            }
        }
        let mut written = lock(&self.synced_written);
        if is_end || now.saturating_sub(*written) >= SYNCED_MICROS {
            *written = now;
            let all = self.all();
            let synced = all.iter().map(|mirror| (mirror.name.to_string(), lock(&mirror.state).synced));
            mirror_files::write_synced(&self.store, &synced.filter(|(_, at)| *at != i64::MIN).collect())?;
        }
        Ok(())
    }
}

impl Mirror {
    fn of(held: HeldList, synced: i64) -> Mirror {
        let name = held.name.clone();
        Mirror {
            name,
            state: Mutex::new(MirrorState { held, synced, written: i64::MIN, is_unwritten: false }),
        }
    }

    /// Returns what is held.
    pub fn held(&self) -> HeldList {
        lock(&self.state).held.clone()
    }

    /// Returns the value of a key of a map.
    pub fn value(&self, key: &str) -> Option<String> {
        // Shared, so that nobody waits while it is looked up.
        let lines = lock(&self.state).held.lines();
        let (_, value) = lines.get(key)?.split_once('\t')?;
        Some(value.to_owned())
    }

    /// Returns whether anything is held.
    pub fn has_version(&self) -> bool {
        lock(&self.state).held.state().is_some()
    }

    /// Takes what a server has answered; returns whether it is another version.
    pub(super) fn accept(&self, held: HeldList, now: i64) -> bool {
        let mut state = lock(&self.state);
        // A new signature is worth being told of, too.
        let is_other = held.version() != state.held.version() || held.signed != state.held.signed;
        state.synced = now;
        if is_other {
            state.held = held;
            state.is_unwritten = true;
        }
        is_other
    }

    /// Returns what is to be written now.
    fn to_write(&self, now: i64, is_end: bool) -> Option<HeldList> {
        let mut state = lock(&self.state);
        let is_due = is_end || now.saturating_sub(state.written) >= WRITE_MICROS;
        if !state.is_unwritten || !is_due {
            return None;
        }
        state.is_unwritten = false;
        state.written = now;
        Some(state.held.clone())
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
