//! What can go wrong with a file, always with the file's name.

use std::error::Error;
use std::io;

/// A file could not be written, read or listed.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {}", reason(source.as_ref()))]
pub struct StoreError {
    path: String,
    source: Box<dyn Error + Send + Sync>,
}

impl StoreError {
    pub(super) fn new(path: &str, source: object_store::Error) -> StoreError {
        StoreError { path: path.to_owned(), source: source.into() }
    }

    pub(super) fn io(path: String, source: io::Error) -> StoreError {
        StoreError { path, source: source.into() }
    }

    pub(super) fn percent(path: &str) -> StoreError {
        StoreError {
            path: path.to_owned(),
            source: "has a `%` that reads like an escape, which the Delta library cannot find again; rename the folder".into(),
        }
    }

    pub(super) fn bad_path(path: &str) -> StoreError {
        StoreError { path: path.to_owned(), source: "is no path that this disk can name".into() }
    }

    /// Tells whether the file was just not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self.source.downcast_ref(), Some(object_store::Error::NotFound { .. }))
    }
}

/// Returns what the operating system said, where it said something; the layers between it and
/// this error only repeat the path.
fn reason(source: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut deepest: &(dyn Error + 'static) = source;
    let mut said = None;
    loop {
        if let Some(io) = deepest.downcast_ref::<io::Error>() {
            said = Some(io.to_string());
        }
        match deepest.source() {
            Some(next) => deepest = next,
            None => return said.unwrap_or_else(|| source.to_string()),
        }
    }
}
