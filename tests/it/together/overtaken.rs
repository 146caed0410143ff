//! A disk on which somebody else is quicker: before a file is put, something else happens.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, DynObjectStore, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

type Happens = Box<dyn FnOnce() + Send>;
type HappensEachTime = Arc<dyn Fn() + Send + Sync>;

/// What happens once, or each time, before a file is put whose path has this part.
#[derive(Clone)]
pub struct Overtaking {
    part: String,
    happens: Arc<Mutex<Option<Happens>>>,
    each_time: Option<HappensEachTime>,
    times: Arc<AtomicUsize>,
    /// How many such files can be put.
    limit: usize,
}

impl Overtaking {
    pub fn before(part: &str, happens: impl FnOnce() + Send + 'static) -> Overtaking {
        let happens: Happens = Box::new(happens);
        let happens = Arc::new(Mutex::new(Some(happens)));
        Overtaking {
            part: part.to_owned(),
            happens,
            each_time: None,
            times: Arc::default(),
            limit: usize::MAX,
        }
    }

    pub fn before_each(part: &str, happens: impl Fn() + Send + Sync + 'static) -> Overtaking {
        let each_time: Option<HappensEachTime> = Some(Arc::new(happens));
        let (part, limit) = (part.to_owned(), usize::MAX);
        Overtaking { part, happens: Arc::default(), each_time, times: Arc::default(), limit }
    }

    /// Fails after so many such files.
    pub fn failing_after(part: &str, limit: usize) -> Overtaking {
        Overtaking { limit, ..Overtaking::before_each(part, || {}) }
    }

    /// Returns how many such files were to be put.
    pub fn times(&self) -> usize {
        self.times.load(Ordering::SeqCst)
    }

    /// Returns a disk on which it happens.
    pub fn on(&self, disk: Arc<DynObjectStore>) -> Arc<DynObjectStore> {
        Arc::new(OvertakenDisk { disk, overtaking: self.clone() })
    }

    /// Tells whether it has happened.
    pub fn has_happened(&self) -> bool {
        self.happens.lock().expect("nobody panicked").is_none()
    }
}

struct OvertakenDisk {
    disk: Arc<DynObjectStore>,
    overtaking: Overtaking,
}

impl fmt::Debug for OvertakenDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for OvertakenDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an overtaken {}", self.disk)
    }
}

#[async_trait]
impl ObjectStore for OvertakenDisk {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let overtaking = &self.overtaking;
        // A commit may write a checkpoint too.
        if at.as_ref().contains(&overtaking.part) && !at.as_ref().contains(".checkpoint.") {
            if overtaking.times.fetch_add(1, Ordering::SeqCst) >= overtaking.limit {
                let source = std::io::Error::other("this disk fails on purpose").into();
                return Err(Error::Generic { store: "failing", source });
            }
            let happens = overtaking.happens.lock().expect("nobody panicked").take();
            let each_time =
                overtaking.each_time.clone().map(|happens| -> Happens { Box::new(move || happens()) });
            for happens in happens.into_iter().chain(each_time) {
                // In a thread of its own, as another process would be.
                std::thread::spawn(happens).join().expect("it succeeds");
            }
        }
        self.disk.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.disk.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.disk.get_opts(at, options).await
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.disk.get_ranges(at, ranges).await
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.disk.delete_stream(at)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.disk.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.disk.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.disk.copy_opts(from, to, options).await
    }
}
