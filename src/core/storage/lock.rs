//! Locks that processes hold, and that their death releases: one at a time, or a room that many
//! may be in until one has it to itself.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::time::Duration;

use crate::storage::{Store, StoreError};

/// For how long a door is kept shut while the last to leave are waited for: ten seconds, since all
/// who come meanwhile wait too.
const TRIES_TO_BE_ALONE: u32 = 200;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// A held lock; dropping it, or dying, lets go.
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

/// A lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{holder} is at work on this lake")]
    Held { holder: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Takes the lock of that name, and notes in it who holds it.
    ///
    /// # Errors
    /// [`LockError::Held`] where another process holds it and the caller does not wait; it names the holder.
    pub fn lock(&self, name: &str, holder: &str, lock_timeout: LockTimeout) -> Result<Lock, LockError> {
        let mut lock = self.lock_as_left(name, lock_timeout)?;
        lock.note(holder)?;
        Ok(lock)
    }

    /// Takes the lock of that name, and leaves in it what its last holder noted.
    ///
    /// # Errors
    /// As [`Store::lock`].
    pub fn lock_as_left(&self, name: &str, lock_timeout: LockTimeout) -> Result<Lock, LockError> {
        let path = self.root().join(name);
        let failed = |e: std::io::Error| StoreError::io(path.display().to_string(), e);
        // Opened as it is: emptying it before it is ours would wipe out the holder's note.
        let mut file = self.opened(name)?;
        match (file.try_lock(), lock_timeout) {
            (Ok(()), _) => {}
            (Err(TryLockError::WouldBlock), LockTimeout::Unlimited) => file.lock().map_err(failed)?,
            (Err(TryLockError::WouldBlock), LockTimeout::NoWait) => {
                // The holder may be about to write its note; its name is a courtesy.
                let holder = noted(&mut file).unwrap_or_default();
                let holder = if holder.is_empty() { "another run".to_owned() } else { holder };
                return Err(LockError::Held { holder });
            }
            (Err(TryLockError::Error(error)), _) => return Err(failed(error).into()),
        }
        Ok(Lock { file, path: path.display().to_string() })
    }
}

impl Lock {
    /// Returns what was noted last, by this holder or, until then, by the one before.
    ///
    /// # Errors
    /// Names the file.
    pub fn last_note(&mut self) -> Result<String, StoreError> {
        noted(&mut self.file).map_err(|e| StoreError::io(self.path.clone(), e))
    }

    /// Notes one line for those who find the lock held, and for the next holder.
    ///
    /// # Errors
    /// Names the file.
    pub fn note(&mut self, line: &str) -> Result<(), StoreError> {
        let line = format!("{line}\n");
        let mut write = || -> std::io::Result<()> {
            // Written over, then cut: whoever reads meanwhile sees one whole line first.
            self.file.rewind()?;
            self.file.write_all(line.as_bytes())?;
            self.file.set_len(line.len() as u64)
        };
        write().map_err(|e| StoreError::io(self.path.clone(), e))
    }
}

/// Returns the first line of a lock's file.
fn noted(file: &mut File) -> std::io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// A room that is being used, by many at once or by one alone; dropping it, or dying, leaves.
#[derive(Debug)]
pub struct Stay {
    _file: File,
}

impl Store {
    /// Enters a room that others may be in too; waits while someone has it alone.
    ///
    /// # Errors
    /// Fails where the lock's file cannot be opened.
    pub fn enter(&self, room: &str) -> Result<Stay, StoreError> {
        // Through a door that whoever wants the room alone keeps shut: else new ones would come in
        // for ever while it waits for the last to leave.
        let door = self.opened(&format!("{room}.door.lock"))?;
        let inside = self.opened(&format!("{room}.lock"))?;
        let failed = |e: std::io::Error| StoreError::io(self.root().join(room).display().to_string(), e);
        door.lock_shared().map_err(failed)?;
        inside.lock_shared().map_err(failed)?;
        Ok(Stay { _file: inside })
    }

    /// Waits for some seconds until all have left a room, and has it alone, nobody entering meanwhile;
    /// none where somebody stays longer.
    ///
    /// # Errors
    /// Fails where the lock's file cannot be opened.
    pub fn enter_alone(&self, room: &str) -> Result<Option<(Stay, Stay)>, StoreError> {
        let door = self.opened(&format!("{room}.door.lock"))?;
        let inside = self.opened(&format!("{room}.lock"))?;
        let failed = |e: std::io::Error| StoreError::io(self.root().join(room).display().to_string(), e);
        let mut tries = TRIES_TO_BE_ALONE;
        for lock in [&door, &inside] {
            while let Err(held) = lock.try_lock() {
                match held {
                    TryLockError::Error(error) => return Err(failed(error)),
                    TryLockError::WouldBlock if tries == 0 => return Ok(None),
                    TryLockError::WouldBlock => {
                        tries -= 1;
                        std::thread::sleep(BETWEEN_TRIES);
                    }
                }
            }
        }
        Ok(Some((Stay { _file: door }, Stay { _file: inside })))
    }

    fn opened(&self, name: &str) -> Result<File, StoreError> {
        let path = self.root().join(name);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        open.map_err(|e| StoreError::io(path.display().to_string(), e))
    }
}
