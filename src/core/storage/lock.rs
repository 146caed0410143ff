//! Locks between processes, released when they are dropped or their process ends: exclusive ones, and
//! ones that are shared until somebody needs them exclusively. In a bucket, exclusive ones are leases, and shared ones
//! do not exist: files that no commit names are removed by age alone.
//!
//! Invariant: only who can write to the folder of a lock can take it. Whoever can open a file for reading
//! can lock it, so that a lock's file is readable for nobody else.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::storage::bucket::Bucket;
use crate::storage::error::StoreError;
use crate::storage::lease::{Asked, Lease, Overdue};
use crate::storage::store::{Root, Store};

/// How often an exclusive lock is tried while others share it: for ten seconds, since whoever comes
/// meanwhile waits too.
const MAX_TRIES: u32 = 200;
const RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// How often a lease is asked for while it lasts that another process has, and how many times before it is said.
const TRIES_PER_LEASE: u32 = 40;
const QUIET_TRIES: u32 = 6;
/// A lease that is had for a moment lasts for this part of the time of others.
const SHORT: u32 = 4;
/// The permissions of a lock's file before its folder is looked at.
const OWNER_MODE: u32 = 0o600;

/// An exclusive lock; dropping it releases it.
#[derive(Debug)]
pub struct Lock {
    held: Held,
    path: String,
}

#[derive(Debug)]
enum Held {
    File(File),
    Lease(Lease),
}

/// How long to wait for a lock that another process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockTimeout {
    /// Fail at once.
    NoWait,
    /// Fail at once; in a bucket, wait for as long as a lease lasts whose holder is gone.
    WhileOverdue,
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
        let root = match &self.root {
            Root::Folder(root) => root,
            Root::Bucket(bucket) => return self.take_lease(bucket, name, Some(holder), lock_timeout),
        };
        let mut lock = self.lock_file(&root.join(name), lock_timeout)?;
        match lock.note(holder) {
            // The lock needs no room, and its holder may be about to make some.
            Err(error) if !error.is_full() => Err(error.into()),
            _ => Ok(lock),
        }
    }

    /// Takes the lock of that name, and keeps the note of its last holder.
    ///
    /// # Errors
    /// As [`Store::lock`].
    pub fn lock_as_left(&self, name: &str, lock_timeout: LockTimeout) -> Result<Lock, LockError> {
        match &self.root {
            Root::Folder(root) => self.lock_file(&root.join(name), lock_timeout),
            Root::Bucket(bucket) => self.take_lease(bucket, name, None, lock_timeout),
        }
    }

    /// Takes a lease of a bucket for a moment, where nobody has it; it is over soon after its holder is gone. None in a
    /// folder.
    ///
    /// # Errors
    /// Fails where the store does.
    pub fn lease(&self, name: &str, holder: &str) -> Result<Option<Lock>, StoreError> {
        self.ask_for_lease(name, holder, Overdue::Leave)
    }

    /// Does the same, also where the holder is gone, which takes two more requests.
    ///
    /// # Errors
    /// Fails where the store does.
    pub fn take_over_lease(&self, name: &str, holder: &str) -> Result<Option<Lock>, StoreError> {
        self.ask_for_lease(name, holder, Overdue::TakeOver)
    }

    fn ask_for_lease(&self, name: &str, holder: &str, overdue: Overdue) -> Result<Option<Lock>, StoreError> {
        let Root::Bucket(bucket) = &self.root else { return Ok(None) };
        let lasts = bucket.times.lease / SHORT;
        Ok(match Lease::ask(bucket, name, Some(holder), overdue, lasts)? {
            Asked::Given(lease) => Some(Lock { held: Held::Lease(lease), path: bucket.location_of(name) }),
            Asked::Held(_) => None,
        })
    }

    fn lock_file(&self, path: &Path, lock_timeout: LockTimeout) -> Result<Lock, LockError> {
        let failed = |e: std::io::Error| StoreError::io(path.display().to_string(), e);
        // Not truncated: that would remove the holder's note.
        let mut file = open_lock_file(path).map_err(failed)?;
        match (file.try_lock(), lock_timeout) {
            (Ok(()), _) => {}
            (Err(TryLockError::WouldBlock), LockTimeout::Unlimited) => {
                let holder = read_note(&mut file).unwrap_or_default();
                let what = || format!("waiting: the lake is locked by {}", named(&holder));
                self.wait_until(what, || is_taken(file.try_lock()), || file.lock()).map_err(failed)?;
            }
            (Err(TryLockError::WouldBlock), LockTimeout::NoWait | LockTimeout::WhileOverdue) => {
                // The holder may not have written its note yet.
                let holder = read_note(&mut file).unwrap_or_default();
                return Err(LockError::Held { holder: named(&holder).to_owned() });
            }
            (Err(TryLockError::Error(error)), _) => return Err(failed(error).into()),
        }
        Ok(Lock { held: Held::File(file), path: path.display().to_string() })
    }

    fn take_lease(
        &self,
        bucket: &Arc<Bucket>,
        name: &str,
        holder: Option<&str>,
        lock_timeout: LockTimeout,
    ) -> Result<Lock, LockError> {
        for tries in 0_u32.. {
            let holder = match Lease::ask(bucket, name, holder, Overdue::TakeOver, bucket.times.lease)? {
                Asked::Given(lease) => {
                    return Ok(Lock { held: Held::Lease(lease), path: bucket.location_of(name) });
                }
                Asked::Held(holder) => holder,
            };
            let is_over = match lock_timeout {
                LockTimeout::NoWait => true,
                LockTimeout::WhileOverdue => tries >= 3 * TRIES_PER_LEASE,
                LockTimeout::Unlimited => false,
            };
            if is_over {
                return Err(LockError::Held { holder: named(&holder).to_owned() });
            }
            if tries == QUIET_TRIES {
                self.tell_waiting(&format!("waiting: the lake is locked by {}", named(&holder)));
            }
            std::thread::sleep(bucket.times.lease / TRIES_PER_LEASE);
        }
        Err(LockError::Held { holder: named("").to_owned() })
    }
}

