//! A store: the files below one root, a folder of a local disk or a prefix in a bucket.
//!
//! A folder needs neither threads nor a network to be opened and read. Every file is read and written through one `object_store`, including what the Delta kernel reads
//! and writes, so that a test that makes this store fail makes the program's disk fail.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{DynObjectStore, GetOptions, GetRange, GetResultPayload, ObjectStoreExt, PutMode};
use tokio::runtime::{Handle, Runtime};
use url::Url;

use crate::storage::bucket::{Bucket, BucketTimes};
use crate::storage::error::StoreError;
use crate::storage::io_counters::IoCounters;
use crate::storage::location::{BucketName, Location};
use crate::storage::wait_listener::KnownListener;

/// The files below one root, each of them written as a whole.
#[derive(Clone)]
pub struct Store {
    pub(super) root: Root,
    /// Syncs each file before it gets its name.
    pub(super) durable: Arc<DynObjectStore>,
    /// Leaves syncing to `BulkWriter::finish`.
    pub(super) quick: Arc<DynObjectStore>,
    /// Started on first use, since reading files needs none of its threads.
    pub(super) runtime: Arc<OnceLock<Runtime>>,
    pub(super) io_counters: Arc<IoCounters>,
    pub(super) wait_listener: KnownListener,
}

/// What is above all files of a store.
#[derive(Clone)]
pub(super) enum Root {
    Folder(PathBuf),
    Bucket(Arc<Bucket>),
}

impl Store {
    /// Opens a folder, which need not exist yet, or `s3://bucket/prefix`.
    ///
    /// # Errors
    /// Fails where the path cannot be made absolute or the URL is none of a bucket, and where the environment does not
    /// say how to reach it.
    pub fn open(root: &FsPath) -> Result<Store, StoreError> {
        match Location::parse(root)? {
            Location::Folder(_) => Store::open_through(root, |disk| disk),
            Location::Bucket(name) => Ok(Store::of_bucket(Bucket::connect(name)?)),
        }
    }

    /// Opens a bucket that is in some object store, such as one in memory.
    ///
    /// # Errors
    /// Fails where no thread can be started.
    pub fn in_bucket(
        name: BucketName,
        store: Arc<DynObjectStore>,
        times: BucketTimes,
    ) -> Result<Store, StoreError> {
        Ok(Store::of_bucket(Bucket::of(name, store, times)?))
    }

    fn of_bucket(bucket: Bucket) -> Store {
        let disk = Arc::clone(&bucket.disk);
        Store::of(Root::Bucket(Arc::new(bucket)), Arc::clone(&disk), disk)
    }

    fn of(root: Root, durable: Arc<DynObjectStore>, quick: Arc<DynObjectStore>) -> Store {
        Store {
            root,
            durable,
            quick,
            runtime: Arc::default(),
            io_counters: Arc::default(),
            wait_listener: KnownListener::default(),
        }
    }

