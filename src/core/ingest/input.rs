//! One input of an ingest: a file, or standard input.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::ingest::log_object::LogObject;
use crate::ingest::stdin_stream::StdinStream;
use crate::input_format::{
    Format, Source, SourceError, TextOptions, open_file, open_stream, without_rotation,
};
use crate::lake::InputKey;
use crate::progress::Progress;
use crate::storage::Directory;
use crate::storage::local_files::{self, File, Metadata, is_missing};

/// One input to read.
#[derive(Clone, Debug)]
pub struct Input {
    /// The path as it was given, or as it was found in a given folder; `-` for standard input.
    pub name: String,
    /// `None` for standard input.
    path: Option<PathBuf>,
    format: Option<Format>,
    pub size_bytes: Option<u64>,
    /// Where a spool file is.
    spooled: Option<Spooled>,
    /// Where a log in a bucket is.
    object: Option<LogObject>,
}

/// A file of a spool folder.
#[derive(Clone, Debug)]
struct Spooled {
    folder: Arc<Directory>,
    name: OsString,
    /// The state of the file when it was found.
    stamp: Option<FileStamp>,
}

/// The state of a file, by which a change of it is detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileStamp {
    size_bytes: u64,
    modified: SystemTime,
}

impl Input {
    /// Returns standard input.
    pub(super) fn stdin(format: Option<Format>) -> Input {
        Input { name: "-".into(), path: None, format, size_bytes: None, spooled: None, object: None }
    }

    /// Returns a file.
    pub(super) fn file(path: &Path, format: Option<Format>, meta: &Metadata) -> Input {
        Input {
            name: path.display().to_string(),
            path: Some(path.to_owned()),
            format,
            size_bytes: meta.is_file().then_some(meta.len()),
            spooled: None,
            object: None,
        }
    }

    /// Returns a log in a bucket.
    pub(super) fn object(url: &Path, format: Option<Format>, size_bytes: u64, object: LogObject) -> Input {
        Input {
            name: url.display().to_string(),
            path: Some(url.to_owned()),
            format,
            size_bytes: Some(size_bytes),
            spooled: None,
            object: Some(object),
        }
    }

    /// Returns a file of a spool folder; `meta` is not that of a link's target.
    pub(super) fn spool_file(
        folder: &Arc<Directory>,
        name: &OsStr,
        format: Option<Format>,
        meta: Option<&Metadata>,
    ) -> Input {
        let path = folder.path().join(name);
        let stamp = meta.and_then(FileStamp::of);
        Input {
            name: path.display().to_string(),
            path: Some(path),
            format,
            size_bytes: meta.map(Metadata::len),
            spooled: Some(Spooled { folder: Arc::clone(folder), name: name.to_owned(), stamp }),
            object: None,
        }
    }

    /// Returns the path of a file.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns the keys of a file that may grow: of its name without what a rotation appends, and of its
    /// number on its file system; none of anything else.
    pub(super) fn keys(&self) -> Vec<InputKey> {
        if let Some(object) = &self.object {
            return object.keys();
        }
        let Some(path) = self.path() else { return Vec::new() };
        let found = match &self.spooled {
            None => local_files::canonicalize(path).and_then(|real| Ok((real, local_files::metadata(path)?))),
            // Not the keys of a link's target.
            Some(Spooled { folder, name, .. }) => local_files::canonicalize(folder.path())
                .and_then(|real| Ok((real.join(name), local_files::link_metadata(path)?))),
        };
        let Ok((real, meta)) = found else { return Vec::new() };
        if !meta.is_file() {
            return Vec::new();
        }
        let (device, inode) = local_files::inode(&meta);
        vec![InputKey::of_name(&without_rotation(&real)), InputKey::of_inode(device, inode)]
    }

    /// Returns the key of this version of a log in a bucket.
    pub(super) fn version_key(&self) -> Option<InputKey> {
        self.object.as_ref().map(LogObject::version_key)
    }

    /// Returns whether a spool file has changed since it was found.
    pub(super) fn has_changed(&self) -> bool {
        let stamp = self.spooled.as_ref().and_then(|spooled| spooled.stamp);
        self.path().is_some_and(|path| FileStamp::has_changed(stamp, path))
    }

    /// Returns whether the file no longer exists.
    pub(super) fn is_gone(&self) -> bool {
        self.path().is_some_and(is_missing)
    }

    /// Returns whether the input is a spool file.
    pub(super) fn is_spool_file(&self) -> bool {
        self.spooled.is_some()
    }

    /// Opens the file from its start.
    ///
    /// # Errors
    /// As the operating system does; of a spool folder, only a regular file is opened.
    pub(super) fn open_file(&self) -> io::Result<File> {
        if let Some(object) = &self.object {
            return object.open();
        }
        match (&self.spooled, &self.path) {
            (Some(Spooled { folder, name, .. }), _) => folder.open_file(name),
            (None, Some(path)) => local_files::open(path),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Moves a spool file into a folder of its spool folder, and returns whether it still existed.
    ///
    /// # Errors
    /// As the operating system does; the file then stays where it was.
    pub(super) fn move_to(&self, destination: &str) -> io::Result<bool> {
        let Some(Spooled { folder, name, .. }) = &self.spooled else { return Ok(false) };
        Ok(folder.move_to(name, destination)?.is_some())
    }

    /// Opens the input; without a stream, standard input is empty.
    ///
    /// # Errors
    /// Fails where the input cannot be read.
    pub(super) fn open<'a>(
        &self,
        stdin: Option<&'a StdinStream>,
        options: TextOptions<'_>,
        progress: &'a Progress,
    ) -> Result<Source<'a>, SourceError> {
        match (&self.path, self.format) {
            // What another program writes has no name that could tell its format.
            (Some(_), None) if self.size_bytes.is_none() && self.spooled.is_none() => {
                open_stream(self.open_file()?, None, options, progress)
            }
            (Some(_), format) => open_file(|| self.open_file(), format, options, progress),
            (None, format) => match stdin {
                Some(stdin) => open_stream(stdin, format, options, progress),
                None => open_stream(io::empty(), format, options, progress),
            },
        }
    }
}

impl FileStamp {
    fn of(meta: &Metadata) -> Option<FileStamp> {
        Some(FileStamp { size_bytes: meta.len(), modified: meta.modified().ok()? })
    }

    /// Returns whether the file at a path has another state; a file that is gone has not changed.
    fn has_changed(was: Option<FileStamp>, path: &Path) -> bool {
        let is = local_files::link_metadata(path).ok().as_ref().and_then(FileStamp::of);
        was != is && !is_missing(path)
    }
}
