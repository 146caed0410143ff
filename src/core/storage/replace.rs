//! Replaces objects of a bucket by what is made of them, one writer after the other.
//!
//! Invariant: an object is replaced only where it is still the one that was read.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::{Error, ObjectStore, PutMode, UpdateVersion};

use crate::storage::bucket::Bucket;
use crate::storage::error::StoreError;
use crate::storage::store::{Root, Store};
use crate::storage::unique_id::unique_id;

/// How often an object is tried to be replaced that others replace, too.
const MAX_TRIES: u32 = 100;
/// How many objects are appended to at once.
const APPENDS_AT_ONCE: usize = 64;

/// What an object is to be, given what it is; none where it is to stay.
type Make<'a> = dyn Fn(Option<&[u8]>) -> Option<Vec<u8>> + Sync + 'a;

impl Bucket {
    /// Replaces an object by what is made of it, and begins again where somebody else has replaced it meanwhile;
    /// returns whether it was replaced.
    pub fn update(&self, path: &str, make: &Make<'_>) -> Result<bool, StoreError> {
        self.wait(self.update_from(path, false, make)).map(|made| made.is_some())
    }

    /// Does the same, and returns what it was replaced by. One that `is_new` is not looked for at first.
    async fn update_from(
        &self,
        path: &str,
        is_new: bool,
        make: &Make<'_>,
    ) -> Result<Option<Bytes>, StoreError> {
        let key = self.key(path)?;
        for tries in 1..=MAX_TRIES {
            let found = match is_new && tries == 1 {
                true => None,
                false => self.read(path).await?,
            };
            let Some(bytes) = make(found.as_ref().map(|(_, bytes)| &bytes[..])) else { return Ok(None) };
            let bytes = Bytes::from(bytes);
            let mode = match found {
                None => PutMode::Create,
                Some((meta, _)) => {
                    PutMode::Update(UpdateVersion { e_tag: meta.e_tag, version: meta.version })
                }
            };
            match self.disk.put_opts(&key, bytes.clone().into(), mode.into()).await {
                Ok(_) => return Ok(Some(bytes)),
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) if tries < MAX_TRIES => {
                    // Of many writers, each begins again at another moment.
                    tokio::time::sleep(self.times.retry * (tries + std::process::id() % 7) / 10).await;
                }
                Err(error) => return Err(self.failed(path, error)),
            }
        }
        Ok(None)
    }

    /// Appends bytes to many objects at once, and returns what these are then. Those that are new are not looked for at
    /// first.
    async fn append_all(
        &self,
        lines: Vec<(String, Bytes, bool)>,
    ) -> Result<Vec<(String, Bytes)>, StoreError> {
        let appends = lines.into_iter().map(|(path, more, is_new)| async move {
            let longer = |before: Option<&[u8]>| Some([before.unwrap_or_default(), &more].concat());
            let made = self.update_from(&path, is_new, &longer).await?;
            Ok((path, made.unwrap_or_default()))
        });
        futures::stream::iter(appends).buffer_unordered(APPENDS_AT_ONCE).try_collect().await
    }
}

impl Store {
    /// Waits for a moment after another writer of a bucket was faster, each for another one: those who lost at once would
    /// meet again. In a folder, writers have their turns.
    pub fn back_off(&self) {
        if let Root::Bucket(bucket) = &self.root {
            let chance = u32::from_str_radix(&unique_id()[28..], 16).unwrap_or_default();
            std::thread::sleep(bucket.times.retry * (chance % 300) / 100);
        }
    }

    /// Appends bytes to many files as [`Store::append`] does, in a bucket many at once, and returns what is in them then;
    /// nothing in a folder. Where it is told of a file that it is new, a bucket is not asked whether it is there.
    ///
    /// # Errors
    /// Names a file; bytes may have been appended to others.
    pub fn append_all(&self, lines: Vec<(String, Bytes, bool)>) -> Result<Vec<(String, Bytes)>, StoreError> {
        match &self.root {
            Root::Folder(_) => {
                lines.iter().try_for_each(|(path, more, _)| self.append(path, more))?;
                Ok(Vec::new())
            }
            Root::Bucket(bucket) => bucket.wait(bucket.append_all(lines)),
        }
    }

    /// Writes a file as [`Store::put`] does that names the newest of something. Who holds a lock of a folder is alone; in a
    /// bucket the lock may have been taken over meanwhile: then what others have written since stays.
    ///
    /// # Errors
    /// Names the file, also where the lock was taken over.
    pub fn put_pointer(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        let Root::Bucket(bucket) = &self.root else { return self.put(path, bytes) };
        let key = bucket.key(path)?;
        let lost = || StoreError::lost_lock(bucket.location_of(path));
        // Read before the leases are looked at: who takes one over later replaces another version than this.
        let mode = match bucket.head(path)? {
            None => PutMode::Create,
            Some(meta) => PutMode::Update(UpdateVersion { e_tag: meta.e_tag, version: meta.version }),
        };
        if !bucket.has_its_leases()? {
            return Err(lost());
        }
        match bucket.wait(bucket.disk.put_opts(&key, bytes.into(), mode.into())) {
            Ok(_) => Ok(()),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Err(lost()),
            Err(error) => Err(bucket.failed(path, error)),
        }
    }

    /// Replaces a file of which `before` was read. A lock keeps others from writing it meanwhile; in a bucket, which has
    /// no such lock, it stays where somebody has.
    ///
    /// # Errors
    /// Names the file.
    pub fn replace(&self, path: &str, before: &[u8], bytes: Bytes) -> Result<(), StoreError> {
        match &self.root {
            Root::Folder(_) if bytes.is_empty() => self.delete(path),
            Root::Folder(_) => self.put(path, bytes),
            Root::Bucket(bucket) => {
                let make = |found: Option<&[u8]>| (found == Some(before)).then(|| bytes.to_vec());
                bucket.update(path, &make).map(drop)
            }
        }
    }
}
