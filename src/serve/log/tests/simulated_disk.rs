//! A disk in memory that forgets what was not synced, in parts and in any order, and fails on demand.
//!
//! It has what programs see (the kernel's cache) and what survives the loss of power:
//! - of bytes that were not synced, any subset of sectors of 512 bytes survives, and the length may;
//! - of the changes of a file's name that were not synced, any number of the first ones survives;
//! - after a failed sync the kernel takes the bytes for synced, and only some are.

mod world;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::log::disk::{Disk, DiskFile};
use crate::log::tests::simulated_disk::world::{Change, Content, World};

pub use crate::log::tests::simulated_disk::world::Fault;

pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

/// A handle that a process has; it stops to work when the process or the machine ends.
#[derive(Clone)]
pub struct SimulatedDisk {
    world: Arc<(Mutex<World>, Condvar)>,
    process: u32,
}

impl SimulatedDisk {
    pub fn new(seed: u64) -> SimulatedDisk {
        SimulatedDisk { world: Arc::new((Mutex::new(World::new(seed)), Condvar::new())), process: 0 }
    }

    /// Lets the n-th operation from now on fail, the first being 1.
    pub fn fail_at(&self, operation: u32, fault: Fault) {
        self.world().fault = Some((operation, fault));
    }

    /// Forgets a fault that was not reached; returns whether there was one.
    pub fn clear_fault(&self) -> bool {
        self.world().fault.take().is_some()
    }

    /// Ends the process and returns the disk for the next one.
    pub fn kill(&self) -> SimulatedDisk {
        let mut world = self.world();
        world.process += 1;
        world.locked.clear();
        SimulatedDisk { world: Arc::clone(&self.world), process: world.process }
    }

    /// Cuts the power and returns the disk of the machine after its start.
    pub fn power_cut(&self) -> SimulatedDisk {
        let mut world = self.world();
        world.is_off = false;
        world.lose_names();
        for at in 0..world.files.len() {
            world.lose_bytes(at);
        }
        drop(world);
        self.kill()
    }

    /// Returns a copy that goes its own way.
    pub fn copy(&self) -> SimulatedDisk {
        let world = self.world().clone();
        SimulatedDisk { world: Arc::new((Mutex::new(world), Condvar::new())), process: self.process }
    }

    /// Changes the bytes of a file, in the cache and on the disk.
    pub fn edit(&self, path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.world();
        let at = world.cached[path];
        edit(&mut world.files[at].cached);
        world.files[at].durable = world.files[at].cached.clone();
    }

    pub fn bytes(&self, path: &Path) -> Vec<u8> {
        let world = self.world();
        world.files[world.cached[path]].cached.clone()
    }

    pub fn remove_file(&self, path: &Path) {
        let mut world = self.world();
        world.cached.remove(path);
        world.durable.remove(path);
    }

    /// Returns the names in the log's folder, sorted.
    pub fn names(&self, dir: &Path) -> Vec<String> {
        self.world().names(dir)
    }

    /// Returns the number of `fdatasync` so far.
    pub fn data_syncs(&self) -> usize {
        self.world().data_syncs
    }

    /// Lets each `fdatasync` wait until [`SimulatedDisk::release_syncs`].
    pub fn hold_syncs(&self) {
        self.world().are_syncs_held = true;
    }

    pub fn release_syncs(&self) {
        self.world().are_syncs_held = false;
        self.world.1.notify_all();
    }

