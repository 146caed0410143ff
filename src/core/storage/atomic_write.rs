//! Writes files of users, such as a report, atomically.
//!
//! Invariant: the name refers to the old content or to all of the new, never to a part of it.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The permissions of a new file, before the process's umask.
const MODE: u32 = 0o666;

/// Writes a file atomically, replacing an older one of that name, and syncs it; a device or a named pipe
/// is written to as it is.
///
/// # Errors
/// Fails where the disk does, or the path is that of a folder; an older file then stays as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (path, before) = match std::fs::metadata(path) {
        // The target of a link is replaced, not the link.
        Ok(before) => (path.canonicalize()?, Some(before)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (link_target(path)?, None),
        Err(error) => return Err(error),
    };
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::metadata(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".topsell-")
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)
        // Without the path: it has a random name that says nothing to the user.
        .map_err(|error| io::Error::from(error.kind()))?;
    if let Some(before) = before {
        file.as_file().set_permissions(before.permissions())?;
    }
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    File::open(folder)?.sync_all()
}

/// Returns the target of a dangling link; a path that is not a link is returned as it is.
fn link_target(path: &Path) -> io::Result<PathBuf> {
    match std::fs::read_link(path) {
        Ok(target) => Ok(path.parent().unwrap_or(Path::new("")).join(target)),
        Err(_) if path.file_name().is_none() => Err(io::ErrorKind::NotFound.into()),
        Err(_) => Ok(path.to_owned()),
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