    /// Opens a folder through a wrapper around the disk, such as one that fails on purpose.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_through(
        root: &FsPath,
        wrap: impl Fn(Arc<DynObjectStore>) -> Arc<DynObjectStore>,
    ) -> Result<Store, StoreError> {
        let Location::Folder(folder) = Location::parse(root)? else {
            return Err(StoreError::bad_path(&root.display().to_string()));
        };
        let durable = wrap(Arc::new(LocalFileSystem::new().with_fsync(true)));
        let quick = wrap(Arc::new(LocalFileSystem::new().with_fsync(false)));
        Ok(Store::of(Root::Folder(folder), durable, quick))
    }

    /// Returns whether the files are in a bucket, where each has its price in requests and none is ever appended to.
    pub fn is_bucket(&self) -> bool {
        matches!(self.root, Root::Bucket(_))
    }

    /// Returns where the store is, for messages and for the `--lake` option of another process.
    pub fn location(&self) -> String {
        match &self.root {
            Root::Folder(root) => root.display().to_string(),
            Root::Bucket(bucket) => bucket.name.to_string(),
        }
    }

    /// Returns a local folder for temporary files: the root itself, or that of the system, `TMPDIR`, of a bucket.
    pub fn temporary_folder(&self) -> &FsPath {
        match &self.root {
            Root::Folder(root) => root,
            Root::Bucket(bucket) => &bucket.temporary_folder,
        }
    }

    /// Returns how much this account can still write to the disk of the root, or of where it would be made.
    ///
    /// # Errors
    /// As the operating system does; a bucket has no such number.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let Root::Folder(root) = &self.root else { return Err(io::ErrorKind::Unsupported.into()) };
        let there = root.ancestors().find(|folder| folder.exists()).unwrap_or(root);
        let disk = rustix::fs::statvfs(there)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Returns where a file is, for messages.
    pub fn location_of(&self, path: &str) -> String {
        match &self.root {
            Root::Folder(root) => root.join(path).display().to_string(),
            Root::Bucket(bucket) => bucket.location_of(path),
        }
    }

    /// Returns the root's folder `name` as a URL that ends in a slash.
    ///
    /// # Errors
    /// Fails where the root cannot be written as a URL.
    pub fn folder_url(&self, name: &str) -> Result<Url, StoreError> {
        match &self.root {
            Root::Folder(root) => {
                Url::from_directory_path(root.join(name)).map_err(|()| StoreError::bad_path(name))
            }
            Root::Bucket(bucket) => bucket.folder_url(name),
        }
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
        if let Root::Bucket(bucket) = &self.root {
            return Ok(bucket.handle().clone());
        }
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime.handle().clone());
        }
        let started = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            // Each has memory of its own, which it does not give back while it may be needed again: a stream that
            // was committed line by line grew by 20 KB with each commit.
            .max_blocking_threads(2)
            .thread_name("topsell-io")
            .enable_all()
            .build()
            .map_err(|e| StoreError::io(self.location(), e))?;
        // Where another thread was faster, its runtime is used and this one is dropped.
        Ok(self.runtime.get_or_init(|| started).handle().clone())
    }

    /// Returns whether a file is there; false where the disk does not answer.
    pub fn is_there(&self, path: &str) -> bool {
        match &self.root {
            Root::Folder(root) => root.join(path).exists(),
            Root::Bucket(bucket) => matches!(bucket.head(path), Ok(Some(_))),
        }
    }

    /// Returns whether a file is surely not there, and will not be; false where the disk does not answer, and of a
    /// bucket, where a write whose answer was lost may still be under way.
    pub fn is_missing(&self, path: &str) -> bool {
        let Root::Folder(root) = &self.root else { return false };
        matches!(root.join(path).try_exists(), Ok(false))
    }

    /// Returns whether a folder is there; false where the disk does not answer.
    pub fn has_folder(&self, folder: &str) -> bool {
        match &self.root {
            Root::Folder(root) => root.join(folder).is_dir(),
            Root::Bucket(_) => self.holds_any(folder).unwrap_or(false),
        }
    }

    /// Creates a folder and those above it, for writers that need it to exist.
    ///
    /// # Errors
    /// Names the folder.
    pub fn make_folder(&self, folder: &str) -> Result<(), StoreError> {
        // A bucket has the folders of its keys.
        let Root::Folder(root) = &self.root else { return Ok(()) };
        std::fs::create_dir_all(root.join(folder)).map_err(|e| StoreError::io(self.location_of(folder), e))
    }

    /// Writes one file atomically, replacing an older one of that name, and syncs it.
    ///
    /// # Errors
    /// Names the file; an older one then stays as it was.
    pub fn put(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.put_through(&self.durable, path, bytes)
    }

    /// Writes one file as [`Store::put`] does without syncing it: it survives this process, and may be
    /// lost in a power failure.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put_quickly(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.put_through(&self.quick, path, bytes)
    }

    /// Writes one file as [`Store::put_quickly`] does, unless one of that name is there; returns whether
    /// it was written.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put_new(&self, path: &str, bytes: Bytes) -> Result<bool, StoreError> {
        self.put_new_through(&self.quick, path, bytes)
    }

    /// Writes one file and syncs it, unless one of that name is there; returns whether it was written.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put_new_durably(&self, path: &str, bytes: Bytes) -> Result<bool, StoreError> {
        self.put_new_through(&self.durable, path, bytes)
    }

    fn put_new_through(
        &self,
        disk: &Arc<DynObjectStore>,
        path: &str,
        bytes: Bytes,
    ) -> Result<bool, StoreError> {
        let at = self.absolute(path)?;
        let length = bytes.len();
        match self.wait(disk.put_opts(&at, bytes.into(), PutMode::Create.into())) {
            Ok(_) => {
                self.io_counters.wrote(length);
                Ok(true)
            }
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(StoreError::new(&self.location_of(path), error)),
        }
    }

    /// Returns the content of a file.
    ///
    /// # Errors
    /// Names the file; [`StoreError::is_not_found`] returns whether it does not exist.
    pub fn get(&self, path: &str) -> Result<Bytes, StoreError> {
        self.get_ranged(path, None)
    }

    /// Says which files will be read as a whole, with their sizes, so that those of a bucket are read many at once. They
    /// never change.
    pub fn read_ahead(&self, files: impl Iterator<Item = (String, u64)>) {
        if let Root::Bucket(bucket) = &self.root {
            bucket.read_ahead.begin(files.filter_map(|(path, size)| Some((bucket.key(&path).ok()?, size))));
        }
    }

    /// Returns the last bytes of a file, or all of it where it is shorter.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_tail(&self, path: &str, bytes: u64) -> Result<Bytes, StoreError> {
        self.get_ranged(path, Some(GetRange::Suffix(bytes)))
    }

    /// Returns a part of a file, shorter where the file ends before.
    ///
    /// # Errors
    /// As [`Store::get`], and where the file ends before the part begins.
    pub fn get_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.get_ranged(path, Some(GetRange::Bounded(range)))
    }

    fn get_ranged(&self, path: &str, range: Option<GetRange>) -> Result<Bytes, StoreError> {
        let at = self.absolute(path)?;
        if let Root::Bucket(bucket) = &self.root
            && let Some(bytes) = bucket.read_ahead.take(&at)
        {
            let range = range.map_or(Ok(0..bytes.len() as u64), |range| range.as_range(bytes.len() as u64));
            let range = range.map_err(|e| StoreError::io(self.location_of(path), io::Error::other(e)))?;
            let [from, until] = [range.start, range.end].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
            self.io_counters.read(until - from);
            return Ok(bytes.slice(from..until));
        }
        let failed = |error| StoreError::new(&self.location_of(path), error);
        let options = GetOptions { range, ..GetOptions::default() };
        let found = self.wait(self.durable.get_opts(&at, options)).map_err(failed)?;
        let bytes = match found.payload {
            GetResultPayload::File(file, _) => read_part(&file, found.range)
                .map_err(|error| StoreError::io(self.location_of(path), error))?
                .into(),
            GetResultPayload::Stream(_) => self.wait(found.bytes()).map_err(failed)?,
        };
        self.io_counters.read(bytes.len());
        Ok(bytes)
    }

    /// Returns whether a folder holds any file, at any depth.
    ///
    /// # Errors
    /// Names the folder.
    pub fn holds_any(&self, folder: &str) -> Result<bool, StoreError> {
        let at = self.absolute(folder)?;
        let first = self.wait(self.durable.list(Some(&at)).try_next());
        Ok(first.map_err(|e| StoreError::new(&self.location_of(folder), e))?.is_some())
    }

    pub(super) fn put_through(
        &self,
        disk: &Arc<DynObjectStore>,
        path: &str,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        let at = self.absolute(path)?;
        self.forget(&at);
        let length = bytes.len();
        self.wait(disk.put(&at, bytes.into())).map_err(|e| StoreError::new(&self.location_of(path), e))?;
        self.io_counters.wrote(length);
        Ok(())
    }

    /// Forgets what was read ahead of a file that is written or removed.
    pub(super) fn forget(&self, at: &Path) {
        if let Root::Bucket(bucket) = &self.root {
            bucket.read_ahead.forget(at);
        }
    }

    pub(super) fn absolute(&self, path: &str) -> Result<Path, StoreError> {
        let root = match &self.root {
            Root::Folder(root) => root,
            Root::Bucket(bucket) => return bucket.key(path),
        };
        let root = Path::from_absolute_path(root).map_err(|_| StoreError::bad_path(path))?;
        Path::parse(format!("{root}/{path}")).map_err(|_| StoreError::bad_path(path))
    }

    /// Waits for the disk on the calling thread. A local disk works without a runtime, which would switch threads for
    /// each file.
    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.root {
            Root::Folder(_) => futures::executor::block_on(work),
            Root::Bucket(bucket) => bucket.wait(work),
        }
    }

    /// Returns how many bytes of files were read since the store was opened. The tables' logs, which
    /// the Delta library reads, are not counted.
    pub fn bytes_read(&self) -> u64 {
        self.io_counters.bytes_read()
    }

    /// Returns how many bytes of files were written, likewise.
    pub fn bytes_written(&self) -> u64 {
        self.io_counters.bytes_written()
    }
}

/// Reads a part of an open file: without the library, whose buffers are cleared first.
fn read_part(file: &File, range: Range<u64>) -> io::Result<Vec<u8>> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes)
}
