//! Reads files only if no untrusted account could have written them.
//!
//! Invariant: owner and permissions are checked on the open file, so that it cannot be replaced in between.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::geteuid;

use crate::job_spec::error::JobError;
use topsell_core::storage::local_files::{Links, Metadata, is_link_error, open_nonblocking};

const MAX_BYTES: u64 = 4 << 20;
/// Smaller for files of other accounts, which root reads.
const MAX_OWN_BYTES: u64 = 64 << 10;
/// Write permission for group and others.
const OTHERS_WRITE: u32 = 0o022;

/// The accounts that may own a file.
#[derive(Default)]
pub(super) struct TrustedOwner {
    /// Only this account, and only as a regular file; `None` is this process's account or root.
    pub only: Option<u32>,
}

impl TrustedOwner {
    /// Checks owner and permissions of a file or folder.
    pub fn check(&self, path: &Path, seen: &Metadata) -> Result<(), JobError> {
        let refuse = |why: String| Err(JobError::Untrusted { file: path.to_owned(), why });
        if seen.mode() & OTHERS_WRITE != 0 {
            let mode = seen.mode() & 0o7777;
            return refuse(format!(
                "writable by group or others (mode {mode:o}), who could change what runs; run `chmod go-w`"
            ));
        }
        match self.only {
            Some(uid) if seen.uid() != uid => refuse(format!(
                "owned by uid {}, expected the owner of the home folder, uid {uid}",
                seen.uid()
            )),
            // A hard link elsewhere may be controlled by another account.
            Some(_) if seen.nlink() > 1 => refuse("has more than one hard link".to_owned()),
            None if ![0, geteuid().as_raw()].contains(&seen.uid()) => {
                refuse(format!("owned by uid {}, expected root or the current user", seen.uid()))
            }
            _ => Ok(()),
        }
    }
}

/// Returns the text of a file that only a trusted account could have written.
pub(super) fn read_text(path: &Path, owner: &TrustedOwner) -> Result<String, JobError> {
    let unreadable = |source| JobError::Unreadable { file: path.to_owned(), source };
    let bad = |what: &str| unreadable(io::Error::other(what.to_owned()));
    // Opening a pipe must not block; the target of a link in a home folder is chosen by its owner.
    let links = if owner.only.is_some() { Links::Refuse } else { Links::Follow };
    let file = open_nonblocking(path, links).map_err(|error| match is_link_error(&error) {
        true => bad("symbolic links are not allowed here"),
        false => unreadable(error),
    })?;
    let seen = file.metadata().map_err(unreadable)?;
    if !seen.is_file() {
        return Err(bad("not a regular file"));
    }
    owner.check(path, &seen)?;
    let mut bytes = Vec::new();
    let max = if owner.only.is_some() { MAX_OWN_BYTES } else { MAX_BYTES };
    file.take(max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > max {
        return Err(bad(&format!("larger than {} KiB", max >> 10)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        JobError::Invalid { file: path.to_owned(), line, column: 1, what: "not valid UTF-8".to_owned() }
    })
}
