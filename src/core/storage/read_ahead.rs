//! Files of a bucket that are read before they are asked for, many at once and bounded in bytes.
//!
//! Invariant: only files are read ahead that never change; those that nobody has asked for yet and those that were
//! asked for last are kept, as far as there is room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{DynObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;

/// The number of files that are read at once at most.
const MAX_DOWNLOADS: usize = 32;
/// The bytes of all that is kept or being read. Files that are larger than this by themselves are not read ahead.
const MAX_BYTES: u64 = 96 << 20;

/// Reads files ahead.
pub(super) struct ReadAhead {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<DynObjectStore>,
    handle: Handle,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What is to be read, with its size.
    queue: VecDeque<(Path, u64)>,
    files: HashMap<Path, File>,
    /// What was asked for, the last one at the end.
    asked: VecDeque<Path>,
    bytes: u64,
    downloads: usize,
}

enum File {
    Queued,
    Loading,
    Here(Bytes),
}

impl ReadAhead {
    pub fn of(disk: &Arc<DynObjectStore>, handle: &Handle) -> ReadAhead {
        let (disk, handle) = (Arc::clone(disk), handle.clone());
        ReadAhead {
            shared: Arc::new(Shared { disk, handle, state: Mutex::default(), changed: Condvar::new() }),
        }
    }

    /// Begins to read files, given their sizes, in the order in which they will be asked for.
    pub fn begin(&self, files: impl Iterator<Item = (Path, u64)>) {
        {
            let mut state = self.shared.state();
            for (key, size) in files.filter(|(_, size)| *size <= MAX_BYTES) {
                if !state.files.contains_key(&key) {
                    state.files.insert(key.clone(), File::Queued);
                    state.queue.push_back((key, size));
                }
            }
        }
        self.shared.start();
    }

    /// Forgets a file that is written or removed.
    pub fn forget(&self, key: &Path) {
        let mut state = self.shared.state();
        if let Some(File::Here(bytes)) = state.files.remove(key) {
            state.bytes -= bytes.len() as u64;
        }
        state.queue.retain(|(queued, _)| queued != key);
    }

    /// Returns a file that is here or is being read; none where it is neither, or cannot be read.
    pub fn take(&self, key: &Path) -> Option<Bytes> {
        let is_loading = |state: &mut State| matches!(state.files.get(key), Some(File::Loading));
        let state = self.shared.changed.wait_while(self.shared.state(), is_loading);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let bytes = match state.files.get(key)? {
            File::Here(bytes) => Some(bytes.clone()),
            // Whoever asks does not wait for its turn.
            File::Queued | File::Loading => None,
        };
        match bytes {
            Some(_) => state.asked.push_back(key.clone()),
            None => {
                state.files.remove(key);
                state.queue.retain(|(queued, _)| queued != key);
            }
        }
        drop(state);
        self.shared.start();
        bytes
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts as many downloads as there is room for.
    fn start(self: &Arc<Shared>) {
        let mut state = self.state();
        while state.downloads < MAX_DOWNLOADS {
            let Some(size) = state.queue.front().map(|(_, size)| *size) else { return };
            state.make_room(size);
            if state.bytes + size > MAX_BYTES {
                return;
            }
            let Some((key, size)) = state.queue.pop_front() else { return };
            state.files.insert(key.clone(), File::Loading);
            state.bytes += size;
            state.downloads += 1;
            let shared = Arc::clone(self);
            self.handle.spawn(async move {
                let found = match shared.disk.get(&key).await {
                    Ok(found) => found.bytes().await,
                    Err(error) => Err(error),
                };
                shared.end(key, size, found.ok());
            });
        }
    }

    /// Keeps what was read; of a file that cannot be read, whoever asks for it hears why.
    fn end(self: &Arc<Shared>, key: Path, size: u64, found: Option<Bytes>) {
        let mut state = self.state();
        state.downloads -= 1;
        state.bytes -= size;
        match found {
            Some(bytes) if state.files.contains_key(&key) => {
                state.bytes += bytes.len() as u64;
                state.files.insert(key, File::Here(bytes));
            }
            // It was forgotten meanwhile, or cannot be read.
            _ => drop(state.files.remove(&key)),
        }
        drop(state);
        self.changed.notify_all();
        self.start();
    }
}

impl State {
    /// Lets go of files that were asked for, the first ones first, until there is room.
    fn make_room(&mut self, size: u64) {
        while self.bytes + size > MAX_BYTES {
            let Some(oldest) = self.asked.pop_front() else { break };
            // One that was asked for again later stays for longer.
            if self.asked.contains(&oldest) {
                continue;
            }
            if let Some(File::Here(bytes)) = self.files.remove(&oldest) {
                self.bytes -= bytes.len() as u64;
            }
        }
    }
}
