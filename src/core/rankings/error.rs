//! Why a ranking could not be published or opened.

use crate::model::AggregateOverflow;
use crate::parquet_format::ColumnsError;
use crate::storage::StoreError;

/// A ranking could not be published or opened.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("there is no ranking in this lake yet")]
    None,
    #[error("no item is eligible in the hours looked at, so there is nothing to publish")]
    Empty,
    #[error("{file} is damaged: {what}")]
    Damaged { file: String, what: String },
    #[error("{file} {source}")]
    Columns { file: String, source: ColumnsError },
    #[error(transparent)]
    Overflow(#[from] AggregateOverflow),
    #[error(transparent)]
    Store(#[from] StoreError),
}