    /// Waits until an `fdatasync` waits.
    pub fn wait_for_sync(&self) {
        let mut world = self.world();
        while world.waiting_syncs == 0 {
            world = self.world.1.wait(world).expect("no test panics here");
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.0.lock().expect("no test panics here")
    }

    /// Begins an operation: returns how it ends, if it is the one that fails.
    fn begin(&self) -> io::Result<(MutexGuard<'_, World>, Option<Failure>)> {
        let mut world = self.world();
        if world.is_off || world.process != self.process {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let failure = match &mut world.fault {
            None => None,
            Some((left, _)) if *left > 1 => {
                *left -= 1;
                None
            }
            Some((_, fault)) => {
                let fault = *fault;
                world.fault = None;
                world.is_off = fault == Fault::PowerOff;
                let (code, is_done) = match fault {
                    Fault::Error(code) => (code, false),
                    Fault::Untold(code) => (code, true),
                    Fault::PowerOff => (EIO, false),
                };
                Some(Failure { error: io::Error::from_raw_os_error(code), is_done })
            }
        };
        Ok((world, failure))
    }

    /// Does an operation that changes names: one that fails has no effect, unless that is its manner or the power went
    /// off.
    fn change(&self, change: impl FnOnce(&mut World) -> io::Result<Change>) -> io::Result<()> {
        let (mut world, failure) = self.begin()?;
        if is_done(failure.as_ref()) || (world.is_off && world.coin()) {
            let change = change(&mut world)?;
            change.apply(&mut world.cached);
            world.changes.push(change);
        }
        end(failure)
    }
}

/// How an operation fails.
struct Failure {
    error: io::Error,
    /// Whether it is done nevertheless.
    is_done: bool,
}

fn is_done(failure: Option<&Failure>) -> bool {
    failure.is_none_or(|failure| failure.is_done)
}

fn end(failure: Option<Failure>) -> io::Result<()> {
    failure.map_or(Ok(()), |failure| Err(failure.error))
}

impl Disk for SimulatedDisk {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        end(self.begin()?.1)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let (mut world, failure) = self.begin()?;
        end(failure)?;
        if !world.locked.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(Lock { disk: self.clone(), path: path.to_owned() })))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let (world, failure) = self.begin()?;
        end(failure)?;
        Ok(world.names(dir))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let (world, failure) = self.begin()?;
        let file = world.cached.get(path).ok_or(io::ErrorKind::NotFound)?;
        end(failure)?;
        Ok(world.files[*file].cached.clone())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.change(|world| {
            world.files.push(Content::default());
            Ok(Change { file: world.files.len() - 1, from: None, to: Some(path.to_owned()) })
        })?;
        let file = self.world().cached[path];
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let (world, failure) = self.begin()?;
        let file = *world.cached.get(path).ok_or(io::ErrorKind::NotFound)?;
        end(failure)?;
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|world| {
            let file = *world.cached.get(from).ok_or(io::ErrorKind::NotFound)?;
            Ok(Change { file, from: Some(from.to_owned()), to: Some(to.to_owned()) })
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|world| {
            let file = *world.cached.get(path).ok_or(io::ErrorKind::NotFound)?;
            Ok(Change { file, from: Some(path.to_owned()), to: None })
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let (mut world, failure) = self.begin()?;
        if is_done(failure.as_ref()) {
            let changes = std::mem::take(&mut world.changes);
            for change in changes {
                if change.is_in(dir) {
                    change.apply(&mut world.durable);
                } else {
                    world.changes.push(change);
                }
            }
        }
        end(failure)
    }
}

struct Lock {
    disk: SimulatedDisk,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut world = self.disk.world();
        if world.process == self.disk.process {
            world.locked.remove(&self.path);
        }
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
}

impl DiskFile for SimulatedFile {
    fn preallocate(&self, bytes: u64) -> io::Result<()> {
        self.truncate(bytes)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (mut world, failure) = self.disk.begin()?;
        let written = match is_done(failure.as_ref()) {
            true => bytes.len(),
            false => usize::try_from(world.below(bytes.len() as u64 + 1)).expect("small"),
        };
        world.files[self.file].write(&bytes[..written], usize::try_from(offset).expect("small"));
        end(failure)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        let (mut world, failure) = self.disk.begin()?;
        if is_done(failure.as_ref()) {
            world.files[self.file].cached.resize(usize::try_from(bytes).expect("small"), 0);
        }
        end(failure)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut world = self.disk.world();
        world.waiting_syncs += 1;
        self.disk.world.1.notify_all();
        while world.are_syncs_held {
            world = self.disk.world.1.wait(world).expect("no test panics here");
        }
        world.waiting_syncs -= 1;
        world.data_syncs += 1;
        drop(world);
        self.sync_all()
    }

    fn sync_all(&self) -> io::Result<()> {
        let (mut world, failure) = self.disk.begin()?;
        match is_done(failure.as_ref()) {
            true => world.sync(self.file),
            // With the power off, what survives is decided when it comes back.
            false if world.is_off => {}
            false => world.fail_sync(self.file),
        }
        end(failure)
    }
}
