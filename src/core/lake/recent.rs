//! What is known of the log's newest ids without reading it again: the log of a lake that has taken
//! in a batch a minute for a year is too long to be searched three times for each, and what this
//! process has committed itself it need not read at all.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::delta::{Commit, PinnedVersion, Version};
use crate::lake::{Lake, LakeError};

impl Lake {
    /// Returns what a version's log has for an id, read again only where it may have changed.
    pub(super) fn transaction(&self, version: &Version<'_>, id: &str) -> Result<Option<i64>, LakeError> {
        match self.recent.take_asked(id, version.number()) {
            Some(known) => Ok(known),
            None => Ok(version.transaction(id)?),
        }
    }

    /// Returns what the newest log has for an id, and keeps it in mind for [`Lake::transaction`].
    pub(super) fn ask(&self, id: &str) -> Result<Option<i64>, LakeError> {
        let newest = self.events.newest()?;
        let (found, at) = match self.recent.look_up(id, newest.number()) {
            LookUp::Found { found, at } => (Some(found), at),
            LookUp::In { pinned, at } => match self.events.at_pinned(&pinned).transaction(id) {
                Ok(found) => (found, at),
                // What it needs was vacuumed.
                Err(_) => self.ask_newest(&newest, id)?,
            },
            LookUp::Unknown => self.ask_newest(&newest, id)?,
        };
        self.recent.state().asked.insert(id.to_owned(), (at, found));
        Ok(found)
    }

    fn ask_newest(&self, newest: &Version<'_>, id: &str) -> Result<(Option<i64>, u64), LakeError> {
        let found = newest.transaction(id)?;
        self.recent.state().base = Some((newest.number(), newest.pin()));
        Ok((found, newest.number()))
    }
}

/// What this process knows of the newest commits.
#[derive(Default)]
pub(super) struct Recent {
    state: Mutex<RecentState>,
}

#[derive(Default)]
struct RecentState {
    /// The last version whose log was searched; the longer this stays, the less there is to read.
    base: Option<(u64, PinnedVersion)>,
    /// Ids that were looked for, in which version, and what it had.
    asked: HashMap<String, (u64, Option<i64>)>,
    /// Versions that follow each other and were all committed here, and what they recorded.
    ours: Option<(u64, u64)>,
    recorded: HashMap<String, i64>,
    /// The version that is being committed here, unless somebody else is first.
    expected: Option<u64>,
}

/// Where to find what a version has for an id.
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

/// Ids that are kept; after so many the log is asked again.
const MAX_RECORDED: usize = 10_000;

impl Recent {
    fn look_up(&self, id: &str, newest: u64) -> LookUp {
        let state = self.state();
        let Some((base, pinned)) = &state.base else { return LookUp::Unknown };
        let last = state.ours.map_or(*base, |(_, last)| last.max(*base));
        // One that is not recorded yet is most likely the one on its way; were it somebody else's,
        // then ours fails, and looks again.
        let is_known = newest == last || state.expected == Some(newest);
        if !is_known || !state.is_all_ours(*base, last) {
            return LookUp::Unknown;
        }
        match state.recorded.get(id) {
            Some(&found) => LookUp::Found { found, at: last },
            None => LookUp::In { pinned: pinned.clone(), at: last },
        }
    }

    /// Returns what a version has for an id, where that is known.
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

    /// Notes that a version is about to be committed here.
    pub(super) fn expect(&self, version: u64) {
        self.state().expected = Some(version);
    }

    /// Notes what a commit has recorded; none where somebody else was first.
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

    fn state(&self) -> MutexGuard<'_, RecentState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecentState {
    /// Tells whether nobody else has committed after one version, up to another.
    fn is_all_ours(&self, after: u64, until: u64) -> bool {
        after == until
            || self.ours.is_some_and(|(first, last)| first <= after + 1 && after < until && until == last)
    }
}
