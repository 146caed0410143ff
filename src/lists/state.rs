//! A list in memory: its entries, what changed, whose time is over when, and which changes it has had.
//!
//! Invariant: the same changes at the same times make the same list, so that a log of them is the list.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::history::History;
use crate::kind::ListKind;
use crate::lines::{Effect, LineChange, Lines, key_of};
use crate::name::ListName;
use crate::version::Version;

/// How many ids of changes are remembered at most.
const MAX_IDS: usize = 100_000;
/// Ids are remembered for as long as versions, but at least so long, in microseconds.
const KEEP_IDS: i64 = 86_400_000_000;
/// No more changes are kept than a half of the entries: a delta of more is hardly smaller than the list.
const ENTRIES_PER_CHANGE: usize = 2;
/// So many changes are kept whatever the number of entries.
const MIN_CHANGES: usize = 100_000;
const MICROS: i64 = 1_000_000;

/// What a list is told when it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListSettings {
    pub kind: ListKind,
    /// How often a version is made where something has changed.
    pub publish_every_ms: u64,
    /// How long a version is kept, from which one delta leads to the newest.
    pub keep_seconds: u64,
    /// How long a client is told to wait before it asks again.
    pub poll_seconds: u64,
}

/// The sequences that were made by one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    pub epoch: u64,
    pub first: u64,
    pub last: u64,
}

/// What a change did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The version of the list that has it.
    pub sequence: u64,
    pub added: u64,
    pub removed: u64,
    /// Keys of a map that have another value.
    pub updated: u64,
    pub unchanged: u64,
}

/// A change that has an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    pub time: i64,
    /// What tells it from others, so that an id is not used twice.
    pub content: u64,
    pub outcome: Outcome,
}

/// A list.
#[derive(Clone, Debug)]
pub struct ListState {
    pub name: ListName,
    pub settings: ListSettings,
    pub incarnation: u64,
    pub epochs: Vec<Epoch>,
    pub sequence: u64,
    /// Of the last change, in microseconds since 1970.
    pub time: i64,
    pub lines: Lines,
    pub history: History,
    pub expiries: Expiries,
    pub ids: Ids,
}

/// When entries are removed that were added for a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expiries {
    by_key: HashMap<Box<str>, i64>,
    by_time: BTreeSet<(i64, Box<str>)>,
}

/// The changes that are remembered by their ids.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    by_id: HashMap<String, Remembered>,
    order: VecDeque<String>,
}

impl ListState {
    /// Returns a new list without entries.
    pub fn created(
        name: ListName,
        settings: ListSettings,
        incarnation: u64,
        epoch: u64,
        time: i64,
    ) -> ListState {
        ListState {
            name,
            settings,
            incarnation,
            epochs: vec![Epoch { epoch, first: 0, last: 0 }],
            sequence: 0,
            time,
            lines: Lines::default(),
            history: History::default(),
            expiries: Expiries::default(),
            ids: Ids::default(),
        }
    }

    /// Returns the newest version.
    pub fn version(&self) -> Version {
        let epoch = self.epochs.last().map_or(0, |last| last.epoch);
        Version { incarnation: self.incarnation, epoch, sequence: self.sequence }
    }

    /// Returns the version that a sequence was made in.
    pub fn version_of(&self, sequence: u64) -> Version {
        Version { epoch: epoch_of(&self.epochs, sequence), incarnation: self.incarnation, sequence }
    }

    /// Returns whether a delta leads from a version to the newest: it is of this incarnation, kept, not newer, and was the
    /// list's in its epoch.
    pub fn knows(&self, version: &Version) -> bool {
        let is_kept = (self.history.floor()..=self.sequence).contains(&version.sequence);
        version.incarnation == self.incarnation && is_kept && knows(&self.epochs, version)
    }

    /// Returns the list without what only changes need.
    pub fn clone_for_reading(&self) -> ListState {
        ListState {
            name: self.name.clone(),
            settings: self.settings,
            incarnation: self.incarnation,
            epochs: self.epochs.clone(),
            sequence: self.sequence,
            time: self.time,
            lines: self.lines.clone(),
            history: self.history.clone(),
            expiries: Expiries::default(),
            ids: Ids::default(),
        }
    }