impl Lock {
    /// Returns the last note: of this holder or, until there is one, of the holder before.
    ///
    /// # Errors
    /// Names the file.
    pub fn last_note(&mut self) -> Result<String, StoreError> {
        match &mut self.held {
            Held::File(file) => read_note(file).map_err(|e| StoreError::io(self.path.clone(), e)),
            Held::Lease(lease) => Ok(lease.note()),
        }
    }

    /// Writes a note of one line, for those who find the lock held and for the next holder.
    ///
    /// # Errors
    /// Names the file.
    pub fn note(&mut self, line: &str) -> Result<(), StoreError> {
        match &mut self.held {
            Held::File(file) => write_note(file, line).map_err(|e| StoreError::io(self.path.clone(), e)),
            Held::Lease(lease) => lease.set_note(line),
        }
    }

    /// Returns how often the lock was taken, this time included, where it is one of a bucket: whoever has a smaller
    /// number has lost it.
    pub fn epoch(&self) -> Option<u64> {
        match &self.held {
            Held::File(_) => None,
            Held::Lease(lease) => Some(lease.epoch()),
        }
    }
}

fn write_note(file: &mut File, line: &str) -> io::Result<()> {
    let line = format!("{line}\n");
    // Overwritten, then truncated: whoever reads meanwhile sees one whole line first.
    file.rewind()?;
    file.write_all(line.as_bytes())?;
    file.set_len(line.len() as u64)
}

