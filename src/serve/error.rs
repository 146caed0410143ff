//! Why the server cannot run.

use std::io;
use std::net::SocketAddr;

use crate::live::CommitError;
use crate::log::LogError;
use crate::tls::TlsError;
use topsell_core::item_catalog::CatalogError;
use topsell_core::lake::LakeError;
use topsell_core::storage::{LockError, StoreError};
use topsell_lists::ListError;
use topsell_output::text::BadOption;

/// The server cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another server works on the lake.
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A record of the log was written by a newer version of the program.
    #[error(
        "the log has a record that cannot be read, {position}; start the version of topsell that wrote it"
    )]
    UnknownRecord { position: String },
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    /// What lists have where a request says nothing else cannot be used.
    #[error(transparent)]
    Defaults(BadOption),
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}
