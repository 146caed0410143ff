//! A disk on which somebody else is quicker: before a file is put, something else happens.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, DynObjectStore, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

type Happens = Box<dyn FnOnce() + Send>;

/// What happens once, before a file is put whose path has this part.
#[derive(Clone)]
pub struct Overtaking {
    part: String,
    happens: Arc<Mutex<Option<Happens>>>,
}

impl Overtaking {
    pub fn before(part: &str, happens: impl FnOnce() + Send + 'static) -> Overtaking {
        Overtaking { part: part.to_owned(), happens: Arc::new(Mutex::new(Some(Box::new(happens)))) }
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
        let is_it = at.as_ref().contains(&self.overtaking.part);
        let happens = is_it.then(|| self.overtaking.happens.lock().expect("nobody panicked").take());
        if let Some(happens) = happens.flatten() {
            // In a thread of its own, as another process would be.
            std::thread::spawn(happens).join().expect("it succeeds");
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