/// Returns whether a lock was taken.
fn is_taken(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Returns who holds a lock, by its note; the note may not be written yet.
fn named(holder: &str) -> &str {
    if holder.is_empty() { "another run" } else { holder }
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
    /// None in a bucket.
    _file: Option<File>,
}

impl Store {
    /// Takes a lock that others may share; waits while somebody holds it exclusively.
    ///
    /// # Errors
    /// Fails where the lock's file cannot be opened.
    pub fn lock_shared(&self, name: &str) -> Result<SharedLock, StoreError> {
        if self.is_bucket() {
            return Ok(SharedLock { _file: None });
        }
        // A second lock is taken first, which whoever waits for exclusive access holds: otherwise new
        // sharers could make it wait for ever.
        let gate = self.opened(&format!("{name}.door.lock"))?;
        let shared = self.opened(&format!("{name}.lock"))?;
        let failed = |e: std::io::Error| StoreError::io(self.location_of(name), e);
        for lock in [&gate, &shared] {
            let what = || "waiting for a prune, a repair or an upgrade of the lake".to_owned();
            let is_shared = || is_taken(lock.try_lock_shared());
            self.wait_until(what, is_shared, || lock.lock_shared()).map_err(failed)?;
        }
        Ok(SharedLock { _file: Some(shared) })
    }

    /// Takes a shared lock exclusively, and waits for some seconds until nobody shares it any more; none
    /// where somebody shares it for longer.
    ///
    /// # Errors
    /// Fails where the lock's file cannot be opened.
    pub fn lock_exclusive(&self, name: &str) -> Result<Option<(SharedLock, SharedLock)>, StoreError> {
        if self.is_bucket() {
            return Ok(Some((SharedLock { _file: None }, SharedLock { _file: None })));
        }
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
        Ok(Some((SharedLock { _file: Some(gate) }, SharedLock { _file: Some(shared) })))
    }

    /// Opens the file of a lock, which is created where it is missing.
    pub(super) fn opened(&self, name: &str) -> Result<File, StoreError> {
        let root = match &self.root {
            Root::Folder(root) => root,
            Root::Bucket(bucket) => return Err(bucket.unsupported(name, "a bucket has no files to lock")),
        };
        let path = root.join(name);
        open_lock_file(&path).map_err(|e| StoreError::io(path.display().to_string(), e))
    }
}

/// Opens the file of a lock, which is created where it is missing, and lets those lock it who can write to
/// its folder.
fn open_lock_file(path: &Path) -> io::Result<File> {
    // Whoever can write to the folder could put a link to another file here, or a named pipe.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.mode(OWNER_MODE).custom_flags(flags.bits().cast_signed()).open(path);
    let file = file.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => io::Error::other("is a symbolic link; remove it"),
        _ => error,
    })?;
    let seen = file.metadata()?;
    if !seen.is_file() || seen.nlink() > 1 {
        return Err(io::Error::other("is not a file of its own; remove it"));
    }
    let folder = path.parent().unwrap_or(Path::new("/")).metadata()?;
    let mode = lock_mode(folder.mode(), folder.gid() == seen.gid());
    if seen.mode() & 0o777 != mode && seen.uid() == rustix::process::geteuid().as_raw() {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(file)
}

/// Returns the permissions of a lock's file: to read and write, for those who can write to its folder.
fn lock_mode(folder_mode: u32, is_of_its_group: bool) -> u32 {
    let group = if is_of_its_group && folder_mode & 0o020 != 0 { 0o060 } else { 0 };
    let others = if folder_mode & 0o002 != 0 { 0o006 } else { 0 };
    OWNER_MODE | group | others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_for_those_who_can_write_to_its_folder() {
        let check = |folder_mode, is_of_its_group, expected: u32| {
            assert_eq!(lock_mode(folder_mode, is_of_its_group), expected, "{folder_mode:o}");
        };
        check(0o40_755, true, 0o600);
        check(0o40_700, true, 0o600);
        check(0o42_775, true, 0o660);
        check(0o40_775, false, 0o600);
        check(0o41_777, true, 0o666);
        let (store, folder) = crate::storage::temporary();
        let mode = |name: &str| {
            let meta = folder.path().join(name).metadata().expect("it was made");
            meta.permissions().mode() & 0o777
        };
        let lock = || drop(store.lock("a.lock", "a run", LockTimeout::NoWait).expect("nobody holds it"));
        lock();
        assert_eq!(mode("a.lock"), 0o600);
        for (folder_mode, expected) in [(0o775, 0o660), (0o755, 0o600)] {
            std::fs::set_permissions(folder.path(), Permissions::from_mode(folder_mode)).expect("it is ours");
            lock();
            assert_eq!(mode("a.lock"), expected, "of a lake that was made earlier, too");
        }
    }

    #[test]
    fn what_has_the_name_of_a_lock_and_is_none_is_not_written_to() {
        let (store, folder) = crate::storage::temporary();
        let [victim, second, link, pipe] =
            ["victim", "second.lock", "link.lock", "pipe.lock"].map(|name| folder.path().join(name));
        std::fs::write(&victim, "precious").expect("a file can be written");
        std::fs::hard_link(&victim, &second).expect("a link can be made");
        std::os::unix::fs::symlink("victim", &link).expect("a link can be made");
        let here = File::open(folder.path()).expect("it is there");
        let mode = rustix::fs::Mode::from_bits_retain(0o600);
        rustix::fs::mkfifoat(&here, "pipe.lock", mode).expect("a pipe can be made");
        for (path, expected) in [(second, "not a file of its own"), (link, "link"), (pipe, "not a file")] {
            let name = path.file_name().and_then(|name| name.to_str()).expect("it has a name");
            let error =
                store.lock(name, "a run", LockTimeout::NoWait).expect_err("it is refused").to_string();
            assert!(error.contains(expected) && error.contains(name), "{error}");
        }
        assert_eq!(std::fs::read_to_string(victim).expect("it is there"), "precious");
    }
}