    /// Applies a change in an epoch.
    pub fn apply(&mut self, change: &Change, epoch: u64, time: i64) -> Outcome {
        if let Some(known) = change.id.as_ref().and_then(|id| self.ids.get(id)) {
            return known.outcome;
        }
        let outcome = self.apply_new(change, epoch, time);
        if let Some(id) = &change.id {
            let remembered = Remembered { time, content: change.content(), outcome };
            self.ids.remember(id.clone(), remembered);
        }
        outcome
    }

    fn apply_new(&mut self, change: &Change, epoch: u64, time: i64) -> Outcome {
        let before = self.lines.clone();
        let due = if change.expire { self.expiries.due(time) } else { Vec::new() };
        let texts: Vec<String> = change.add.iter().map(line_of).collect();
        let removed = change.remove.iter().chain(&due).map(|key| LineChange { key, line: None });
        let added = change.add.iter().zip(&texts);
        let added = added.map(|(of, line)| LineChange { key: &of.key, line: Some(line) });
        let mut changes: Vec<LineChange<'_>> = match change.replace {
            true => {
                before.iter().map(|line| LineChange { key: key_of(line), line: None }).chain(added).collect()
            }
            false => removed.chain(added).collect(),
        };
        let changes = last_of_each(&mut changes);
        let outcome = self.apply_lines(&changes, epoch, time);
        let expires = change.ttl_seconds.map(|seconds| time.saturating_add(micros(seconds)));
        for of in &changes {
            self.expiries.set(of.key, expires.filter(|_| of.line.is_some()));
        }
        outcome
    }

    fn apply_lines(&mut self, changes: &[LineChange<'_>], epoch: u64, time: i64) -> Outcome {
        let sequence = self.sequence + 1;
        let mut outcome = Outcome::default();
        let history = &mut self.history;
        self.lines.apply(changes, |number, effect| {
            match effect {
                Effect::Added => outcome.added += 1,
                Effect::Removed => outcome.removed += 1,
                Effect::Updated => outcome.updated += 1,
                Effect::Unchanged => outcome.unchanged += 1,
            }
            if effect != Effect::Unchanged {
                history.push(sequence, time, changes[number].key, effect);
            }
        });
        if outcome.added + outcome.removed + outcome.updated > 0 {
            (self.sequence, self.time) = (sequence, time);
            match self.epochs.last_mut() {
                Some(last) if last.epoch == epoch => last.last = sequence,
                _ => self.epochs.push(Epoch { epoch, first: sequence, last: sequence }),
            }
        }
        outcome.sequence = self.sequence;
        outcome
    }

    /// Makes the list what another one is at a version, and returns how many entries were added and removed. Deltas lead
    /// to it from the versions that were followed before, and from no others: what changed between those is not known.
    pub fn follow(&mut self, mut changes: Vec<LineChange<'_>>, version: Version, time: i64) -> (u64, u64) {
        let changes = last_of_each(&mut changes);
        let (mut added, mut removed) = (0, 0);
        let history = &mut self.history;
        self.lines.apply(&changes, |number, effect| {
            match effect {
                Effect::Added => added += 1,
                Effect::Removed => removed += 1,
                Effect::Updated | Effect::Unchanged => {}
            }
            if effect != Effect::Unchanged {
                history.push(version.sequence, time, changes[number].key, effect);
            }
        });
        let is_first = self.epochs.is_empty();
        let followed = Epoch { epoch: version.epoch, first: version.sequence, last: version.sequence };
        if self.epochs.last() != Some(&followed) {
            // A backup that was restored goes on from an earlier sequence: what came after is no version any more.
            if is_first || version.sequence <= self.sequence {
                self.epochs.clear();
                self.history = History::since_version(version.sequence);
            }
            self.epochs.push(followed);
        }
        (self.sequence, self.time) = (version.sequence, time);
        (added, removed)
    }

    /// Forgets what is older than the list keeps; returns whether there was anything.
    pub fn purge(&mut self, now: i64) -> bool {
        let keep = micros(self.settings.keep_seconds);
        let entries = usize::try_from(self.lines.len()).unwrap_or(usize::MAX);
        let is_purged =
            self.history.purge(now.saturating_sub(keep), (entries / ENTRIES_PER_CHANGE).max(MIN_CHANGES));
        let floor = self.history.floor();
        self.epochs.retain(|epoch| epoch.last >= floor);
        self.ids.purge(now.saturating_sub(keep.max(KEEP_IDS)));
        is_purged
    }
}

