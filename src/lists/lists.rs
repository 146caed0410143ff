//! The lists of a lake: open for changes in one process, readable in all.
//!
//! Invariant: whoever changes lists holds the lock of the lists of the lake; a list that cannot be read is named, and does
//! not keep others from being served.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::ListError;
use crate::list_files::ListFiles;
use crate::name::{FOLDER, ListName};
use crate::open_list::OpenList;
use crate::snapshot::Snapshot;
use crate::state::{ListSettings, ListState};
use crate::version::random_number;
use topsell_core::lake::LISTS_LOCK;
use topsell_core::storage::{Lock, LockTimeout, Store};

/// The lists of a lake, open for changes.
pub struct Lists {
    store: Store,
    lists: Mutex<BTreeMap<ListName, Arc<OpenList>>>,
    damaged: BTreeMap<ListName, String>,
    _lock: Lock,
}

/// What was found when lists were opened.
#[derive(Debug, Default)]
pub struct OpenedLists {
    /// Lists of which a part of a write was cut, which nobody was told of, and how many bytes.
    pub cut: Vec<(ListName, usize)>,
    /// Lists that cannot be read, and why.
    pub damaged: Vec<(ListName, String)>,
}

impl Lists {
    /// Opens the lists of a lake; `holder` is who is named where another process waits for the lock.
    ///
    /// # Errors
    /// Fails where another process changes lists, or the folder cannot be listed.
    pub fn open(
        store: &Store,
        holder: &str,
        timeout: LockTimeout,
        now: i64,
    ) -> Result<(Lists, OpenedLists), ListError> {
        let lock = store.lock(LISTS_LOCK, holder, timeout)?;
        let (mut lists, mut opened) = (BTreeMap::new(), OpenedLists::default());
        for name in list_names(store)? {
            match OpenList::open(ListFiles::of(store.clone(), &name), now) {
                Ok((list, cut)) => {
                    if cut > 0 {
                        opened.cut.push((name.clone(), cut));
                    }
                    lists.insert(name, Arc::new(list));
                }
                // Its creation was interrupted.
                Err(ListError::None { .. }) => {}
                Err(error) => opened.damaged.push((name, error.to_string())),
            }
        }
        let damaged = opened.damaged.iter().cloned().collect();
        Ok((Lists { store: store.clone(), lists: Mutex::new(lists), damaged, _lock: lock }, opened))
    }

    /// Creates a list without entries.
    ///
    /// # Errors
    /// [`ListError::Exists`] where there is one.
    pub fn create(
        &self,
        name: ListName,
        settings: ListSettings,
        now: i64,
    ) -> Result<Arc<OpenList>, ListError> {
        let mut lists = self.lock();
        if lists.contains_key(&name) || self.damaged.contains_key(&name) {
            return Err(ListError::Exists { name: name.to_string() });
        }
        let state = ListState::created(name.clone(), settings, random_number(), random_number(), now);
        let list = Arc::new(OpenList::create(ListFiles::of(self.store.clone(), &name), state, now)?);
        lists.insert(name, Arc::clone(&list));
        Ok(list)
    }

    /// Returns a list.
    ///
    /// # Errors
    /// [`ListError::None`] where there is none; [`ListError::Damaged`] where it could not be read.
    pub fn get(&self, name: &ListName) -> Result<Arc<OpenList>, ListError> {
        if let Some(list) = self.lock().get(name) {
            return Ok(Arc::clone(list));
        }
        Err(match self.damaged.get(name) {
            Some(what) => ListError::Damaged { file: name.to_string(), what: what.clone() },
            None => ListError::None { name: name.to_string() },
        })
    }

    /// Returns all lists, by their names.
    pub fn all(&self) -> Vec<(ListName, Arc<OpenList>)> {
        self.lock().iter().map(|(name, list)| (name.clone(), Arc::clone(list))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ListName, Arc<OpenList>>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the names of the lists of a lake.
///
/// # Errors
/// Fails where the folder cannot be listed.
pub fn list_names(store: &Store) -> Result<Vec<ListName>, ListError> {
    let mut names: Vec<ListName> =
        store.names(FOLDER)?.iter().filter_map(|name| ListName::of_folder(name)).collect();
    names.sort_unstable();
    Ok(names)
}

/// Reads a list as it is in the lake, also while another process changes it.
///
/// # Errors
/// [`ListError::None`] where there is none; names a file that is damaged.
pub fn read_list(store: &Store, name: &ListName) -> Result<Snapshot, ListError> {
    let read = ListFiles::of(store.clone(), name).read()?;
    Ok(Snapshot::of(&read.state, read.state.time, None))
}
