//! Caches what the log has for batch ids: the log of a lake with a batch a minute for a year is too long
//! to be searched three times for each batch, and what this process has committed need not be read.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::delta::{Commit, PinnedVersion, Table, TableError, Version};

/// What this process knows of the newest commits.
#[derive(Default)]
pub(super) struct TransactionCache {
    state: Mutex<CacheState>,
}

#[derive(Default)]
struct CacheState {
    /// The last version whose log was searched.
    base: Option<(u64, PinnedVersion)>,
    /// Ids that were looked up, in which version, and the result.
    asked: HashMap<String, (u64, Option<i64>)>,
    /// The first and last of consecutive versions that were all committed here; `recorded` has their
    /// transactions.
    ours: Option<(u64, u64)>,
    recorded: HashMap<String, i64>,
    /// The version that is being committed here, unless another process is first.
    expected: Option<u64>,
}

/// Where to find the result for an id.
enum LookUp {
    /// It is known, as of version `at`.
    Found {
        found: i64,
        at: u64,
    },
    /// It is as in the marked version, up to version `at`.
    In {
        pinned: PinnedVersion,
        at: u64,
    },
    Unknown,
}

/// Ids that are kept; after so many the log is read again.
const MAX_RECORDED: usize = 10_000;

impl TransactionCache {
    /// Returns what a version's log has for an id, read again only where it may have changed.
    pub(super) fn transaction(&self, version: &Version<'_>, id: &str) -> Result<Option<i64>, TableError> {
        match self.take_asked(id, version.number()) {
            Some(known) => Ok(known),
            None => version.transaction(id),
        }
    }

    /// Returns what a table's newest log has for an id, as far as this process knows it, and remembers it for
    /// [`TransactionCache::transaction`].
    pub(super) fn ask(&self, table: &Table, id: &str) -> Result<Option<i64>, TableError> {
        let newest = table.newest_known()?;
        let (found, at) = match self.look_up(id, newest.number()) {
            LookUp::Found { found, at } => (Some(found), at),
            LookUp::In { pinned, at } => match table.at_pinned(&pinned).transaction(id) {
                Ok(found) => (found, at),
                // The part of the log that it needs was vacuumed.
                Err(_) => self.ask_newest(&newest, id)?,
            },
            LookUp::Unknown => self.ask_newest(&newest, id)?,
        };
        self.state().asked.insert(id.to_owned(), (at, found));
        Ok(found)
    }

    fn ask_newest(&self, newest: &Version<'_>, id: &str) -> Result<(Option<i64>, u64), TableError> {
        let found = newest.transaction(id)?;
        self.state().base = Some((newest.number(), newest.pin()));
        Ok((found, newest.number()))
    }

    fn look_up(&self, id: &str, newest: u64) -> LookUp {
        let state = self.state();
        let Some((base, pinned)) = &state.base else { return LookUp::Unknown };
        let last = state.ours.map_or(*base, |(_, last)| last.max(*base));
        // A version that is not recorded yet is most likely the one being committed here; if it is
        // another process's, the commit fails and looks again.
        // A version that was the newest one a moment ago is older than what was committed here since.
        let is_known = (*base..=last).contains(&newest) || state.expected == Some(newest);
        if !is_known || !state.is_all_ours(*base, last) {
            return LookUp::Unknown;
        }
        match state.recorded.get(id) {
            Some(&found) => LookUp::Found { found, at: last },
            None => LookUp::In { pinned: pinned.clone(), at: last },
        }
    }

    /// Returns the result for an id in a version, where it is known.
    fn take_asked(&self, id: &str, version: u64) -> Option<Option<i64>> {
        let mut state = self.state();
        let asked = state.asked.remove(id);
        let is_ours = state.ours.is_some_and(|(_, last)| last == version);
        match (state.recorded.get(id).filter(|_| is_ours), asked) {
            (Some(recorded), _) => Some(Some(*recorded)),
            (None, Some((at, found))) if state.is_all_ours(at, version) => Some(found),
            _ => None,
        }
    }

    /// Forgets what was found for an id, which is looked up elsewhere.
    pub(super) fn forget(&self, id: &str) {
        self.state().asked.remove(id);
    }

    /// Announces that a version is about to be committed here.
    pub(super) fn expect(&self, version: u64) {
        self.state().expected = Some(version);
    }

    /// Records the transactions of a commit; none where another process was first.
    pub(super) fn record(&self, committed: Option<(&Commit, u64)>) {
        let mut state = self.state();
        state.expected = None;
        let Some((commit, version)) = committed else { return };
        let follows = state.ours.filter(|&(_, last)| last + 1 == version);
        if follows.is_none() || state.recorded.len() > MAX_RECORDED {
            state.recorded.clear();
            state.ours = None;
        }
        state.ours = Some((state.ours.map_or(version, |(first, _)| first), version));
        state.recorded.extend(commit.transactions.iter().cloned());
    }

    fn state(&self) -> MutexGuard<'_, CacheState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CacheState {
    /// Returns whether only this process has committed after one version, up to another.
    fn is_all_ours(&self, after: u64, until: u64) -> bool {
        after == until
            || self.ours.is_some_and(|(first, last)| first <= after + 1 && after < until && until == last)
    }
}
