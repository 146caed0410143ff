//! A bucket of an S3-compatible store: what it is called, how it is reached, and the threads that wait for it.
//!
//! Endpoint, region and credentials are those of the usual `AWS_*` variables, which the object store's library
//! reads: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
//! `AWS_ALLOW_HTTP`, `AWS_SERVER_SIDE_ENCRYPTION` and others.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientConfigKey, DynObjectStore, Error, GetOptions, ObjectMeta, ObjectStoreExt,
    RetryConfig,
};
use tokio::runtime::{Handle, Runtime};
use url::Url;

use crate::storage::bucket_disk::BucketDisk;
use crate::storage::error::StoreError;
use crate::storage::location::BucketName;
use crate::storage::read_ahead::ReadAhead;
use crate::storage::upload_lister::{KeptClient, UploadLister};

/// How long one request may take. What is large is sent in parts.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a request that fails is tried again.
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_RETRIES: usize = 8;
/// Threads that wait for answers; many requests share each.
const WORKER_THREADS: usize = 2;

/// How long is waited for others, and for a store that does not answer.
#[derive(Clone, Copy, Debug)]
pub struct BucketTimes {
    /// How long a lease lasts that its holder does not renew.
    pub lease: Duration,
    /// The least time between two tries of a request.
    pub retry: Duration,
}

impl Default for BucketTimes {
    fn default() -> BucketTimes {
        BucketTimes { lease: Duration::from_secs(20), retry: Duration::from_millis(100) }
    }
}

/// A lease that this process has.
pub(super) trait HeldLease: Send + Sync {
    /// Writes the lease once more; returns whether nobody else has taken it.
    fn renew(&self) -> Result<bool, StoreError>;
}

/// A bucket and a prefix in it.
pub(super) struct Bucket {
    pub name: BucketName,
    pub disk: Arc<DynObjectStore>,
    pub times: BucketTimes,
    /// A local folder, that of the system.
    pub temporary_folder: PathBuf,
    pub read_ahead: ReadAhead,
    /// None where the objects are not those of an S3-compatible store.
    pub upload_lister: Option<UploadLister>,
    /// Those that were taken; the ones that are released are gone.
    leases: Mutex<Vec<Weak<dyn HeldLease>>>,
    runtime: Runtime,
}

impl Bucket {
    /// Returns a bucket as the environment says how to reach it; sends no request.
    pub fn connect(name: BucketName) -> Result<Bucket, StoreError> {
        let failed = |error| StoreError::new(&name.to_string(), error);
        let backoff = BackoffConfig { max_backoff: Duration::from_secs(5), ..BackoffConfig::default() };
        let retry = RetryConfig { backoff, max_retries: MAX_RETRIES, retry_timeout: RETRY_TIMEOUT };
        let timeout = format!("{} seconds", REQUEST_TIMEOUT.as_secs());
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(&name.bucket).with_retry(retry);
        if builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::Timeout)).is_none() {
            builder = builder.with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), timeout);
        }
        let kept = KeptClient::default();
        let store = builder.with_http_connector(kept.clone()).build().map_err(failed)?;
        let upload_lister = kept.lister(&store);
        let bucket = Bucket::of(name, Arc::new(store), BucketTimes::default())?;
        Ok(Bucket { upload_lister, ..bucket })
    }

    /// Returns a bucket in any object store.
    pub fn of(
        name: BucketName,
        store: Arc<DynObjectStore>,
        times: BucketTimes,
    ) -> Result<Bucket, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .thread_name("topsell-io")
            .enable_all()
            .build()
            .map_err(|e| StoreError::io(name.to_string(), e))?;
        let disk: Arc<DynObjectStore> = Arc::new(BucketDisk::of(store, times.retry));
        let read_ahead = ReadAhead::of(&disk, runtime.handle());
        Ok(Bucket {
            name,
            disk,
            times,
            temporary_folder: std::env::temp_dir(),
            read_ahead,
            upload_lister: None,
            leases: Mutex::default(),
            runtime,
        })
    }

    /// Returns where a path is, for messages.
    pub fn location_of(&self, path: &str) -> String {
        let slash = if path.is_empty() { "" } else { "/" };
        format!("{}{slash}{path}", self.name)
    }

    /// Returns a folder as a URL that ends in a slash.
    pub fn folder_url(&self, folder: &str) -> Result<Url, StoreError> {
        let text = format!("{}/", self.location_of(folder));
        Url::parse(&text).map_err(|_| StoreError::bad_path(folder))
    }

    /// Returns the key of a path.
    pub fn key(&self, path: &str) -> Result<Path, StoreError> {
        Path::parse(self.name.key(path)).map_err(|_| StoreError::bad_path(path))
    }

    /// Returns the path below the prefix of a key.
    pub fn path_of<'a>(&self, key: &'a Path) -> Option<&'a str> {
        match self.name.prefix.as_str() {
            "" => Some(key.as_ref()),
            prefix => key.as_ref().strip_prefix(prefix)?.strip_prefix('/'),
        }
    }

    /// Waits for requests on the calling thread.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Returns what the store knows of an object; none where there is no such object.
    pub fn head(&self, path: &str) -> Result<Option<ObjectMeta>, StoreError> {
        let key = self.key(path)?;
        match self.wait(self.disk.head(&key)) {
            Ok(meta) => Ok(Some(meta)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    /// Returns an object with its bytes; none where there is no such object.
    pub fn get(&self, path: &str) -> Result<Option<(ObjectMeta, Bytes)>, StoreError> {
        self.wait(self.read(path))
    }

    /// Does the same for those who do not wait.
    pub async fn read(&self, path: &str) -> Result<Option<(ObjectMeta, Bytes)>, StoreError> {
        let key = self.key(path)?;
        let found = match self.disk.get_opts(&key, GetOptions::default()).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(|error| self.failed(path, error))?,
        };
        let meta = found.meta.clone();
        Ok(Some((meta, found.bytes().await.map_err(|error| self.failed(path, error))?)))
    }

    /// Notes a lease that was taken.
    pub fn note_lease(&self, lease: Weak<dyn HeldLease>) {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.retain(|known| known.strong_count() > 0);
        leases.push(lease);
    }

    /// Returns whether this process still has all leases that it took and did not release, asking the store.
    pub fn has_its_leases(&self) -> Result<bool, StoreError> {
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner).clone();
        leases.iter().filter_map(Weak::upgrade).try_fold(true, |has, lease| Ok(has & lease.renew()?))
    }

    pub fn failed(&self, path: &str, error: Error) -> StoreError {
        StoreError::new(&self.location_of(path), error)
    }

    /// Returns the error of something that only a folder can do.
    pub fn unsupported(&self, path: &str, what: &str) -> StoreError {
        StoreError::io(self.location_of(path), io::Error::new(io::ErrorKind::Unsupported, what))
    }
}
