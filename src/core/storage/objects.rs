//! Small objects of a bucket that others write, too: whether they are there, and many read or removed at once.
//!
//! Invariant: what is returned was asked for after the call began; nothing is kept.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use crate::storage::error::StoreError;
use crate::storage::store::{Root, Store};

/// How many are read at once.
const READS_AT_ONCE: usize = 32;

impl Store {
    /// Returns whether an object is there; false in a folder.
    ///
    /// # Errors
    /// Fails where the store does not answer.
    pub fn has_object(&self, path: &str) -> Result<bool, StoreError> {
        match &self.root {
            Root::Folder(_) => Ok(false),
            Root::Bucket(bucket) => Ok(bucket.head(path)?.is_some()),
        }
    }

    /// Returns those of some objects that are there, in their order; none in a folder.
    ///
    /// # Errors
    /// Names an object that cannot be read.
    pub fn get_objects(&self, paths: Vec<String>) -> Result<Vec<(String, Bytes)>, StoreError> {
        let Root::Bucket(bucket) = &self.root else { return Ok(Vec::new()) };
        let reads = paths.into_iter().map(|path| async move {
            let found = bucket.read(&path).await?;
            Ok(found.map(|(_, bytes)| (path, bytes)))
        });
        let found = futures::stream::iter(reads).buffered(READS_AT_ONCE).try_collect::<Vec<_>>();
        Ok(bucket.wait(found)?.into_iter().flatten().collect())
    }

    /// Removes objects; those that are not there do no harm.
    ///
    /// # Errors
    /// Names the bucket.
    pub fn delete_objects(&self, paths: &[String]) -> Result<(), StoreError> {
        self.delete_all(paths.iter().map(String::as_str))
    }
}
