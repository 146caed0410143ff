//! Locks between processes, released when they are dropped or their process ends: exclusive ones, and
//! ones that are shared until somebody needs them exclusively.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::time::Duration;

use crate::storage::error::StoreError;
use crate::storage::store::Store;

/// How often an exclusive lock is tried while others share it: for ten seconds, since whoever comes
/// meanwhile waits too.
const MAX_TRIES: u32 = 200;
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// An exclusive lock; dropping it releases it.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: String,
}

/// How long to wait for a lock that another process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockTimeout {
    /// Fail at once.
    NoWait,
    /// Wait until the lock is released.
    Unlimited,
}

impl LockTimeout {
    /// Returns the time-out that `--wait` stands for.
    pub fn from_wait(wait: bool) -> LockTimeout {
        if wait { LockTimeout::Unlimited } else { LockTimeout::NoWait }
    }
}

/// A lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("the lake is locked by {holder}")]
    Held { holder: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Takes the lock of that name, and writes into it who holds it.
    ///
    /// # Errors
    /// [`LockError::Held`], with the holder, where another process holds it and the caller does not
    /// wait.
    pub fn lock(&self, name: &str, holder: &str, lock_timeout: LockTimeout) -> Result<Lock, LockError> {
        let mut lock = self.lock_as_left(name, lock_timeout)?;
        lock.note(holder)?;
        Ok(lock)
    }

    /// Takes the lock of that name, and keeps the note of its last holder.
    ///
    /// # Errors
    /// As [`Store::lock`].
    pub fn lock_as_left(&self, name: &str, lock_timeout: LockTimeout) -> Result<Lock, LockError> {
        let path = self.root.join(name);
        let failed = |e: std::io::Error| StoreError::io(path.display().to_string(), e);
        // Not truncated: that would remove the holder's note.
        let mut file = self.opened(name)?;
        match (file.try_lock(), lock_timeout) {
            (Ok(()), _) => {}
            (Err(TryLockError::WouldBlock), LockTimeout::Unlimited) => file.lock().map_err(failed)?,
            (Err(TryLockError::WouldBlock), LockTimeout::NoWait) => {
                // The holder may not have written its note yet.
                let holder = read_note(&mut file).unwrap_or_default();
                let holder = if holder.is_empty() { "another run".to_owned() } else { holder };
                return Err(LockError::Held { holder });
            }
            (Err(TryLockError::Error(error)), _) => return Err(failed(error).into()),
        }
        Ok(Lock { file, path: path.display().to_string() })
    }
}

impl Lock {
    /// Returns the last note: of this holder or, until there is one, of the holder before.
    ///
    /// # Errors
    /// Names the file.
    pub fn last_note(&mut self) -> Result<String, StoreError> {
        read_note(&mut self.file).map_err(|e| StoreError::io(self.path.clone(), e))
    }

    /// Writes a note of one line, for those who find the lock held and for the next holder.
    ///
    /// # Errors
    /// Names the file.
    pub fn note(&mut self, line: &str) -> Result<(), StoreError> {
        let line = format!("{line}\n");
        let mut write = || -> std::io::Result<()> {
            // Overwritten, then truncated: whoever reads meanwhile sees one whole line first.
            self.file.rewind()?;
            self.file.write_all(line.as_bytes())?;
            self.file.set_len(line.len() as u64)
        };
        write().map_err(|e| StoreError::io(self.path.clone(), e))
    }
}

/// Returns the first line of a lock's file.
fn read_note(file: &mut File) -> std::io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// A lock that may be shared; dropping it releases it.
#[derive(Debug)]
pub struct SharedLock {
    _file: File,
}

impl Store {
    /// Takes a lock that others may share; waits while somebody holds it exclusively.
    ///
    /// # Errors
    /// Fails where the lock's file cannot be opened.
    pub fn lock_shared(&self, name: &str) -> Result<SharedLock, StoreError> {
        // A second lock is taken first, which whoever waits for exclusive access holds: otherwise new
        // sharers could make it wait for ever.
        let gate = self.opened(&format!("{name}.door.lock"))?;
        let shared = self.opened(&format!("{name}.lock"))?;
        let failed = |e: std::io::Error| StoreError::io(self.location_of(name), e);
        gate.lock_shared().map_err(failed)?;
        shared.lock_shared().map_err(failed)?;
        Ok(SharedLock { _file: shared })
    }

    /// Takes a shared lock exclusively, and waits for some seconds until nobody shares it any more; none
    /// where somebody shares it for longer.
    ///
    /// # Errors
    /// Fails where the lock's file cannot be opened.
    pub fn lock_exclusive(&self, name: &str) -> Result<Option<(SharedLock, SharedLock)>, StoreError> {
        let gate = self.opened(&format!("{name}.door.lock"))?;
        let shared = self.opened(&format!("{name}.lock"))?;
        let failed = |e: std::io::Error| StoreError::io(self.location_of(name), e);
        let mut tries_left = MAX_TRIES;
        for lock in [&gate, &shared] {
            while let Err(held) = lock.try_lock() {
                match held {
                    TryLockError::Error(error) => return Err(failed(error)),
                    TryLockError::WouldBlock if tries_left == 0 => return Ok(None),
                    TryLockError::WouldBlock => {
                        tries_left -= 1;
                        std::thread::sleep(RETRY_INTERVAL);
                    }
                }
            }
        }
        Ok(Some((SharedLock { _file: gate }, SharedLock { _file: shared })))
    }

    fn opened(&self, name: &str) -> Result<File, StoreError> {
        let path = self.root.join(name);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        open.map_err(|e| StoreError::io(path.display().to_string(), e))
    }
}
