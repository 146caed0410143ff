//! Files that not every account may read.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::Path;

use crate::storage::error::StoreError;
use crate::storage::store::{Root, Store};

/// Read permission for others.
const OTHERS_READ: u32 = 0o004;

impl Store {
    /// Writes one file atomically, as [`Store::put`] does, that only this account and the members of a group
    /// can read.
    ///
    /// # Errors
    /// Names the file; an older one then stays as it was.
    pub fn put_for_group(&self, path: &str, bytes: &[u8], group: Option<u32>) -> Result<(), StoreError> {
        // Who may read a bucket is for its policies.
        let Root::Folder(root) = &self.root else { return self.put(path, bytes.to_vec().into()) };
        let at = root.join(path);
        write_private(&at, bytes, group).map_err(|e| StoreError::io(self.location_of(path), e))?;
        self.io_counters.wrote(bytes.len());
        Ok(())
    }

    /// Returns whether a file is there that others cannot read.
    pub fn is_private(&self, path: &str) -> bool {
        let Root::Folder(root) = &self.root else { return false };
        let meta = std::fs::symlink_metadata(root.join(path));
        meta.is_ok_and(|meta| meta.permissions().mode() & OTHERS_READ == 0)
    }
}

fn write_private(path: &Path, bytes: &[u8], group: Option<u32>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder)?;
    // For this account alone until it has its group; named as a file that is still being written.
    let mut file = tempfile::Builder::new().prefix(".private-").suffix("#1").tempfile_in(folder)?;
    file.write_all(bytes)?;
    if group.is_some() {
        fchown(file.as_file(), None, group)?;
        file.as_file().set_permissions(Permissions::from_mode(0o640))?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_private_file_is_for_its_account_and_a_group() {
        let (store, folder) = crate::storage::temporary();
        let meta = |name: &str| folder.path().join(name).metadata().expect("it was written");
        let own_group = meta("").gid();
        store.put_for_group("a/private", b"secret", None).expect("it can be written");
        assert_eq!(meta("a/private").mode() & 0o777, 0o600);
        for text in ["old", "new"] {
            store.put_for_group("a/shared", text.as_bytes(), Some(own_group)).expect("it can be written");
        }
        assert_eq!((meta("a/shared").mode() & 0o777, meta("a/shared").gid()), (0o640, own_group));
        assert_eq!(store.get("a/shared").expect("it can be read"), "new");
        store.put("a/public", "x".into()).expect("it can be written");
        assert_eq!(
            ["a/private", "a/shared", "a/public", "a/none"].map(|name| store.is_private(name)),
            [true, true, false, false]
        );
        assert_eq!(store.files("a").expect("it can be listed").len(), 3, "nothing else is left");
    }
}
