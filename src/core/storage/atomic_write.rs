//! Writes files of users, such as a report, atomically.
//!
//! Invariant: the name refers to the old content or to all of the new, never to a part of it.

#[cfg(target_os = "linux")]
use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
#[cfg(target_os = "linux")]
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

/// The permissions of a new file, before the process's umask.
const MODE: u32 = 0o666;

/// Where the links of a process's open files are, which lead to pipes, too.
const PROCESSES: &str = "/proc";
/// As many links as Linux follows.
const MAX_LINKS: u32 = 40;

/// Writes a file atomically, replacing an older one of that name, and syncs it; a device or a named pipe
/// is written to as it is. A link, a device or a pipe that belongs to another account than this one or
/// root is refused: where others can write to the folder, they would choose what is overwritten.
///
/// # Errors
/// Fails where the disk does, or the path is that of a folder; an older file then stays as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // The target of a link is replaced, not the link.
    let path = target_of_links(path)?;
    let before = match std::fs::symlink_metadata(&path) {
        Ok(before) => Some(before),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if let Some(before) = before.as_ref().filter(|before| !before.is_file()) {
        return write_to_device(&path, before, bytes);
    }
    let folder = folder_of(&path);
    std::fs::metadata(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".topsell-")
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)
        // Without the path: it has a random name that says nothing to the user.
        .map_err(|error| io::Error::from(error.kind()))?;
    if let Some(before) = before {
        // Not what makes a program run as its owner.
        file.as_file().set_permissions(Permissions::from_mode(before.mode() & 0o777))?;
    }
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    File::open(folder)?.sync_all()
}

fn write_to_device(path: &Path, before: &Metadata, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    if !is_of_process(path) {
        if !is_trusted(before.uid()) {
            return Err(io::Error::other("it is no file and belongs to another account"));
        }
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    }
    options.open(path)?.write_all(bytes)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns the path that a path's links lead to in the end, whether or not something is there; a path that
/// is no link is returned as it is.
fn target_of_links(path: &Path) -> io::Result<PathBuf> {
    if path.file_name().is_none() && !path.is_dir() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        if is_of_process(&path) {
            // An open file of this process: a file has a path, a pipe has none.
            let is_file = std::fs::metadata(&path).is_ok_and(|meta| meta.is_file());
            return if is_file { path.canonicalize() } else { Ok(path) };
        }
        match trusted_link(&path)? {
            Some(target) => path = folder_of(&path).join(target),
            None => return Ok(path),
        }
    }
    Err(Errno::LOOP.into())
}

/// Returns whether a path is one of the system's files about processes, which nobody else can replace.
fn is_of_process(path: &Path) -> bool {
    path.parent()
        .and_then(|folder| folder.canonicalize().ok())
        .is_some_and(|real| real.starts_with(PROCESSES))
}

/// Returns whether an account may choose which file this process writes to.
fn is_trusted(uid: u32) -> bool {
    [0, rustix::process::geteuid().as_raw()].contains(&uid)
}

