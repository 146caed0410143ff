//! A disk that fails on purpose: at the n-th operation or the n-th byte, and ever after.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, DynObjectStore, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// How many operations a disk has left, or bytes where it fills up, and what a failing operation
/// has still done.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Those that work from now on; none where it is negative.
    pub left: Arc<AtomicI64>,
    listed: Arc<AtomicI64>,
    manner: Manner,
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It does nothing.
    Undone,
    /// A write or removal is on disk, and its success is not told.
    DoneUntold,
    /// A write finds no room and does nothing; reads and removals go on.
    Full,
}

/// A disk that fails when its operations are used up.
#[derive(Debug)]
pub struct FaultyDisk {
    disk: Arc<DynObjectStore>,
    faults: Faults,
}

impl Faults {
    /// Returns faults that begin after so many operations.
    pub fn after(operations: i64, manner: Manner) -> Faults {
        Faults { left: Arc::new(AtomicI64::new(operations)), listed: Arc::default(), manner }
    }

    /// Returns a disk with room for so many bytes.
    pub fn full_after(bytes: i64) -> Faults {
        Faults::after(bytes, Manner::Full)
    }

    /// Returns how many operations, or bytes, are left.
    pub fn left(&self) -> i64 {
        self.left.load(Ordering::SeqCst)
    }

    /// Returns how many files were listed, each as often as it was.
    pub fn listed(&self) -> i64 {
        self.listed.load(Ordering::SeqCst)
    }

    /// Tells whether the disk has failed.
    pub fn have_struck(&self) -> bool {
        self.left() < 0
    }

    /// Puts these faults before a disk.
    pub fn before(&self, disk: Arc<DynObjectStore>) -> Arc<DynObjectStore> {
        Arc::new(FaultyDisk { disk, faults: self.clone() })
    }

    /// Tells whether a write fails.
    fn strike_write(&self, bytes: usize) -> bool {
        let cost = match self.manner {
            Manner::Full => i64::try_from(bytes).unwrap_or(i64::MAX),
            Manner::Undone | Manner::DoneUntold => 1,
        };
        self.left.fetch_sub(cost, Ordering::SeqCst) < cost
    }

    /// Tells whether an operation fails that needs no room.
    fn strike(&self) -> bool {
        self.manner != Manner::Full && self.strike_write(0)
    }

    fn failure(&self) -> Error {
        let source = match self.manner {
            Manner::Full => std::io::Error::from(std::io::ErrorKind::StorageFull),
            Manner::Undone | Manner::DoneUntold => std::io::Error::other("this disk fails on purpose"),
        };
        Error::Generic { store: "faulty", source: Box::new(source) }
    }
}

impl FaultyDisk {
    fn check(&self) -> Result<()> {
        if self.faults.strike() { Err(self.faults.failure()) } else { Ok(()) }
    }
}

impl fmt::Display for FaultyDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a faulty {}", self.disk)
    }
}

#[async_trait]
impl ObjectStore for FaultyDisk {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.faults.strike_write(payload.content_length()) {
            if self.faults.manner == Manner::DoneUntold {
                self.disk.put_opts(at, payload, options).await?;
            }
            return Err(self.faults.failure());
        }
        self.disk.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check()?;
        self.disk.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.check()?;
        self.disk.get_opts(at, options).await
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.check()?;
        self.disk.get_ranges(at, ranges).await
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.check() {
            Ok(()) => self.disk.delete_stream(at),
            Err(_) if self.faults.manner == Manner::DoneUntold => {
                let faults = self.faults.clone();
                self.disk.delete_stream(at).map(move |_| Err(faults.failure())).boxed()
            }
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check() {
            Ok(()) => {
                let listed = Arc::clone(&self.faults.listed);
                let count = move |_: &Result<ObjectMeta>| {
                    listed.fetch_add(1, Ordering::SeqCst);
                };
                self.disk.list(prefix).inspect(count).boxed()
            }
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check()?;
        self.disk.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check()?;
        self.disk.copy_opts(from, to, options).await
    }
}
