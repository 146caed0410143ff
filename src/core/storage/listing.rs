//! Lists, renames and removes files.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::path::Path as FsPath;
use std::time::UNIX_EPOCH;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::{Path, PathPart};
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::storage::bucket::Bucket;
use crate::storage::error::StoreError;
use crate::storage::store::{Root, Store};

/// A file in a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredFile {
    /// Path below the root.
    pub path: String,
    pub size_bytes: u64,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: i64,
}

impl StoredFile {
    fn of(path: String, meta: &Metadata) -> StoredFile {
        let since = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let modified_ms = since.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0);
        StoredFile { path, size_bytes: meta.len(), modified_ms }
    }

    /// Returns an object, by the clock of its store.
    fn of_object(path: String, meta: &ObjectMeta) -> StoredFile {
        StoredFile { path, size_bytes: meta.size, modified_ms: meta.last_modified.timestamp_millis() }
    }
}

/// Returns whether a path is that of a file that is still being written, or was never finished:
/// `….parquet#1`.
pub fn is_unfinished(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Store {
    /// Returns the files below a folder, at any depth, finished or not; none where the folder is not
    /// there.
    ///
    /// Links, and names that are not UTF-8 or not valid in the object store, are left out: no file
    /// of a lake has such a name.
    ///
    /// # Errors
    /// Names the folder.
    pub fn files(&self, folder: &str) -> Result<Vec<StoredFile>, StoreError> {
        self.files_where(folder, &|_| true)
    }

    /// Returns the same of the files with wanted paths. Of others, the size and the time are not asked for.
    ///
    /// # Errors
    /// As [`Store::files`].
    pub fn files_where(
        &self,
        folder: &str,
        wants: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<StoredFile>, StoreError> {
        let root = match &self.root {
            Root::Folder(root) => root,
            Root::Bucket(bucket) => return objects_where(bucket, folder, wants),
        };
        let mut found = Vec::new();
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            let failed = |e: io::Error| StoreError::io(self.location_of(&folder), e);
            let entries = match std::fs::read_dir(root.join(&folder)) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(failed)?,
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name();
                let Some(name) = name.to_str().filter(|name| PathPart::parse(name).is_ok()) else { continue };
                let path = format!("{folder}/{name}");
                let kind = entry.file_type().map_err(failed)?;
                if kind.is_dir() {
                    open.push(path);
                } else if kind.is_file() && wants(&path) {
                    match entry.metadata() {
                        Ok(meta) => found.push(StoredFile::of(path, &meta)),
                        // Its writer has just renamed or removed it.
                        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                        Err(e) => return Err(StoreError::io(self.location_of(&path), e)),
                    }
                }
            }
        }
        Ok(found)
    }

    /// Returns the files directly in a folder of a bucket whose names are after another one, with one request; none where
    /// the store is a folder, in which looking for single files is faster.
    ///
    /// # Errors
    /// Names the folder.
    pub fn objects_after(&self, folder: &str, name: &str) -> Result<Option<Vec<StoredFile>>, StoreError> {
        let Root::Bucket(bucket) = &self.root else { return Ok(None) };
        let (at, after) = (bucket.key(folder)?, bucket.key(&format!("{folder}/{name}"))?);
        collected(bucket, folder, bucket.disk.list_with_offset(Some(&at), &after), &|_| true).map(Some)
    }

    /// Returns the names of the files and folders directly in a folder, as far as they are UTF-8;
    /// none where the folder is not there.
    ///
    /// # Errors
    /// Names the folder.
    pub fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let failed = |e: io::Error| StoreError::io(self.location_of(folder), e);
        let root = match &self.root {
            Root::Folder(root) => root,
            Root::Bucket(bucket) => return names_in(bucket, folder),
        };
        let entries = match std::fs::read_dir(root.join(folder)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let names = entries.map(|entry| Ok(entry.map_err(failed)?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    /// Returns the names of the files and folders directly below the root, lossily where they are not
    /// UTF-8; none where the root is not there.
    ///
    /// # Errors
    /// Fails where the root is not a folder, or cannot be read.
    pub fn root_names(&self) -> Result<Vec<String>, StoreError> {
        let failed = |e: io::Error| StoreError::io(self.location(), e);
        let root = match &self.root {
            Root::Folder(root) => root,
            Root::Bucket(bucket) => return names_in(bucket, ""),
        };
        let entries = match std::fs::read_dir(root) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let names = entries.map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned()));
        names.collect::<Result<_, _>>().map_err(failed)
    }

    /// Renames a file, replacing one of the new name; in a bucket it is copied, and then removed.
    ///
    /// # Errors
    /// Names the file, which keeps its old name.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), StoreError> {
        let (at, new) = (self.absolute(from)?, self.absolute(to)?);
        let renamed = self.wait(self.durable.rename(&at, &new));
        renamed.map_err(|e| StoreError::new(&self.location_of(from), e))
    }

    /// Removes a file; succeeds where it is not there.
    ///
    /// # Errors
    /// Names the file.
    pub fn delete(&self, path: &str) -> Result<(), StoreError> {
        let at = self.absolute(path)?;
        self.forget(&at);
        match self.wait(self.durable.delete(&at)) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::new(&self.location_of(path), error)),
        }
    }

    /// Removes files; those that are not there do no harm. In a bucket, many go with one request.
    ///
    /// # Errors
    /// Names the folder or the file.
    pub(super) fn delete_all<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Result<(), StoreError> {
        let Root::Bucket(bucket) = &self.root else {
            let mut outcome = Ok(());
            for path in paths {
                outcome = outcome.and(self.delete(path));
            }
            return outcome;
        };
        let keys: Vec<Path> = paths.map(|path| bucket.key(path)).collect::<Result<_, StoreError>>()?;
        keys.iter().for_each(|key| bucket.read_ahead.forget(key));
        let removed = bucket.disk.delete_stream(futures::stream::iter(keys).map(Ok).boxed());
        let outcomes: Vec<_> = bucket.wait(removed.collect());
        for outcome in outcomes {
            match outcome {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(bucket.failed("", error)),
            }
        }
        Ok(())
    }

    /// Removes files and the folders that become empty; nobody may be writing there.
    ///
    /// # Errors
    /// Names the file that cannot be removed.
    pub fn remove<'a>(&self, files: impl Iterator<Item = &'a StoredFile>) -> Result<(), StoreError> {
        let Root::Folder(root) = &self.root else {
            return self.delete_all(files.map(|file| file.path.as_str()));
        };
        let mut folders = BTreeSet::new();
        for file in files {
            if is_unfinished(&file.path) {
                // The object store hides such files.
                let removed = std::fs::remove_file(root.join(&file.path));
                match removed {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => {
                        return Err(StoreError::io(self.location_of(&file.path), e));
                    }
                    _ => {}
                }
            } else {
                self.delete(&file.path)?;
            }
            folders.extend(FsPath::new(&file.path).parent().map(FsPath::to_owned));
        }
        for folder in folders {
            // Up to the first that is not empty.
            let up = folder.ancestors().filter(|up| up.components().count() > 1);
            up.map_while(|up| std::fs::remove_dir(root.join(up)).ok()).for_each(drop);
        }
        Ok(())
    }
}

