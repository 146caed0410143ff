//! An object store whose conditional writes tell the truth, and which sends large objects in parts.
//!
//! A write that creates an object or replaces a version of it may have its answer lost, or be sent again by a
//! library that did not get one: then the store says that the object is there, or is another one, and it is the
//! writer's own. So whoever hears anything but success reads the object back and compares its bytes.
//!
//! Commits and checkpoints of tables never change, and several parts of a command read them: they are kept. So is the version of the
//! lake's format, which each part of a command checks.
//!
//! Invariant: such a write succeeds where the object has its bytes; it says [`Error::AlreadyExists`] or
//! [`Error::Precondition`] where somebody else's object is there, and only then; any other error means that it is not
//! known.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, DynObjectStore, Error, Extensions, GetOptions, GetRange, GetResult,
    GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// Objects above this size are sent in parts of this size.
pub(super) const PART_BYTES: usize = 16 << 20;
/// How often a conditional write is tried whose outcome is not known.
const MAX_TRIES: u32 = 6;

/// The bytes of what is kept.
const MAX_KEPT_BYTES: usize = 32 << 20;
/// The folder of the commits of a table.
const LOG: &str = "_delta_log";
const CHECKPOINT: &str = ".checkpoint.parquet";
/// The file with the version of the lake's format.
const FORMAT: &str = "format.json";

type Kept = HashMap<Path, (ObjectMeta, Bytes)>;

/// An object store that is written to with care.
#[derive(Debug)]
pub(super) struct BucketDisk {
    store: Arc<DynObjectStore>,
    kept: Arc<Mutex<Kept>>,
    /// How long is waited between the first two tries of a write.
    retry_interval: Duration,
}

/// What is there after a conditional write that did not succeed.
enum Found {
    /// The bytes that were to be written.
    Own(PutResult),
    /// What was there before, or nothing.
    Before,
    Others,
}

impl BucketDisk {
    pub fn of(store: Arc<DynObjectStore>, retry_interval: Duration) -> BucketDisk {
        BucketDisk { store, kept: Arc::default(), retry_interval }
    }

    async fn put_conditionally(
        &self,
        at: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let bytes = Bytes::from(payload.clone());
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.store.put_opts(at, payload.clone(), options.clone()).await {
                Ok(put) => return Ok(put),
                Err(error @ (Error::NotSupported { .. } | Error::NotImplemented { .. })) => {
                    return Err(error);
                }
                Err(error) => error,
            };
            match self.found(at, &bytes, &options.mode).await {
                Ok(Found::Own(put)) => return Ok(put),
                Ok(Found::Others) => return Err(conflict(at, &options.mode, error)),
                // Another write was under way, and the store refused both, or neither has arrived.
                Ok(Found::Before) | Err(_) if tries < MAX_TRIES => {
                    tokio::time::sleep(self.retry_interval * tries).await;
                }
                Ok(Found::Before) | Err(_) => return Err(unknown(error)),
            }
        }
    }

    /// Looks at what is there.
    async fn found(&self, at: &Path, bytes: &Bytes, mode: &PutMode) -> Result<Found> {
        let found = match self.store.get_opts(at, GetOptions::default()).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => {
                // Of a version that is gone nobody can be the writer.
                return Ok(if matches!(mode, PutMode::Create) { Found::Before } else { Found::Others });
            }
            Err(error) => return Err(error),
        };
        let (e_tag, version) = (found.meta.e_tag.clone(), found.meta.version.clone());
        let is_before = matches!(mode, PutMode::Update(before) if before.e_tag == e_tag);
        if is_before {
            return Ok(Found::Before);
        }
        let is_own = found.meta.size == bytes.len() as u64 && found.bytes().await? == *bytes;
        Ok(if is_own { Found::Own(put_result(e_tag, version)) } else { Found::Others })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, meta: &ObjectMeta, bytes: &Bytes) {
        if bytes.len() > MAX_KEPT_BYTES / 2 {
            return;
        }
        let mut kept = self.kept();
        let all: usize = kept.values().map(|(_, bytes)| bytes.len()).sum();
        if all + bytes.len() > MAX_KEPT_BYTES {
            kept.clear();
        }
        kept.insert(meta.location.clone(), (meta.clone(), bytes.clone()));
    }

    async fn put_in_parts(&self, at: &Path, bytes: Bytes) -> Result<PutResult> {
        let mut upload = self.store.put_multipart(at).await?;
        let mut from = 0;
        while from < bytes.len() {
            let until = bytes.len().min(from + PART_BYTES);
            if let Err(error) = upload.put_part(bytes.slice(from..until).into()).await {
                // What is left of it costs money until it is aborted, here or by a rule of the bucket.
                let _ = upload.abort().await;
                return Err(error);
            }
            from = until;
        }
        upload.complete().await
    }
}

