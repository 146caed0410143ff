//! Durable files below one root. The only room that knows where bytes live.
//!
//! Invariant: a reader sees an old file or a new file, never half of one; what a call has
//! returned for is on disk.
//!
//! Every file is read and written through one `object_store`, the Delta kernel's included, so that
//! a test which makes that one fail makes the program's disk fail. Folders, locks and syncing a
//! whole disk are not its business, and go by the standard library.

mod atomic_write;
mod error;
mod io_counters;
mod listing;
mod lock;
mod path;
mod quarantine;
mod scratch;
mod stream;
mod unique_name;

use std::fs::File;
use std::io::{Read, Seek};
use std::ops::Range;
use std::path::{Component, Path as FsPath, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{DynObjectStore, GetOptions, GetRange, ObjectStoreExt, PutMode};
use tokio::runtime::{Handle, Runtime};
use url::Url;

pub use atomic_write::write_atomically;
pub use error::StoreError;
pub use listing::{StoredFile, is_unfinished};
pub use lock::{Lock, LockError, LockTimeout, Stay};
pub use path::{folder_name, url_decoded, url_encoded};
pub use quarantine::{is_gone, move_to_folder};
pub use scratch::Scratch;
pub use stream::Stream;
pub use unique_name::unique_name;

use io_counters::IoCounters;

/// A folder of files that are written whole and never changed.
#[derive(Clone)]
pub struct Store {
    root: PathBuf,
    /// Syncs each file before it is named.
    durable: Arc<DynObjectStore>,
    /// Leaves syncing to [`BulkWriter::finish`].
    quick: Arc<DynObjectStore>,
    /// Started by who first asks for it: a reader of files has no need of its threads.
    runtime: Arc<OnceLock<Runtime>>,
    io_counters: Arc<IoCounters>,
}

/// Copies what a reader gives into a nameless file that vanishes with its handle.
///
/// # Errors
/// Fails where the reader or the disk does.
pub fn spool(mut from: impl Read) -> std::io::Result<File> {
    let mut file = tempfile::tempfile()?;
    std::io::copy(&mut from, &mut file)?;
    file.rewind()?;
    Ok(file)
}

/// Many files that become durable together, for a tenth of what syncing each would cost.
pub struct BulkWriter<'a> {
    store: &'a Store,
    folder: File,
}

impl Store {
    /// Opens the folder, which need not exist yet.
    ///
    /// # Errors
    /// Fails where the path cannot be made absolute.
    pub fn open(root: &FsPath) -> Result<Store, StoreError> {
        Store::open_through(root, |disk| disk)
    }

