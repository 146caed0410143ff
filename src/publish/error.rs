//! Errors of a publication, each with the target's name, in which no password is.

use topsell_core::model::{Timestamp, escape_control};
use topsell_core::rankings::SnapshotError;
use topsell_core::storage::StoreError;

/// A ranking could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The ranking cannot be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A file of the target, or the lake's note about it, cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The target does not answer, or answers with an error.
    #[error("{target}: {what}")]
    Failed { target: String, what: String },
    /// The target wants another user or password.
    #[error("{target}: {what}")]
    Denied { target: String, what: String },
    /// What is there was not written by this command.
    #[error("{target}: {what}")]
    OtherProgram { target: String, what: String },
    #[error("{target} has the ranking as of {held}, and the one to publish is as of {ours}")]
    Newer { target: String, held: Timestamp, ours: Timestamp },
    #[error("{target}: another run is publishing there: {holder}")]
    Busy { target: String, holder: String },
    #[error("{target}: {what} does not read back as it was written")]
    Differs { target: String, what: String },
}

impl PublishError {
    pub(crate) fn failed(target: &str, what: &str) -> PublishError {
        PublishError::Failed { target: target.to_owned(), what: escape_control(what) }
    }

    pub(crate) fn differs(target: &str, what: &str) -> PublishError {
        PublishError::Differs { target: target.to_owned(), what: what.to_string() }
    }
}
