//! A disk that adds checksums to what the Delta kernel writes into a table's log, and checks what it reads.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, DynObjectStore, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, Result, UploadPart,
};

use crate::delta::log_checksums::{
    CHECKSUMS, LogDamage, LogFile, OTHER_BYTES, OTHER_PREVIOUS, check, checkpoint_name, with_checksum,
};
use crate::storage::{ChecksumBuilder, checksum};

/// The disk with a table's log.
#[derive(Debug)]
pub(super) struct CheckedDisk {
    disk: Arc<DynObjectStore>,
    seen: Mutex<Seen>,
}

/// What was read and checked so far.
#[derive(Debug, Default)]
struct Seen {
    /// The checksum of each commit, and of the commit before it.
    commits: HashMap<u64, (u64, Option<u64>)>,
    checkpoints: HashSet<u64>,
}

/// A file of the log: its path below the lake and its kind.
struct Place {
    path: String,
    kind: LogFile,
}

impl Place {
    fn of(at: &Path) -> Option<Place> {
        let kind = LogFile::of(at.filename()?)?;
        let parts: Vec<_> = at.parts().collect();
        let below = parts.get(parts.len().checked_sub(3)?..)?;
        let path = below.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("/");
        below[1].as_ref().eq("_delta_log").then_some(Place { path, kind })
    }
}

impl CheckedDisk {
    pub fn of(disk: Arc<DynObjectStore>) -> Arc<DynObjectStore> {
        Arc::new(CheckedDisk { disk, seen: Mutex::default() })
    }

