//! Errors of files, each with the file's name.

use std::error::Error;
use std::io;
use std::sync::Arc;

/// A file could not be written, read or listed.
#[derive(Debug, thiserror::Error)]
#[error("{path}{}", reason(source.as_ref()))]
pub struct StoreError {
    path: String,
    source: Box<dyn Error + Send + Sync>,
}

impl StoreError {
    pub(super) fn new(path: &str, source: object_store::Error) -> StoreError {
        StoreError { path: path.to_owned(), source: source.into() }
    }

    pub(super) fn shared(path: &str, source: Arc<object_store::Error>) -> StoreError {
        StoreError { path: path.to_owned(), source: Box::new(source) }
    }

    pub(super) fn io(path: String, source: io::Error) -> StoreError {
        StoreError { path, source: source.into() }
    }

    pub(super) fn percent(path: &str) -> StoreError {
        StoreError {
            path: path.to_owned(),
            source: "contains a URL escape such as `%20`, which the Delta library decodes; rename the folder"
                .into(),
        }
    }

    pub(super) fn unknown_scheme(url: &str) -> StoreError {
        StoreError {
            path: url.to_owned(),
            source: "is a URL of an unknown scheme; write `s3://bucket/prefix`, or the path of a folder"
                .into(),
        }
    }

    pub(super) fn bad_bucket(url: &str) -> StoreError {
        StoreError {
            path: url.to_owned(),
            source: "does not have the name of a bucket; write `s3://bucket/prefix`".into(),
        }
    }

    pub(super) fn lost_lock(path: String) -> StoreError {
        let what = "was not written: another run has taken over the lock of the lake; run the command again";
        StoreError { path, source: what.into() }
    }

    pub(super) fn bad_path(path: &str) -> StoreError {
        StoreError {
            path: path.to_owned(),
            source: "is not a valid path: a path must be UTF-8 without empty, `.` and `..` parts".into(),
        }
    }

    pub(super) fn damaged(path: String) -> StoreError {
        StoreError { path, source: Box::new(Damaged) }
    }

    /// Returns whether the file has other bytes than were written.
    pub fn is_damaged(&self) -> bool {
        self.source.is::<Damaged>()
    }

    /// Returns whether the disk, or this account's share of it, is full.
    pub fn is_full(&self) -> bool {
        is_full_disk(self.source.as_ref())
    }

    /// Returns whether the disk or its permissions keep the file from being read: it may be intact.
    pub fn is_out_of_reach(&self) -> bool {
        let first: &(dyn Error + 'static) = self.source.as_ref();
        let mut causes = std::iter::successors(Some(first), |&cause| cause.source());
        let is_of_reach = |cause: &(dyn Error + 'static)| {
            let of_bucket = matches!(
                cause.downcast_ref(),
                Some(
                    object_store::Error::Generic { store: "S3", .. }
                        | object_store::Error::PermissionDenied { .. }
                        | object_store::Error::Unauthenticated { .. }
                )
            );
            of_bucket || cause.is::<io::Error>()
        };
        !self.is_damaged() && !self.is_not_found() && causes.any(is_of_reach)
    }

    /// Returns whether the file does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.source.downcast_ref(), Some(object_store::Error::NotFound { .. }))
    }
}

/// Returns whether an error, or what caused it, says that the disk is full.
pub fn is_full_disk(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

/// A file has other bytes than were written.
#[derive(Debug, thiserror::Error)]
#[error("its bytes do not have the checksum with which they were written")]
struct Damaged;

/// Returns what is said behind the path: the operating system's message where there is one; the layers
/// between it and this error only repeat the path.
fn reason(source: &(dyn Error + Send + Sync + 'static)) -> String {
    if source.is::<Damaged>() {
        return format!(" is damaged: {source}");
    }
    let mut deepest: &(dyn Error + 'static) = source;
    let mut message = None;
    loop {
        if let Some(io) = deepest.downcast_ref::<io::Error>() {
            message = Some(io.to_string());
        }
        match deepest.source() {
            Some(next) => deepest = next,
            None => return format!(": {}", message.unwrap_or_else(|| source.to_string())),
        }
    }
}
