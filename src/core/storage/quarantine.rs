//! Moves processed input files to another folder, such as `done` or `failed`.
//!
//! Invariant: at every moment the file exists under its old name or its new one, and no other file is
//! replaced.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Moves a file into a folder, which is created where it is missing, and returns the new path once it
/// is durable; none where the file is missing. A number is appended to a name that is taken.
///
/// # Errors
/// Fails where the disk does; the file then stays where it was.
pub fn move_to_folder(file: &Path, folder: &Path) -> io::Result<Option<PathBuf>> {
    let Some(name) = file.file_name() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.and_then(|()| File::open(parent)?.sync_all())?,
    }
    for number in 0_u64.. {
        let mut target = OsString::from(name);
        if number > 0 {
            target.push(format!(".{number}"));
        }
        let target = folder.join(target);
        match rename_to_new(file, &target) {
            Ok(()) => {
                File::open(folder)?.sync_all()?;
                File::open(parent)?.sync_all()?;
                return Ok(Some(target));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_missing(file) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Returns whether nothing exists at a path, not even a dangling link.
pub fn is_missing(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    use nix::errno::Errno;
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // Some file systems do not support this rename.
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => reserve_and_rename(from, to),
        renamed => Ok(renamed?),
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    reserve_and_rename(from, to)
}

/// Renames over an empty file that reserves the name; a crash in between leaves that file, and the one
/// to be moved where it was.
fn reserve_and_rename(from: &Path, to: &Path) -> io::Result<()> {
    if is_missing(from) {
        return Err(io::ErrorKind::NotFound.into());
    }
    File::create_new(to)?;
    std::fs::rename(from, to).inspect_err(|_| drop(std::fs::remove_file(to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_way_of_moving_replaces_nothing() {
        for rename in [rename_to_new, reserve_and_rename] {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
            std::fs::write(&from, "new").expect("a file can be written");
            std::fs::write(&to, "old").expect("a file can be written");
            let kind = rename(&from, &to).expect_err("the name is taken").kind();
            assert_eq!(kind, io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read(&to).expect("it is still there"), b"old");
            let free = folder.path().join("free");
            rename(&from, &free).expect("the name is free");
            assert!(is_missing(&from));
            assert_eq!(std::fs::read(&free).expect("it was moved"), b"new");
            assert_eq!(rename(&from, &to).expect_err("it is gone").kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_taken_name_gets_a_number_and_a_file_that_is_missing_is_none() {
        let top = tempfile::tempdir().expect("a temporary folder can be made");
        let (file, folder) = (top.path().join("a.csv"), top.path().join("done"));
        for expected in ["a.csv", "a.csv.1", "a.csv.2"] {
            std::fs::write(&file, expected).expect("a file can be written");
            let moved = move_to_folder(&file, &folder).expect("it can be moved");
            assert_eq!(moved, Some(folder.join(expected)));
            assert_eq!(std::fs::read_to_string(folder.join(expected)).expect("it is there"), expected);
        }
        assert_eq!(move_to_folder(&file, &folder).expect("nothing stands in the way"), None);
    }
}