/// Returns whether an object is a commit of a table.
fn is_commit(at: &Path) -> bool {
    let mut parts = at.as_ref().rsplit('/');
    let is_number = |name: &str| name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit());
    parts.next().and_then(|name| name.strip_suffix(".json")).is_some_and(is_number)
        && parts.next() == Some(LOG)
}

fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn are_within(ranges: &[Range<u64>], bytes: &Bytes) -> bool {
    ranges.iter().all(|range| range.start <= range.end && index(range.end) <= bytes.len())
}

/// Returns whether an object is kept once it was read as a whole.
fn is_kept(at: &Path) -> bool {
    is_commit(at) || at.filename().is_some_and(|name| name == FORMAT || name.ends_with(CHECKPOINT))
}

fn result_of(meta: ObjectMeta, bytes: &Bytes, range: Option<&GetRange>) -> Result<GetResult> {
    let length = bytes.len() as u64;
    let range = range.map_or(Ok(0..length), |range| range.as_range(length));
    let range = range.map_err(|e| Error::Generic { store: "S3", source: Box::new(e) })?;
    let bytes = bytes.slice(index(range.start)..index(range.end));
    let payload = GetResultPayload::Stream(stream::once(async { Ok(bytes) }).boxed());
    let (attributes, extensions) = (Attributes::default(), Extensions::default());
    Ok(GetResult { payload, meta, range, attributes, extensions })
}

fn put_result(e_tag: Option<String>, version: Option<String>) -> PutResult {
    PutResult { e_tag, version, extensions: Extensions::default() }
}

fn conflict(at: &Path, mode: &PutMode, error: Error) -> Error {
    let (path, source) = (at.to_string(), Box::new(error));
    match mode {
        PutMode::Update(_) => Error::Precondition { path, source },
        _ => Error::AlreadyExists { path, source },
    }
}

/// Returns an error that is not taken for a conflict.
fn unknown(error: Error) -> Error {
    match error {
        Error::AlreadyExists { .. } | Error::Precondition { .. } => {
            Error::Generic { store: "S3", source: Box::new(error) }
        }
        other => other,
    }
}

impl fmt::Display for BucketDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.store)
    }
}

#[async_trait]
impl ObjectStore for BucketDisk {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.kept().remove(at);
        match options.mode {
            PutMode::Overwrite if payload.content_length() > PART_BYTES => {
                self.put_in_parts(at, payload.into()).await
            }
            PutMode::Overwrite => self.store.put_opts(at, payload, options).await,
            _ => self.put_conditionally(at, payload, options).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        if !is_kept(at) {
            return self.store.get_opts(at, options).await;
        }
        if let Some((meta, bytes)) = self.kept().get(at).cloned() {
            return result_of(meta, &bytes, options.range.as_ref());
        }
        let is_whole = !options.head && options.range.is_none();
        let found = self.store.get_opts(at, options).await?;
        if !is_whole {
            return Ok(found);
        }
        let meta = found.meta.clone();
        let bytes = found.bytes().await?;
        self.keep(&meta, &bytes);
        result_of(meta, &bytes, None)
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if let Some((_, bytes)) = self.kept().get(at).filter(|(_, bytes)| are_within(ranges, bytes)) {
            let part = |range: &Range<u64>| bytes.slice(index(range.start)..index(range.end));
            return Ok(ranges.iter().map(part).collect());
        }
        self.store.get_ranges(at, ranges).await
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let kept = Arc::clone(&self.kept);
        let forgotten = at.inspect(move |at| {
            if let Ok(at) = at {
                kept.lock().unwrap_or_else(PoisonError::into_inner).remove(at);
            }
        });
        self.store.delete_stream(forgotten.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.kept().remove(to);
        self.store.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.kept().clear();
        self.store.rename_opts(from, to, options).await
    }
}