/// Returns the objects below a folder of a bucket, at any depth.
fn objects_where(
    bucket: &Bucket,
    folder: &str,
    wants: &dyn Fn(&str) -> bool,
) -> Result<Vec<StoredFile>, StoreError> {
    let at = bucket.key(folder)?;
    collected(bucket, folder, bucket.disk.list(Some(&at)), wants)
}

fn collected(
    bucket: &Bucket,
    folder: &str,
    mut objects: BoxStream<'static, Result<ObjectMeta, Error>>,
    wants: &dyn Fn(&str) -> bool,
) -> Result<Vec<StoredFile>, StoreError> {
    let found = bucket.wait(async {
        let mut found = Vec::new();
        while let Some(meta) = objects.try_next().await? {
            if let Some(path) = bucket.path_of(&meta.location).filter(|path| wants(path)) {
                found.push(StoredFile::of_object(path.to_owned(), &meta));
            }
        }
        Ok(found)
    });
    found.map_err(|error| bucket.failed(folder, error))
}

/// Returns the names of the objects and folders directly in a folder of a bucket.
fn names_in(bucket: &Bucket, folder: &str) -> Result<Vec<String>, StoreError> {
    let at = bucket.key(folder)?;
    let listed = bucket.wait(bucket.disk.list_with_delimiter(Some(&at)));
    let listed = listed.map_err(|error| bucket.failed(folder, error))?;
    let objects = listed.objects.into_iter().map(|meta| meta.location);
    let keys = listed.common_prefixes.into_iter().chain(objects);
    Ok(keys.filter_map(|key| key.filename().map(str::to_owned)).collect())
}
