//! Files of users and other programs on this machine's disks, outside of any lake.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;

pub use std::fs::{File, Metadata};

pub use crate::storage::atomic_write::write_atomically;

/// As much as a mapping or a configuration file may have; nobody writes so much.
const MAX_BYTES: u64 = 4 << 20;

/// Whether a symbolic link at the end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    Follow,
    /// Opening a link fails with [`is_link_error`].
    Refuse,
}

/// Opens a file for reading.
///
/// # Errors
/// As the operating system does.
pub fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Opens a file for reading and does not wait for the writer of a named pipe.
///
/// # Errors
/// As the operating system does.
pub fn open_nonblocking(path: &Path, links: Links) -> io::Result<File> {
    let flags = match links {
        Links::Follow => OFlag::O_NONBLOCK,
        Links::Refuse => OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW,
    };
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

/// Returns whether opening failed because of [`Links::Refuse`].
pub fn is_link_error(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ELOOP as i32)
}

/// Returns the whole content of a file that people write.
///
/// # Errors
/// As the operating system does, and where the file is too large for that.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(io::Error::other(format!("larger than {} KiB", MAX_BYTES >> 10))),
        false => Ok(bytes),
    }
}

/// Returns the whole content of a file that a program writes, of any size.
///
/// # Errors
/// As the operating system does.
pub fn read_any(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the whole content of a text file that people write.
///
/// # Errors
/// As [`read`], and where the content is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read(path)?);
    text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
}

/// Returns the paths of a folder's files and folders, in byte order.
///
/// # Errors
/// As the operating system does.
pub fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<io::Result<_>>()?;
    paths.sort_unstable();
    Ok(paths)
}

/// Returns the metadata of a file or folder; those of its target where it is a link.
///
/// # Errors
/// As the operating system does.
pub fn metadata(path: &Path) -> io::Result<Metadata> {
    std::fs::metadata(path)
}

/// Returns the metadata of a file, a folder, or a link itself.
///
/// # Errors
/// As the operating system does.
pub fn link_metadata(path: &Path) -> io::Result<Metadata> {
    std::fs::symlink_metadata(path)
}

/// Returns whether nothing exists at a path, not even a dangling link.
pub fn is_missing(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Returns the numbers of a file's file system and of the file in it.
pub fn inode(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// Returns the absolute path of a file or folder without links.
///
/// # Errors
/// As the operating system does.
pub fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    std::fs::canonicalize(path)
}

/// Returns whether a path is that of a folder, or of a link to one.
pub fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// Returns whether a path is that of a file, or of a link to one.
pub fn is_file(path: &Path) -> bool {
    path.is_file()
}

/// Copies what a reader gives into an unnamed temporary file, which is removed when it is closed; by
/// default, in the system's folder for them.
///
/// # Errors
/// Fails where the reader or the disk does.
pub fn copy_to_temporary(mut from: impl Read, folder: Option<&Path>) -> io::Result<File> {
    let mut file = folder.map_or_else(tempfile::tempfile, tempfile::tempfile_in)?;
    io::copy(&mut from, &mut file)?;
    file.rewind()?;
    Ok(file)
}