/// Returns whether a version was made in one of some epochs.
pub fn knows(epochs: &[Epoch], version: &Version) -> bool {
    let has = |of: &Epoch| of.epoch == version.epoch && (of.first..=of.last).contains(&version.sequence);
    epochs.iter().any(has)
}

/// Returns the epoch in which a sequence was made; 0 where that is not known any more.
pub fn epoch_of(epochs: &[Epoch], sequence: u64) -> u64 {
    let has = |of: &&Epoch| (of.first..=of.last).contains(&sequence);
    epochs.iter().find(has).map_or(0, |of| of.epoch)
}

/// Returns a number of seconds in microseconds.
pub fn micros(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(MICROS)
}

fn line_of(addition: &crate::change::Addition) -> String {
    match &addition.value {
        Some(value) => format!("{}\t{value}\n", addition.key),
        None => format!("{}\n", addition.key),
    }
}

/// Sorts changes by their keys; of several of a key, the last one counts.
fn last_of_each<'a>(changes: &mut Vec<LineChange<'a>>) -> Vec<LineChange<'a>> {
    changes.sort_by(|one, other| one.key.cmp(other.key));
    let mut last: Vec<LineChange<'a>> = Vec::with_capacity(changes.len());
    for change in changes.drain(..) {
        match last.last_mut() {
            Some(before) if before.key == change.key => *before = change,
            _ => last.push(change),
        }
    }
    last
}

impl Expiries {
    /// Sets when a key is removed, or that it is not.
    pub fn set(&mut self, key: &str, time: Option<i64>) {
        let before = match time {
            Some(time) => self.by_key.insert(key.into(), time),
            None if self.by_key.is_empty() => return,
            None => self.by_key.remove(key),
        };
        if let Some(before) = before {
            self.by_time.remove(&(before, key.into()));
        }
        if let Some(time) = time {
            self.by_time.insert((time, key.into()));
        }
    }

    /// Returns the keys whose time is over.
    pub fn due(&self, now: i64) -> Vec<String> {
        self.by_time.iter().take_while(|(time, _)| *time <= now).map(|(_, key)| key.to_string()).collect()
    }

    /// Returns whether the time of a key is over.
    pub fn is_due(&self, now: i64) -> bool {
        self.by_time.first().is_some_and(|(time, _)| *time <= now)
    }

    /// Returns the keys that are removed at some time, by it.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &str)> + '_ {
        self.by_time.iter().map(|(time, key)| (*time, key.as_ref()))
    }
}

impl Ids {
    /// Returns the change of an id.
    pub fn get(&self, id: &str) -> Option<&Remembered> {
        self.by_id.get(id)
    }

    /// Remembers a change.
    pub fn remember(&mut self, id: String, change: Remembered) {
        if self.by_id.insert(id.clone(), change).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > MAX_IDS {
            self.forget_first();
        }
    }

    /// Returns the changes in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Remembered)> + '_ {
        self.order.iter().filter_map(|id| Some((id.as_str(), self.by_id.get(id)?)))
    }

    fn purge(&mut self, before: i64) {
        let is_old = |ids: &Ids| {
            let first = ids.order.front().and_then(|id| ids.by_id.get(id));
            first.is_some_and(|change| change.time < before)
        };
        while is_old(self) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(id) = self.order.pop_front() {
            self.by_id.remove(&id);
        }
    }
}
