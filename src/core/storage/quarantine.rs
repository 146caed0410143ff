//! The quarantine: damaged files that are set aside under the same path.
//!
//! ```text
//! quarantine/<path below the root>
//! quarantine/<path below the root>.2     of another file that was there before
//! ```
//!
//! Invariant: a file is in the quarantine before it is gone from its own folder.

use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _};

use crate::storage::error::StoreError;
use crate::storage::store::{Root, Store};

/// The folder of damaged files that were set aside.
pub const QUARANTINE: &str = "quarantine";

impl Store {
    /// Creates the quarantine where it is missing.
    ///
    /// # Errors
    /// Names the folder.
    pub fn make_quarantine(&self) -> Result<(), StoreError> {
        self.make_private_folder(QUARANTINE).map(drop)
    }

    /// Puts a file into the quarantine too, without reading it, and returns its path there; none where the
    /// file is missing.
    ///
    /// # Errors
    /// Names the file.
    pub fn link_to_quarantine(&self, path: &str) -> Result<Option<String>, StoreError> {
        self.make_quarantine()?;
        let at = self.absolute(path)?;
        for number in 1_u64.. {
            let to = place(path, number);
            let linked = self.copied_to_new(&at, &self.absolute(&to)?);
            match linked {
                Ok(()) => return Ok(Some(to)),
                Err(Error::NotFound { .. }) => return Ok(None),
                // By a run that was killed.
                Err(Error::AlreadyExists { .. }) if self.is_same(path, &to) => return Ok(Some(to)),
                Err(Error::AlreadyExists { .. }) => {}
                Err(error) => return Err(StoreError::new(&self.location_of(path), error)),
            }
        }
        Ok(None)
    }

    /// Moves a file into the quarantine, and returns its path there; none where the file is missing.
    ///
    /// # Errors
    /// Names the file.
    pub fn quarantine(&self, path: &str) -> Result<Option<String>, StoreError> {
        let linked = self.link_to_quarantine(path)?;
        self.delete(path)?;
        Ok(linked)
    }

    /// Moves a folder into the quarantine, and returns its path there; none where the folder is missing. Before it
    /// is moved, `note` is told where to.
    ///
    /// # Errors
    /// Names the folder, or fails as `note` does; then it is not moved.
    pub fn quarantine_folder(
        &self,
        folder: &str,
        note: impl FnOnce(&str) -> Result<(), StoreError>,
    ) -> Result<Option<String>, StoreError> {
        self.make_quarantine()?;
        if !self.has_folder(folder) {
            return Ok(None);
        }
        for number in 1_u64.. {
            let to = place(folder, number);
            if self.is_taken(&to)? {
                continue;
            }
            note(&to)?;
            self.move_folder(folder, &to)?;
            return Ok(Some(to));
        }
        Ok(None)
    }

    fn is_taken(&self, path: &str) -> Result<bool, StoreError> {
        match &self.root {
            Root::Folder(root) => Ok(root.join(path).exists()),
            Root::Bucket(_) => self.holds_any(path),
        }
    }

    fn move_folder(&self, folder: &str, to: &str) -> Result<(), StoreError> {
        let Root::Folder(root) = &self.root else {
            let files = self.files(folder)?;
            for file in &files {
                let new = format!("{to}{}", &file.path[folder.len()..]);
                let copied = self.wait(self.durable.copy(&self.absolute(&file.path)?, &self.absolute(&new)?));
                copied.map_err(|error| StoreError::new(&self.location_of(&file.path), error))?;
            }
            return self.delete_all(files.iter().map(|file| file.path.as_str()));
        };
        let moved = || -> std::io::Result<()> {
            std::fs::rename(root.join(folder), root.join(to))?;
            for changed in [root.clone(), root.join(QUARANTINE)] {
                std::fs::File::open(changed)?.sync_all()?;
            }
            Ok(())
        };
        moved().map_err(|e| StoreError::io(self.location_of(folder), e))
    }

    /// Copies a file to a new name. In a bucket there is no such request: maintenance, which has its lock, is alone.
    fn copied_to_new(&self, at: &Path, to: &Path) -> Result<(), Error> {
        match &self.root {
            Root::Folder(_) => self.wait(self.durable.copy_if_not_exists(at, to)),
            Root::Bucket(_) => self.wait(async {
                match self.durable.head(to).await {
                    Err(Error::NotFound { .. }) => self.durable.copy(at, to).await,
                    Ok(_) => Err(Error::AlreadyExists { path: to.to_string(), source: "it is there".into() }),
                    Err(error) => Err(error),
                }
            }),
        }
    }

    fn is_same(&self, one: &str, other: &str) -> bool {
        self.get(one).ok().zip(self.get(other).ok()).is_some_and(|(one, other)| one == other)
    }
}

fn place(path: &str, number: u64) -> String {
    if number == 1 { format!("{QUARANTINE}/{path}") } else { format!("{QUARANTINE}/{path}.{number}") }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::storage::temporary;

    #[test]
    fn a_file_keeps_its_path_and_never_replaces_another_one() {
        let (store, folder) = temporary();
        for (content, expected) in [("one", "quarantine/a/b"), ("two", "quarantine/a/b.2")] {
            store.put("a/b", content.into()).expect("it can be written");
            let linked = store.link_to_quarantine("a/b").expect("it can be linked");
            assert_eq!(linked.as_deref(), Some(expected));
            assert!(store.is_there("a/b"));
            // As after a run that was killed here.
            assert_eq!(store.quarantine("a/b").expect("it can be moved"), linked);
            assert!(!store.is_there("a/b"));
            assert_eq!(store.get(expected).expect("it is there"), content);
        }
        assert_eq!(store.quarantine("a/b").expect("there is nothing to do"), None);
        let mode =
            std::fs::metadata(folder.path().join(QUARANTINE)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "it is the owner's alone");
    }

    #[test]
    fn a_folder_moves_as_a_whole() {
        let (store, _folder) = temporary();
        for expected in ["quarantine/table", "quarantine/table.2"] {
            store.put("table/log/0", "x".into()).expect("it can be written");
            let full =
                |_: &str| Err(StoreError::io("list".to_owned(), std::io::ErrorKind::StorageFull.into()));
            store.quarantine_folder("table", full).expect_err("it cannot be noted");
            assert!(
                store.has_folder("table") && !store.has_folder(expected),
                "nothing moves that is not noted"
            );
            let noted = std::cell::Cell::new(None);
            let note = |to: &str| {
                noted.set(Some(to.to_owned()));
                Ok(())
            };
            let moved = store.quarantine_folder("table", note).expect("it can be moved");
            assert_eq!((moved.as_deref(), noted.take().as_deref()), (Some(expected), Some(expected)));
            assert!(!store.has_folder("table") && store.is_there(&format!("{expected}/log/0")));
        }
        let moved = store.quarantine_folder("table", |_| Ok(())).expect("there is nothing to do");
        assert_eq!(moved, None);
    }
}
