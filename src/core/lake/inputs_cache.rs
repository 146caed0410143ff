//! The entries of ingested files, where the lake is in a bucket: each look at them would be a request, and a file is
//! looked at many times while it is ingested.
//!
//! Entries are noted here first, and written before the batches that they are about are committed, all at once.
//!
//! Invariant: what is kept of an object was in it after this process wrote it, or when it was read; where the table has
//! commits that were not there before the last write or look, what has changed since is read again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hashbrown::HashMap;

use crate::lake::layout::INPUTS;
use crate::storage::{Store, StoreError};

/// What this process knows of the entries.
#[derive(Default)]
pub(super) struct InputsCache {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The objects that were there when this process looked.
    there: Option<HashSet<String>>,
    objects: HashMap<String, Vec<u8>>,
    /// What is to be appended to them.
    noted: BTreeMap<String, Vec<u8>>,
    /// The newest version of the table before the last write or look.
    version: Option<u64>,
}

impl InputsCache {
    /// Returns the entries in an object; none where it is not there.
    pub fn read(&self, store: &Store, path: &str) -> Result<Vec<u8>, StoreError> {
        let mut state = self.state();
        let noted = state.noted.get(path).cloned().unwrap_or_default();
        if !state.objects.contains_key(path) {
            let bytes = if state.is_there(store, path)? { read(store, path)? } else { Vec::new() };
            state.objects.insert(path.to_owned(), bytes);
        }
        let written = state.objects.get(path).map(Vec::as_slice).unwrap_or_default();
        Ok([written, &noted].concat())
    }

    /// Notes an entry, which is to be written.
    pub fn note(&self, path: String, line: &str) {
        self.state().noted.entry(path).or_default().extend_from_slice(line.as_bytes());
    }

    /// Returns whether anything is to be written.
    pub fn has_noted(&self) -> bool {
        !self.state().noted.is_empty()
    }

    /// Writes what was noted; `version` is the newest one of the table.
    pub fn write(&self, store: &Store, version: u64) -> Result<(), StoreError> {
        let mut state = self.state();
        let noted = std::mem::take(&mut state.noted);
        let mut lines = Vec::new();
        for (path, bytes) in noted {
            let is_new = !state.is_there(store, &path)?;
            lines.push((path, Bytes::from(bytes), is_new));
        }
        for (path, bytes) in store.append_all(lines)? {
            state.there.get_or_insert_default().insert(path.clone());
            state.objects.insert(path, bytes.into());
        }
        state.version = Some(version);
        Ok(())
    }

    /// Reads what some objects have now, also where no commit has been made since they were read; `version` is the newest
    /// one of the table.
    pub fn read_again(&self, store: &Store, version: u64, paths: BTreeSet<String>) -> Result<(), StoreError> {
        self.state().version = None;
        self.refresh(store, version)?;
        let mut state = self.state();
        let is_unread = |path: &String| !state.objects.contains_key(path) && state.is_listed(path);
        let paths = paths.into_iter().filter(is_unread).collect();
        let read = store.get_objects(paths)?;
        state.objects.extend(read.into_iter().map(|(path, bytes)| (path, bytes.into())));
        Ok(())
    }

    /// Forgets the objects that others have appended to, unless a version is the one before the last write: each of them
    /// has another size in a listing.
    pub fn refresh(&self, store: &Store, version: u64) -> Result<(), StoreError> {
        let mut state = self.state();
        if !store.is_bucket() || state.version == Some(version) {
            return Ok(());
        }
        let listed = store.files(INPUTS)?.into_iter().map(|file| (file.path, file.size_bytes));
        let listed: HashMap<String, u64> = listed.collect();
        let size = |path: &str| listed.get(path).copied().unwrap_or_default();
        state.objects.retain(|path, bytes| size(path) == bytes.len() as u64);
        state.there = Some(listed.into_keys().collect());
        state.version = Some(version);
        Ok(())
    }

    /// Looks which objects are there, unless this process has looked.
    pub fn list(&self, store: &Store) -> Result<(), StoreError> {
        self.state().is_there(store, "").map(drop)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_listed(&self, path: &str) -> bool {
        self.there.as_ref().is_some_and(|there| there.contains(path))
    }

    fn is_there(&mut self, store: &Store, path: &str) -> Result<bool, StoreError> {
        if self.there.is_none() {
            let listed = store.files(INPUTS)?;
            self.there = Some(listed.into_iter().map(|file| file.path).collect());
        }
        Ok(self.there.as_ref().is_some_and(|there| there.contains(path)))
    }
}

fn read(store: &Store, path: &str) -> Result<Vec<u8>, StoreError> {
    match store.get(path) {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        bytes => Ok(bytes?.into()),
    }
}
