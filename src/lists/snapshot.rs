//! A published version of a list, as it is read by many while the list changes.
//!
//! Invariant: nothing of it ever changes; the delta from any version that it knows leads exactly to it.

use std::sync::{Arc, OnceLock};

use crate::history::{ChangedKey, History, KeyChange};
use crate::kind::ListKind;
use crate::lines::{Effect, Lines};
use crate::name::ListName;
use crate::prefix_index::PrefixIndex;
use crate::state::{Epoch, ListSettings, ListState, epoch_of, knows};
use crate::version::Version;

/// A published version of a list.
#[derive(Debug)]
pub struct Snapshot {
    pub name: ListName,
    pub settings: ListSettings,
    pub version: Version,
    /// When it was published, in microseconds since 1970.
    pub time: i64,
    pub lines: Lines,
    /// Of the text of the list.
    pub sha256: [u8; 32],
    epochs: Vec<Epoch>,
    history: History,
    /// The size of the entries as members of JSON, which is counted when it is first asked for.
    pub(crate) json_bytes: OnceLock<u64>,
    /// The hash prefixes, made when they are first asked for.
    pub(crate) prefixes: PrefixIndex,
}

/// What leads from one version of a list to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Keys, ascending.
    pub removed: Vec<String>,
    /// Lines without line breaks, ascending: entries, or keys and values that are new or others.
    pub added: Vec<String>,
}

/// A version that something changed in, as `list history` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    pub version: Version,
    pub time: i64,
    pub added: u64,
    pub removed: u64,
    pub updated: u64,
}

impl Snapshot {
    /// Returns the newest version of a list as one that is published now; `before` is the last one that was.
    pub fn of(state: &ListState, now: i64, before: Option<&Arc<Snapshot>>) -> Snapshot {
        let before = before.filter(|before| state.knows(&before.version));
        let prefixes = before.map_or_else(PrefixIndex::default, |before| before.prefixes.next());
        Snapshot {
            name: state.name.clone(),
            settings: state.settings,
            version: state.version(),
            time: now,
            lines: state.lines.clone(),
            sha256: state.lines.sha256(),
            epochs: state.epochs.clone(),
            history: state.history.clone(),
            json_bytes: OnceLock::new(),
            prefixes,
        }
    }

    /// Returns the version as clients hold it.
    pub fn version_text(&self) -> String {
        self.version.text(&self.name)
    }

    /// Reads the version that a client holds; none where a delta from it cannot be made: it is of another list or another
    /// incarnation, older than what is kept, newer than this one, or was never given away.
    pub fn known(&self, version: &str) -> Option<Version> {
        Version::parse(version, &self.name).filter(|version| self.knows(version))
    }

    /// Returns whether a delta from a version can be made.
    pub fn knows(&self, version: &Version) -> bool {
        version.incarnation == self.version.incarnation
            && (self.history.floor()..=self.version.sequence).contains(&version.sequence)
            && knows(&self.epochs, version)
    }

    /// Returns how many changes were made since a version, which is about how much a delta from it is.
    pub fn changes_since(&self, version: &Version) -> usize {
        self.history.count_after(version.sequence)
    }

    /// Returns what leads from a version that is known to this one: each key at most once.
    pub fn delta(&self, since: &Version) -> Delta {
        let mut delta = Delta::default();
        let mut changes: Vec<(&str, &KeyChange)> =
            self.history.after(since.sequence).map(|(change, key)| (key, change)).collect();
        // Stable: of each key, in the order of its changes. By prefixes first, which are numbers.
        changes.sort_by(|one, other| (one.1.prefix, one.0).cmp(&(other.1.prefix, other.0)));
        for changes in changes.chunk_by(|one, other| one.0 == other.0) {
            let of = ChangedKey::of(changes);
            match (of.was_there, of.is_there) {
                (true, false) => delta.removed.push(of.key.to_owned()),
                (false, true) => delta.added.extend(self.lines.get(of.key).map(str::to_owned)),
                // Its value may be another one.
                (true, true) if self.settings.kind == ListKind::Map => {
                    delta.added.extend(self.lines.get(of.key).map(str::to_owned));
                }
                _ => {}
            }
        }
        delta.removed.sort_unstable();
        delta.added.sort_unstable();
        delta
    }

    /// Returns the versions that are kept and what changed in each, the newest first.
    pub fn history(&self) -> Vec<HistoryRow> {
        let mut rows: Vec<HistoryRow> = Vec::new();
        for (change, _) in self.history.after(self.history.floor()) {
            if rows.last().is_none_or(|row| row.version.sequence != change.sequence) {
                let version = self.version_of(change.sequence);
                rows.push(HistoryRow { version, time: change.time, added: 0, removed: 0, updated: 0 });
            }
            let Some(row) = rows.last_mut() else { continue };
            match change.effect {
                Effect::Added => row.added += 1,
                Effect::Removed => row.removed += 1,
                Effect::Updated | Effect::Unchanged => row.updated += 1,
            }
        }
        rows.reverse();
        rows
    }

    /// Returns the changes that are kept.
    pub(crate) fn changes(&self) -> &History {
        &self.history
    }

    fn version_of(&self, sequence: u64) -> Version {
        Version { incarnation: self.version.incarnation, epoch: epoch_of(&self.epochs, sequence), sequence }
    }
}

impl Delta {
    /// Returns how many entries it names.
    pub fn len(&self) -> usize {
        self.removed.len() + self.added.len()
    }

    /// Returns whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
