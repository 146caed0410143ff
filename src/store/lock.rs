//! A lock that one process at a time holds, and that its death releases.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};

use crate::store::{Store, StoreError};

/// A held lock; dropping it, or dying, lets go.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Whether to wait for a lock that someone else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Give up at once.
    None,
    /// Wait as long as it takes.
    Waits,
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
    /// [`LockError::Held`] where another process has it and there is no patience; it says who.
    pub fn lock(&self, name: &str, holder: &str, patience: Patience) -> Result<Lock, LockError> {
        let path = self.root().join(name);
        let failed = |e: std::io::Error| StoreError::io(path.display().to_string(), e);
        // Opened as it is: emptying it before it is ours would wipe out the holder's note.
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(failed)?;
        match (file.try_lock(), patience) {
            (Ok(()), _) => {}
            (Err(TryLockError::WouldBlock), Patience::Waits) => file.lock().map_err(failed)?,
            (Err(TryLockError::WouldBlock), Patience::None) => {
                let mut holder = String::new();
                // The holder may be about to write its note; its name is a courtesy.
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.is_empty() { "another run".to_owned() } else { holder };
                return Err(LockError::Held { holder: holder.trim().to_owned() });
            }
            (Err(TryLockError::Error(error)), _) => return Err(failed(error).into()),
        }
        let note = |file: &mut File| -> std::io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{holder}")
        };
        note(&mut file).map_err(failed)?;
        Ok(Lock { _file: file })
    }
}
