//! A directory into which other accounts may write, such as a spool folder.
//!
//! Invariant: its files are opened and moved relative to the open directory, without following a symbolic
//! link, and checked after they are opened: whoever can write to the directory cannot have another file
//! read, moved or replaced, and cannot make the program wait.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

/// Write permission for group and others.
const OTHERS_WRITE: u32 = 0o022;
/// The permissions of a new directory, before the process's umask.
const FOLDER_MODE: Mode = Mode::from_bits_retain(0o777);
/// What is opened is not a link, does not wait for the writer of a named pipe, and is not inherited.
const SAFELY: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// An open directory.
#[derive(Debug)]
pub struct Directory {
    file: File,
    path: PathBuf,
}

impl Directory {
    /// Opens a directory; its path is trusted, so that links in it are followed.
    ///
    /// # Errors
    /// As the operating system does.
    pub fn open(path: &Path) -> io::Result<Directory> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        Ok(Directory { file, path: path.to_owned() })
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a regular file of the directory for reading.
    ///
    /// # Errors
    /// As the operating system does, and where the name is that of a link or of anything but a regular
    /// file, or the file may be another account's that was linked here.
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let opened = openat(&self.file, name, OFlags::RDONLY | SAFELY, Mode::empty());
        let file = File::from(opened.map_err(|error| match error {
            Errno::LOOP => io::Error::other("it is a symbolic link; put the file itself here"),
            // A socket, or a named pipe that is opened for writing.
            Errno::NXIO => io::Error::other("it is not a regular file"),
            other => other.into(),
        })?);
        let seen = file.metadata()?;
        if !seen.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if seen.nlink() > 1 && self.may_link_files_of_others(&seen)? {
            let what = "it has another hard link and may be a file of another account; put a copy here";
            return Err(io::Error::other(what));
        }
        Ok(file)
    }

    /// Returns whether a hard link to a file may have been made by an account that cannot read the file.
    fn may_link_files_of_others(&self, file: &Metadata) -> io::Result<bool> {
        let own = self.file.metadata()?;
        Ok(own.mode() & OTHERS_WRITE != 0 || own.uid() != file.uid())
    }

    /// Moves a file into a folder of the directory, which is created where it is missing, and returns the
    /// new name once it is durable; none where the file is missing. A number is appended to a name that is
    /// taken.
    ///
    /// # Errors
    /// Fails where the disk does, and where the folder's name is that of a link or a file; the file then
    /// stays where it was.
    pub fn move_to(&self, name: &OsStr, folder: &str) -> io::Result<Option<OsString>> {
        match mkdirat(&self.file, folder, FOLDER_MODE) {
            Err(Errno::EXIST) => {}
            made => made.map_err(io::Error::from).and_then(|()| self.file.sync_all())?,
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | SAFELY;
        let target =
            File::from(openat(&self.file, folder, flags, Mode::empty()).map_err(|error| match error {
                Errno::NOTDIR | Errno::LOOP => {
                    io::Error::other("it is not a directory; links are not followed")
                }
                other => other.into(),
            })?);
        for number in 0_u64.. {
            let mut new_name = name.to_owned();
            if number > 0 {
                new_name.push(format!(".{number}"));
            }
            match rename_to_new(&self.file, name, &target, &new_name) {
                Ok(()) => {
                    target.sync_all()?;
                    self.file.sync_all()?;
                    return Ok(Some(new_name));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound && is_missing(&self.file, name) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// Returns whether nothing has a name, not even a dangling link.
fn is_missing(folder: &File, name: &OsStr) -> bool {
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).is_err_and(|error| error == Errno::NOENT)
}

#[cfg(target_os = "linux")]
fn rename_to_new(from: &File, name: &OsStr, to: &File, new_name: &OsStr) -> io::Result<()> {
    use rustix::fs::{RenameFlags, renameat_with};

    match renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE) {
        // Some file systems do not support this rename.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => reserve_and_rename(from, name, to, new_name),
        renamed => Ok(renamed?),
    }
}

#[cfg(not(target_os = "linux"))]
fn rename_to_new(from: &File, name: &OsStr, to: &File, new_name: &OsStr) -> io::Result<()> {
    reserve_and_rename(from, name, to, new_name)
}

/// Renames over an empty file that reserves the name; a crash in between leaves that file, and the one
/// to be moved where it was.
fn reserve_and_rename(from: &File, name: &OsStr, to: &File, new_name: &OsStr) -> io::Result<()> {
    if is_missing(from, name) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | SAFELY;
    openat(to, new_name, flags, Mode::from_bits_retain(0o600))?;
    let renamed = renameat(from, name, to, new_name);
    if renamed.is_err() {
        let _ = unlinkat(to, new_name, AtFlags::empty());
    }
    Ok(renamed?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn temporary() -> (tempfile::TempDir, Directory) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let directory = Directory::open(folder.path()).expect("it is there");
        (folder, directory)
    }

    #[test]
    fn either_way_of_moving_replaces_nothing() {
        for rename in [rename_to_new, reserve_and_rename] {
            let (folder, here) = temporary();
            let path = |name: &str| folder.path().join(name);
            let rename = |from: &str, to: &str| rename(&here.file, from.as_ref(), &here.file, to.as_ref());
            std::fs::write(path("from"), "new").expect("a file can be written");
            std::fs::write(path("to"), "old").expect("a file can be written");
            let kind = rename("from", "to").expect_err("the name is taken").kind();
            assert_eq!(kind, io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read(path("to")).expect("it is still there"), b"old");
            rename("from", "free").expect("the name is free");
            assert!(is_missing(&here.file, "from".as_ref()));
            assert_eq!(std::fs::read(path("free")).expect("it was moved"), b"new");
            assert_eq!(rename("from", "to").expect_err("it is gone").kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_taken_name_gets_a_number_and_a_file_that_is_missing_is_none() {
        let (folder, here) = temporary();
        for expected in ["a.csv", "a.csv.1", "a.csv.2"] {
            std::fs::write(folder.path().join("a.csv"), expected).expect("a file can be written");
            let moved = here.move_to("a.csv".as_ref(), "done").expect("it can be moved");
            assert_eq!(moved, Some(expected.into()));
            let text = std::fs::read_to_string(folder.path().join("done").join(expected));
            assert_eq!(text.expect("it is there"), expected);
        }
        assert_eq!(here.move_to("a.csv".as_ref(), "done").expect("nothing stands in the way"), None);
    }

    #[test]
    fn a_link_or_a_file_is_not_a_folder_to_move_to() {
        let (folder, here) = temporary();
        let elsewhere = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::write(folder.path().join("a.csv"), "a").expect("a file can be written");
        symlink(elsewhere.path(), folder.path().join("done")).expect("a link can be made");
        rustix::fs::mkfifoat(&here.file, "failed", Mode::from_bits_retain(0o666))
            .expect("a pipe can be made");
        for name in ["done", "failed"] {
            here.move_to("a.csv".as_ref(), name).expect_err("it is no folder");
        }
        assert_eq!(elsewhere.path().read_dir().expect("it can be listed").count(), 0);
        assert!(folder.path().join("a.csv").is_file());
    }

    #[test]
    fn only_regular_files_of_the_directory_are_opened() {
        let (folder, here) = temporary();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), "ours").expect("a file can be written");
        here.open_file("file".as_ref()).expect("it is a regular file");
        std::fs::hard_link(path("file"), path("second")).expect("a link can be made");
        symlink("file", path("link")).expect("a link can be made");
        std::fs::create_dir(path("folder")).expect("a folder can be made");
        rustix::fs::mkfifoat(&here.file, "pipe", Mode::from_bits_retain(0o666)).expect("a pipe can be made");
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).expect("a socket can be made");
        here.open_file("second".as_ref()).expect("nobody else can write to the directory");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o775)).expect("it is ours");
        let check = |name: &str, expected: &str| {
            let error = here.open_file(name.as_ref()).expect_err("it is refused").to_string();
            assert!(error.contains(expected), "{name}: {error}");
        };
        check("link", "symbolic link");
        check("second", "hard link");
        for name in ["folder", "pipe", "socket"] {
            check(name, "not a regular file");
        }
    }
}