    /// Opens the folder through a wrapper around the disk, such as one that fails on purpose.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_through(
        root: &FsPath,
        wrap: impl Fn(Arc<DynObjectStore>) -> Arc<DynObjectStore>,
    ) -> Result<Store, StoreError> {
        let failed = |e: std::io::Error| StoreError::io(root.display().to_string(), e);
        let root = without_parents(&std::path::absolute(root).map_err(failed)?);
        // The Delta library lists files by URLs that it unescapes once too often.
        let text = root.to_string_lossy();
        if url_decoded(&text) != text {
            return Err(StoreError::percent(&root.display().to_string()));
        }
        Ok(Store {
            durable: wrap(Arc::new(LocalFileSystem::new().with_fsync(true))),
            quick: wrap(Arc::new(LocalFileSystem::new().with_fsync(false))),
            root,
            runtime: Arc::default(),
            io_counters: Arc::default(),
        })
    }

    /// Returns the root as a person would type it.
    pub fn root(&self) -> &FsPath {
        &self.root
    }

    /// Returns the root's folder `name` as a URL that ends in a slash.
    ///
    /// # Errors
    /// Fails where the root cannot be written as a URL.
    pub fn folder_url(&self, name: &str) -> Result<Url, StoreError> {
        Url::from_directory_path(self.root.join(name)).map_err(|()| StoreError::bad_path(name))
    }

    /// Returns the disk that syncs what it writes, for the Delta kernel.
    pub fn durable_disk(&self) -> Arc<DynObjectStore> {
        Arc::clone(&self.durable)
    }

    /// Returns the handle that asynchronous code runs on.
    ///
    /// # Errors
    /// Fails where no thread can be started.
    pub fn runtime(&self) -> Result<Handle, StoreError> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime.handle().clone());
        }
        let started = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("topsell-io")
            .enable_all()
            .build()
            .map_err(|e| StoreError::io(self.root.display().to_string(), e))?;
        // Where another thread was quicker, its runtime serves and this one goes.
        Ok(self.runtime.get_or_init(|| started).handle().clone())
    }

    /// Returns the names of the files and folders directly below the root; none where it is not
    /// there.
    ///
    /// # Errors
    /// Fails where the root is no folder, or may not be read.
    pub fn entries(&self) -> Result<Vec<String>, StoreError> {
        let failed = |e: std::io::Error| StoreError::io(self.root.display().to_string(), e);
        let entries = match std::fs::read_dir(&self.root) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let names = entries.map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned()));
        names.collect::<Result<_, _>>().map_err(failed)
    }

    /// Tells whether a file is there; where the disk does not say, it is taken not to be.
    pub fn is_there(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// Makes a folder, for those who must find one before they write.
    ///
    /// # Errors
    /// Names the folder.
    pub fn make_folder(&self, folder: &str) -> Result<(), StoreError> {
        std::fs::create_dir_all(self.root.join(folder)).map_err(|e| StoreError::io(self.shown(folder), e))
    }

    /// Writes one file, replacing an older one of that name at once, and syncs it.
    ///
    /// # Errors
    /// Names the file; it is then as it was before.
    pub fn put(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.put_through(&self.durable, path, bytes)
    }

    /// Writes one file as [`Store::put`] does, but does not wait until it is on the disk: it outlives
    /// this process, not a machine that stops.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put_quickly(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.put_through(&self.quick, path, bytes)
    }

    /// Writes one file as [`Store::put_quickly`] does, unless one of that name is there; tells whether it was written.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put_new(&self, path: &str, bytes: Bytes) -> Result<bool, StoreError> {
        let at = self.absolute(path)?;
        let length = bytes.len();
        match wait_for(self.quick.put_opts(&at, bytes.into(), PutMode::Create.into())) {
            Ok(_) => {
                self.io_counters.wrote(length);
                Ok(true)
            }
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(StoreError::new(&self.shown(path), error)),
        }
    }

    /// Begins writing many files below a folder that become durable together.
    ///
    /// # Errors
    /// Fails where the folder cannot be opened.
    pub fn bulk_writer(&self, folder: &str) -> Result<BulkWriter<'_>, StoreError> {
        // Opened before the first write, so that no failed one goes by unheard, and on the disk
        // that the folder itself lies on.
        let opened = File::open(self.root.join(folder)).map_err(|e| StoreError::io(self.shown(folder), e))?;
        Ok(BulkWriter { store: self, folder: opened })
    }

    /// Returns a whole file.
    ///
    /// # Errors
    /// Names the file; [`StoreError::is_not_found`] tells whether it was just not there.
    pub fn get(&self, path: &str) -> Result<Bytes, StoreError> {
        let at = self.absolute(path)?;
        let read = async { self.durable.get(&at).await?.bytes().await };
        let bytes = wait_for(read).map_err(|e| StoreError::new(&self.shown(path), e))?;
        self.io_counters.read(bytes.len());
        Ok(bytes)
    }

    /// Returns the last bytes of a file, all of it where it has no more.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_tail(&self, path: &str, bytes: u64) -> Result<Bytes, StoreError> {
        self.get_ranged(path, GetRange::Suffix(bytes))
    }

    /// Returns a part of a file, less where the file ends sooner.
    ///
    /// # Errors
    /// As [`Store::get`], and where the file ends before the part begins.
    pub fn get_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.get_ranged(path, GetRange::Bounded(range))
    }

    fn get_ranged(&self, path: &str, range: GetRange) -> Result<Bytes, StoreError> {
        let at = self.absolute(path)?;
        let options = GetOptions { range: Some(range), ..GetOptions::default() };
        let read = async { self.durable.get_opts(&at, options).await?.bytes().await };
        let bytes = wait_for(read).map_err(|e| StoreError::new(&self.shown(path), e))?;
        self.io_counters.read(bytes.len());
        Ok(bytes)
    }

    /// Tells whether a folder holds any file, at whatever depth.
    ///
    /// # Errors
    /// Names the folder.
    pub fn holds_any(&self, folder: &str) -> Result<bool, StoreError> {
        let at = self.absolute(folder)?;
        let first = wait_for(self.durable.list(Some(&at)).try_next());
        Ok(first.map_err(|e| StoreError::new(&self.shown(folder), e))?.is_some())
    }

    fn put_through(&self, disk: &Arc<DynObjectStore>, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        let at = self.absolute(path)?;
        let length = bytes.len();
        wait_for(disk.put(&at, bytes.into())).map_err(|e| StoreError::new(&self.shown(path), e))?;
        self.io_counters.wrote(length);
        Ok(())
    }

    /// Returns a path as a person finds the file.
    fn shown(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }

    fn absolute(&self, path: &str) -> Result<Path, StoreError> {
        let root = Path::from_absolute_path(&self.root).map_err(|_| StoreError::bad_path(path))?;
        Path::parse(format!("{root}/{path}")).map_err(|_| StoreError::bad_path(path))
    }
}

/// Returns a path without `..`, which the libraries' own paths cannot hold; where a link leads is
/// asked of the disk.
fn without_parents(path: &FsPath) -> PathBuf {
    let mut resolved = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            resolved = resolved.canonicalize().unwrap_or(resolved);
            resolved.pop();
        } else {
            resolved.push(component);
        }
    }
    resolved
}

impl BulkWriter<'_> {
    /// Writes one file; it may be lost with the machine until [`BulkWriter::finish`] returns.
    ///
    /// # Errors
    /// Names the file.
    pub fn put(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.store.put_through(self.disk(), path, bytes)
    }

    /// Makes all files written so far durable.
    ///
    /// # Errors
    /// Fails where the disk does; nothing may then name the files.
    pub fn finish(self) -> Result<(), StoreError> {
        let root = self.store.root.display();
        sync_file_system(&self.folder).map_err(|e| StoreError::io(root.to_string(), e))
    }

    fn disk(&self) -> &Arc<DynObjectStore> {
        if cfg!(target_os = "linux") { &self.store.quick } else { &self.store.durable }
    }
}

/// Waits for the disk on the thread that asks. Outside a runtime a local disk does its work there
/// and then; a thread of a runtime would have to be woken for each file, and to wake this one.
fn wait_for<T>(work: impl Future<Output = T>) -> T {
    futures::executor::block_on(work)
}

#[cfg(target_os = "linux")]
fn sync_file_system(folder: &File) -> std::io::Result<()> {
    Ok(nix::unistd::syncfs(folder)?)
}

/// Elsewhere every file was synced when it was put.
#[cfg(not(target_os = "linux"))]
fn sync_file_system(_folder: &File) -> std::io::Result<()> {
    Ok(())
}

/// Returns a store in a folder of its own, for tests; the folder goes with the handle beside it.
#[doc(hidden)]
pub fn temporary() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    (Store::open(folder.path()).expect("a folder can be named"), folder)
}
