//! What can go wrong with a rollup.

use crate::delta::TableError;
use crate::lake::LakeError;
use crate::model::AggregateOverflow;
use crate::parquet_format::ColumnsError;
use crate::storage::StoreError;

/// The aggregates could not be computed, written or read.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    #[error(transparent)]
    Overflow(#[from] AggregateOverflow),
    #[error("{file} {source}")]
    Columns { file: String, source: ColumnsError },
    #[error("{file} is not in a partition event_type=…/category=…/date=…")]
    BadPartition { file: String },
    #[error("the lake already holds events or aggregates; name a new folder")]
    NotEmpty,
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