    /// Returns the checksum of a commit, which is read unless it was before; none where there is no such
    /// commit.
    async fn checksum_of_commit(&self, beside: &Path, version: u64) -> Result<Option<u64>> {
        if let Some((sum, _)) = self.seen().commits.get(&version) {
            return Ok(Some(*sum));
        }
        let at = sibling(beside, &format!("{version:020}.json"));
        match self.disk.get(&at).await {
            Ok(found) => Ok(Some(checksum(&found.bytes().await?))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Checks a commit against those beside it, as far as these were read.
    fn check_order(&self, place: &Place, version: u64, sum: u64, previous: Option<u64>) -> Result<()> {
        let mut seen = self.seen();
        seen.commits.insert(version, (sum, previous));
        let before = version.checked_sub(1).and_then(|before| seen.commits.get(&before));
        let after = version.checked_add(1).and_then(|after| seen.commits.get(&after));
        let follows = previous.zip(before).is_none_or(|(previous, (before, _))| previous == *before);
        let precedes = after.and_then(|(_, previous)| *previous).is_none_or(|previous| previous == sum);
        if follows && precedes { Ok(()) } else { Err(damage(LogDamage::of(&place.path, OTHER_PREVIOUS))) }
    }

    /// Checks a checkpoint that was not read before.
    async fn check_checkpoint(&self, at: &Path, place: &Place, version: u64) -> Result<()> {
        if self.seen().checkpoints.contains(&version) {
            return Ok(());
        }
        let sum = checksum(&self.disk.get(at).await?.bytes().await?);
        let folder = checksums_of(at);
        let named = folder.clone().join(checkpoint_name(version, sum));
        if let Err(error) = self.disk.head(&named).await {
            if !matches!(error, Error::NotFound { .. }) {
                return Err(error);
            }
            let mut others = self.disk.list(Some(&folder));
            let begins = format!("{version:020}-");
            while let Some(other) = others.next().await {
                if other?.location.filename().is_some_and(|name| name.starts_with(&begins)) {
                    return Err(damage(LogDamage::of(&place.path, OTHER_BYTES)));
                }
            }
        }
        self.seen().checkpoints.insert(version);
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the checksum of a checkpoint; before the checkpoint, so that none of ours is ever without.
async fn note_checkpoint(disk: &DynObjectStore, at: &Path, version: u64, sum: u64) -> Result<()> {
    let named = checksums_of(at).join(checkpoint_name(version, sum));
    disk.put(&named, PutPayload::new()).await.map(drop)
}

fn damage(damage: LogDamage) -> Error {
    Error::Generic { store: "log", source: Box::new(damage) }
}

/// Returns the path of another file in the same folder.
fn sibling(at: &Path, name: &str) -> Path {
    let mut parts: Vec<_> = at.parts().collect();
    parts.pop();
    parts.into_iter().collect::<Path>().join(name)
}

/// Returns the folder of the checksums of the checkpoints of a table, given a file of its log.
fn checksums_of(at: &Path) -> Path {
    let mut parts: Vec<_> = at.parts().collect();
    parts.truncate(parts.len().saturating_sub(2));
    parts.into_iter().collect::<Path>().join(CHECKSUMS)
}

impl fmt::Display for CheckedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with checksums", self.disk)
    }
}

#[async_trait]
impl ObjectStore for CheckedDisk {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let Some(place) = Place::of(at) else { return self.disk.put_opts(at, payload, options).await };
        let bytes = Bytes::from(payload);
        match place.kind {
            LogFile::Commit(version) => {
                let previous = match version.checked_sub(1) {
                    Some(before) => self.checksum_of_commit(at, before).await?,
                    None => None,
                };
                let commit = with_checksum(&place.path, place.kind, &bytes, previous);
                let sum = checksum(&commit);
                let put = self.disk.put_opts(at, commit.into(), options).await?;
                self.seen().commits.insert(version, (sum, previous));
                Ok(put)
            }
            LogFile::LastCheckpoint => {
                let file = with_checksum(&place.path, place.kind, &bytes, None);
                self.disk.put_opts(at, file.into(), options).await
            }
            LogFile::Checkpoint(version) => {
                note_checkpoint(&self.disk, at, version, checksum(&bytes)).await?;
                self.disk.put_opts(at, bytes.into(), options).await
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.disk.put_multipart_opts(at, options).await?;
        match Place::of(at).map(|place| place.kind) {
            Some(LogFile::Checkpoint(version)) => Ok(Box::new(CheckedUpload {
                upload,
                checksum: ChecksumBuilder::default(),
                disk: Arc::clone(&self.disk),
                at: at.clone(),
                version,
            })),
            _ => Ok(upload),
        }
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        let Some(place) = Place::of(at).filter(|_| !options.head) else {
            return self.disk.get_opts(at, options).await;
        };
        if let LogFile::Checkpoint(version) = place.kind {
            self.check_checkpoint(at, &place, version).await?;
            return self.disk.get_opts(at, options).await;
        }
        let found = self.disk.get_opts(at, options).await?;
        if found.range != (0..found.meta.size) {
            return Ok(found);
        }
        let (meta, range) = (found.meta.clone(), found.range.clone());
        let (attributes, extensions) = (found.attributes.clone(), found.extensions.clone());
        let bytes = found.bytes().await?;
        let previous = check(&place.path, &bytes).map_err(damage)?.previous;
        if let LogFile::Commit(version) = place.kind {
            self.check_order(&place, version, checksum(&bytes), previous)?;
        }
        let payload = GetResultPayload::Stream(stream::once(async { Ok(bytes) }).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions })
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if let Some(place) = Place::of(at)
            && let LogFile::Checkpoint(version) = place.kind
        {
            self.check_checkpoint(at, &place, version).await?;
        }
        self.disk.get_ranges(at, ranges).await
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.disk.delete_stream(at)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.disk.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.disk.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.disk.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.disk.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.disk.rename_opts(from, to, options).await
    }
}

/// A large checkpoint being written.
#[derive(Debug)]
struct CheckedUpload {
    upload: Box<dyn MultipartUpload>,
    checksum: ChecksumBuilder,
    disk: Arc<DynObjectStore>,
    at: Path,
    version: u64,
}

#[async_trait]
impl MultipartUpload for CheckedUpload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        part.iter().for_each(|bytes| self.checksum.push(bytes));
        self.upload.put_part(part)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        note_checkpoint(&self.disk, &self.at, self.version, self.checksum.finish()).await?;
        self.upload.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}