/// Returns the target of a link; none of anything else, or where nothing is there.
fn trusted_link(path: &Path) -> io::Result<Option<PathBuf>> {
    let refused = || io::Error::other("it is a symbolic link that belongs to another account; remove it");
    // The owner and the target are those of one link, also where somebody replaces it meanwhile.
    #[cfg(target_os = "linux")]
    {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = match rustix::fs::open(path, flags, rustix::fs::Mode::empty()) {
            Ok(link) => File::from(link),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let seen = link.metadata()?;
        if !seen.is_symlink() {
            return Ok(None);
        }
        if !is_trusted(seen.uid()) {
            return Err(refused());
        }
        let target = rustix::fs::readlinkat(&link, "", Vec::new())?;
        Ok(Some(PathBuf::from(OsString::from_vec(target.into_bytes()))))
    }
    #[cfg(not(target_os = "linux"))]
    match std::fs::symlink_metadata(path) {
        Ok(seen) if seen.is_symlink() && !is_trusted(seen.uid()) => Err(refused()),
        Ok(seen) if seen.is_symlink() => std::fs::read_link(path).map(Some),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).expect("it was written")
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder can be listed");
        let names = entries.map(|entry| entry.expect("a folder can be listed").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn an_older_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for name in ["page.html", "~ 50% #1?.html", "käse"] {
            let path = folder.path().join(name);
            for text in ["old, and longer", "new"] {
                write_atomically(&path, text.as_bytes()).expect("it can be written");
                assert_eq!(read(&path), text);
            }
            std::fs::remove_file(path).expect("it is there");
        }
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn an_older_file_keeps_who_may_read_it_and_a_new_one_is_like_any_other() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mode = |name: &str| {
            let meta = std::fs::metadata(folder.path().join(name)).expect("it was written");
            meta.permissions().mode()
        };
        std::fs::write(folder.path().join("any"), "").expect("it can be written");
        write_atomically(&folder.path().join("new"), b"new").expect("it can be written");
        assert_eq!(mode("new"), mode("any"));
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "old").expect("it can be written");
        std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("it is ours");
        write_atomically(&secret, b"new").expect("it can be written");
        assert_eq!(mode("secret") & 0o777, 0o600);
    }

    #[test]
    fn a_link_of_another_account_is_refused() {
        if !rustix::process::geteuid().is_root() {
            // Past the test harness, which keeps what a test prints.
            let _ = writeln!(io::stderr(), "NOT TESTED without root: links of another account");
            return;
        }
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let [victim, link, pipe, program] =
            ["victim", "link", "pipe", "program"].map(|name| folder.path().join(name));
        std::fs::write(&victim, "precious").expect("it can be written");
        std::fs::write(&program, "old").expect("it can be written");
        std::fs::set_permissions(&program, Permissions::from_mode(0o4755)).expect("it is ours");
        std::os::unix::fs::symlink("victim", &link).expect("a link can be made");
        let here = File::open(folder.path()).expect("it is there");
        rustix::fs::mkfifoat(&here, "pipe", rustix::fs::Mode::from_bits_retain(0o666))
            .expect("it can be made");
        for path in [&link, &pipe] {
            std::os::unix::fs::lchown(path, Some(65_534), None).expect("root can give it away");
            let error = write_atomically(path, b"new").expect_err("it is refused").to_string();
            assert!(error.contains("belongs to another account"), "{error}");
        }
        assert_eq!(read(&victim), "precious");
        write_atomically(&program, b"new").expect("it can be written");
        let mode = std::fs::metadata(&program).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "what others left there does not run as its owner");
    }

    #[test]
    fn links_stay_links_and_what_is_no_file_is_not_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let [file, link, loose] = ["file", "link", "loose"].map(|name| folder.path().join(name));
        std::fs::write(&file, "old").expect("it can be written");
        std::os::unix::fs::symlink("file", &link).expect("a link can be made");
        std::os::unix::fs::symlink("later", &loose).expect("a link can be made");
        write_atomically(&link, b"new").expect("it can be written");
        write_atomically(&loose, b"new").expect("it can be written");
        assert_eq!((read(&file).as_str(), read(&loose).as_str()), ("new", "new"));
        assert!(link.is_symlink() && loose.is_symlink());
        write_atomically(Path::new("/dev/null"), b"gone").expect("it takes everything");
        assert!(!std::fs::metadata("/dev/null").expect("it is there").is_file());
        for no_file in
            [folder.path(), &folder.path().join("nowhere/file"), &file.join("below"), Path::new("")]
        {
            let error = write_atomically(no_file, b"x").expect_err("there is no such place").to_string();
            assert!(!error.contains(".topsell-"), "{}: {error}", no_file.display());
        }
        assert_eq!(names(folder.path()), ["file", "later", "link", "loose"]);
    }
}
