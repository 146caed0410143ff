//! Why bytes are not the Parquet that they should be.

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

/// A file is not the Parquet that it should be.
#[derive(Debug, thiserror::Error)]
pub enum ColumnsError {
    #[error("is not a readable Parquet file: {0}")]
    Unreadable(String),
    #[error("has no column `{0}` of the type that topsell writes")]
    Column(&'static str),
    #[error("is not sorted by item_id, as topsell writes it")]
    Unsorted,
    #[error("cannot be written as Parquet: {0}")]
    Unwritable(String),
}

impl From<ParquetError> for ColumnsError {
    fn from(error: ParquetError) -> ColumnsError {
        ColumnsError::Unreadable(error.to_string())
    }
}

impl From<ArrowError> for ColumnsError {
    fn from(error: ArrowError) -> ColumnsError {
        ColumnsError::Unreadable(error.to_string())
    }
}
