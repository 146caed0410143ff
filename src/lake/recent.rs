//! What is known of the log's newest ids without reading it again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::lake::{Lake, LakeError};
use crate::table::{Commit, Version};

impl Lake {
    /// Returns what a version's log has for an id, read again only where it may have changed.
    pub(super) fn transaction(&self, version: &Version<'_>, id: &str) -> Result<Option<i64>, LakeError> {
        match self.recent.find(id, version.number()) {
            Some(known) => Ok(known),
            None => Ok(version.transaction(id)?),
        }
    }
}

/// What is known of the newest commits without reading them: the log of a lake that has taken in a
/// batch a minute for a year is too long to be searched three times for each.
#[derive(Default)]
pub(super) struct Recent {
    state: Mutex<RecentState>,
}

#[derive(Default)]
struct RecentState {
    /// Ids that were looked for, in which version, and what it had.
    asked: HashMap<String, (u64, Option<i64>)>,
    /// Versions that follow each other and were all committed here, and what they recorded.
    ours: Option<(u64, u64)>,
    recorded: HashMap<String, i64>,
}

/// Ids that are kept; after so many the log is asked again.
const MAX_RECORDED: usize = 10_000;

impl Recent {
    pub(super) fn ask(&self, id: &str, found: Option<i64>, version: u64) {
        self.state().asked.insert(id.to_owned(), (version, found));
    }

    /// Returns what a version has for an id, where that is known.
    fn find(&self, id: &str, version: u64) -> Option<Option<i64>> {
        let mut state = self.state();
        let asked = state.asked.remove(id);
        let (first, _) = state.ours.filter(|&(_, last)| last == version).unzip();
        let recorded = first.and_then(|_| state.recorded.get(id).copied());
        match (recorded, asked) {
            (Some(recorded), _) => Some(Some(recorded)),
            // Nobody else has committed since.
            (None, Some((at, found))) if at == version || first.is_some_and(|first| first <= at + 1) => {
                Some(found)
            }
            _ => None,
        }
    }

    pub(super) fn record(&self, commit: &Commit, version: u64) {
        let mut state = self.state();
        let follows = state.ours.filter(|&(_, last)| last + 1 == version);
        if follows.is_none() || state.recorded.len() > MAX_RECORDED {
            state.recorded.clear();
            state.ours = None;
        }
        state.ours = Some((state.ours.map_or(version, |(first, _)| first), version));
        state.recorded.extend(commit.transactions.iter().cloned());
    }

    fn state(&self) -> MutexGuard<'_, RecentState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
