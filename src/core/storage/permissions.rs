//! Who may read and write a lake, beyond what the umask allows.
//!
//! ```text
//! <root>     0750 where it is created here; with setgid where its parent has it
//! rejects/   0700, its files 0600: lines as they came may say something about buyers
//! quarantine/  0700, too: damaged files are not for readers of the lake
//! runs/*     no more than the root allows
//! ```
//!
//! The permissions of the root widen the others: where its group may write, as after `chmod 2770`, all of the
//! group write rejects too.
//!
//! Who may read and write a bucket is for its policies.
//!
//! Invariant: permissions are only ever taken away from what existed before, and what cannot be changed, since another
//! user owns it, is left as it is.

use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path as FsPath;

use bytes::Bytes;

use crate::storage::error::StoreError;
use crate::storage::store::{Root, Store};

/// The permissions of a new root, before the process's umask.
const ROOT_MODE: u32 = 0o750;
/// Whether the group may write.
const GROUP_WRITES: u32 = 0o020;
/// The bits of permissions, without setgid and others.
const ALL: u32 = 0o777;

impl Store {
    /// Creates the root where it is missing, for its owner and group.
    ///
    /// # Errors
    /// Names the folder.
    pub fn make_root(&self) -> Result<(), StoreError> {
        let failed = |e| StoreError::io(self.location(), e);
        let Root::Folder(root) = &self.root else { return Ok(()) };
        if root.is_dir() {
            return Ok(());
        }
        root.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
        // Not created and then changed: the system gives it setgid and the group of its parent.
        match DirBuilder::new().mode(ROOT_MODE).create(root) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made.map_err(failed),
        }
    }

    /// Writes one file as [`Store::put`] does into a folder that only the owner of the lake may read.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put_private(&self, folder: &str, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        let mode = self.make_private_folder(folder)?;
        self.put(path, bytes)?;
        if let Root::Folder(root) = &self.root {
            restrict(&root.join(path), mode & 0o666);
        }
        Ok(())
    }

    /// Creates a folder that only the owner of the lake may read, where it is missing, and returns its
    /// permissions.
    pub(super) fn make_private_folder(&self, folder: &str) -> Result<u32, StoreError> {
        let Root::Folder(root) = &self.root else { return Ok(ALL) };
        let mode = if mode_of_folder(root) & GROUP_WRITES == 0 { 0o700 } else { 0o770 };
        let at = root.join(folder);
        match DirBuilder::new().mode(mode).create(&at) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => restrict(&at, mode),
            // Whatever the umask: where the group may write, each of its users has rejects.
            made => made
                .and_then(|()| std::fs::metadata(&at))
                .map(|meta| Permissions::from_mode(mode_of(&meta) & !ALL | mode))
                .and_then(|permissions| std::fs::set_permissions(&at, permissions))
                .map_err(|e| StoreError::io(self.location_of(folder), e))?,
        }
        Ok(mode)
    }

    /// Creates a folder where it is missing, for the same accounts as the folder that it is in: whoever can add files
    /// there can add files here.
    ///
    /// # Errors
    /// Names the folder, also where its name is that of a link or a file.
    pub fn make_folder_like_parent(&self, folder: &str) -> Result<(), StoreError> {
        let Root::Folder(root) = &self.root else { return Ok(()) };
        let at = root.join(folder);
        make_like_parent(&at).map_err(|e| StoreError::io(self.location_of(folder), e))
    }

    /// Takes from a file the permissions that the root does not give.
    pub fn restrict_to_root(&self, path: &str) {
        if let Root::Folder(root) = &self.root {
            restrict(&root.join(path), mode_of_folder(root));
        }
    }
}

fn mode_of_folder(folder: &FsPath) -> u32 {
    std::fs::metadata(folder).map_or(ALL, |meta| mode_of(&meta))
}

fn make_like_parent(at: &FsPath) -> io::Result<()> {
    match std::fs::symlink_metadata(at) {
        Ok(meta) if meta.is_dir() => return Ok(()),
        Ok(_) => return Err(io::Error::other("is not a folder; remove it")),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let parent = at.parent().unwrap_or(at);
    std::fs::create_dir_all(parent)?;
    match DirBuilder::new().create(at) {
        // By another run, just now.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    let (meta, of_parent) = (std::fs::metadata(at)?, std::fs::metadata(parent)?);
    if meta.gid() != of_parent.gid() {
        // Only to a group of this account; what others cannot write then they could not write before.
        let _ = chown(at, None, Some(of_parent.gid()));
    }
    std::fs::set_permissions(at, of_parent.permissions())?;
    File::open(parent)?.sync_all()
}

fn mode_of(meta: &Metadata) -> u32 {
    meta.permissions().mode()
}

/// Takes permissions away, where that is allowed.
fn restrict(path: &FsPath, mode: u32) {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return };
    let (has, allowed) = (mode_of(&meta), mode_of(&meta) & (mode | !ALL));
    if has != allowed && !meta.is_symlink() {
        let _ = std::fs::set_permissions(path, Permissions::from_mode(allowed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &FsPath) -> u32 {
        mode_of(&std::fs::metadata(path).expect("it is there")) & 0o7777
    }

    #[test]
    fn a_folder_is_for_the_accounts_of_the_one_that_it_is_in() {
        let (store, folder) = crate::storage::temporary();
        for of_parent in [0o2770, 0o1777, 0o700] {
            let _ = std::fs::remove_dir_all(folder.path().join("runs"));
            std::fs::create_dir(folder.path().join("runs")).expect("it can be made");
            let permissions = Permissions::from_mode(of_parent);
            std::fs::set_permissions(folder.path().join("runs"), permissions).expect("it is ours");
            for _ in 0..2 {
                store.make_folder_like_parent("runs/today").expect("it can be made");
                assert_eq!(mode(&folder.path().join("runs/today")), of_parent);
            }
        }
        std::os::unix::fs::symlink("today", folder.path().join("runs/link")).expect("a link can be made");
        store.make_folder_like_parent("runs/link").expect_err("somebody else's folder may be behind it");
        store.make_folder_like_parent("new/today").expect("it can be made");
    }

    #[test]
    fn rejects_are_the_owner_s_and_a_group_that_writes_shares_them() {
        let parent = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::set_permissions(parent.path(), Permissions::from_mode(0o2775)).expect("it is ours");
        let root = parent.path().join("lake");
        let store = Store::open(&root).expect("a folder can be named");
        store.make_root().expect("it can be made");
        assert_eq!(mode(&root), 0o2750);
        store.put("runs/a.json", "{}".into()).expect("it can be written");
        store.restrict_to_root("runs/a.json");
        assert_eq!(mode(&root.join("runs/a.json")), 0o640);
        store.put_private("rejects", "rejects/a", "x".into()).expect("it can be written");
        assert_eq!((mode(&root.join("rejects")) & ALL, mode(&root.join("rejects/a"))), (0o700, 0o600));
        // Of an older version of the program.
        std::fs::set_permissions(root.join("rejects"), Permissions::from_mode(0o755)).expect("it is ours");
        store.put_private("rejects", "rejects/a", "x".into()).expect("it can be written");
        assert_eq!(mode(&root.join("rejects")) & ALL, 0o700);
        std::fs::set_permissions(&root, Permissions::from_mode(0o2770)).expect("it is ours");
        std::fs::remove_dir_all(root.join("rejects")).expect("it is ours");
        store.put_private("rejects", "rejects/a", "x".into()).expect("it can be written");
        assert_eq!(mode(&root.join("rejects")) & ALL, 0o770);
        assert_eq!(mode(&root.join("rejects/a")) & 0o007, 0);
    }
}
