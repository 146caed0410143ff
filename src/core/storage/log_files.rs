//! Logs of other programs in a bucket, which is not a lake's.

use std::io::{self, Read};

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use object_store::{Error, GetOptions, ObjectStore};

use crate::storage::bucket::Bucket;
use crate::storage::error::StoreError;
use crate::storage::store::{Root, Store};

/// A log in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Path below the root; empty where the root is the log.
    pub path: String,
    pub size_bytes: u64,
    /// When it was written, in milliseconds since 1970.
    pub modified_ms: i64,
    /// What another version of the object does not have.
    pub version: String,
}

/// Reads an object from its start, while it arrives.
pub struct LogReader<'a> {
    bucket: &'a Bucket,
    chunks: BoxStream<'static, Result<Bytes, Error>>,
    chunk: Bytes,
}

impl Store {
    /// Returns the object that the root names or, if there is none, the objects below it, in the order of their keys;
    /// none where the root is a folder.
    ///
    /// # Errors
    /// Fails where the bucket cannot be listed.
    pub fn logs(&self) -> Result<Vec<LogFile>, StoreError> {
        let Root::Bucket(bucket) = &self.root else { return Ok(Vec::new()) };
        let log = |path: &str, meta: &object_store::ObjectMeta| LogFile {
            path: path.to_owned(),
            size_bytes: meta.size,
            modified_ms: meta.last_modified.timestamp_millis(),
            version: format!("{} {}", meta.e_tag.as_deref().unwrap_or_default(), meta.size),
        };
        if !bucket.name.prefix.is_empty()
            && let Some(meta) = bucket.head("")?
        {
            return Ok(vec![log("", &meta)]);
        }
        let at = bucket.key("")?;
        let listed: Result<Vec<_>, Error> = bucket.wait(bucket.disk.list(Some(&at)).try_collect());
        let listed = listed.map_err(|error| bucket.failed("", error))?;
        let mut logs: Vec<LogFile> =
            listed.iter().filter_map(|meta| Some(log(bucket.path_of(&meta.location)?, meta))).collect();
        logs.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        Ok(logs)
    }

    /// Opens a log.
    ///
    /// # Errors
    /// Names the object, also where it is another version by now.
    pub fn log_reader(&self, file: &LogFile) -> Result<LogReader<'_>, StoreError> {
        let Root::Bucket(bucket) = &self.root else { return Err(StoreError::bad_path(&file.path)) };
        let e_tag = file.version.split_once(' ').map(|(e_tag, _)| e_tag.to_owned());
        let options =
            GetOptions { if_match: e_tag.filter(|e_tag| !e_tag.is_empty()), ..GetOptions::default() };
        let found = bucket.wait(bucket.disk.get_opts(&bucket.key(&file.path)?, options));
        let found = found.map_err(|error| bucket.failed(&file.path, error))?;
        Ok(LogReader { bucket, chunks: found.into_stream(), chunk: Bytes::new() })
    }
}

impl Read for LogReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.bucket.wait(self.chunks.try_next()).map_err(io::Error::other)? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let length = into.len().min(self.chunk.len());
        into[..length].copy_from_slice(&self.chunk.split_to(length));
        Ok(length)
    }
}
