//! Why something cannot be done with a list.

use topsell_core::storage::{LockError, StoreError};

/// Something cannot be done with a list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(
        "`{name}` is not the name of a list: lower-case letters, digits, `.`, `_`, `-`, and `/` between levels"
    )]
    Name { name: String },
    #[error("the entry `{entry}` {what}")]
    Entry { entry: String, what: &'static str },
    /// A change that no list can take.
    #[error("the change {what}")]
    Change { what: String },
    /// An id of another change.
    #[error("the id `{id}` is that of another change; use a new id for each change")]
    OtherChange { id: String },
    #[error("there is no list `{name}`")]
    None { name: String },
    #[error("there is already a list `{name}`")]
    Exists { name: String },
    /// Its publishing changes it, nothing else.
    #[error("the list `{name}` is that of a ranking; publish one with `topsell rank`")]
    OfRanking { name: String },
    /// Another process writes the lists of the lake.
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{file} is damaged: {what}")]
    Damaged { file: String, what: String },
    #[error("{file} is of a newer version of topsell")]
    Newer { file: String },
    /// Nothing more is acknowledged until the list was read again.
    #[error("the change may not be durable: {what}")]
    NotDurable { what: String },
}

impl ListError {
    /// Returns whether a stored file is not as it was written.
    pub fn is_damage(&self) -> bool {
        match self {
            ListError::Damaged { .. } => true,
            ListError::Store(error) => error.is_damaged(),
            _ => false,
        }
    }
}
