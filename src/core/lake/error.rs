//! What can go wrong with a lake.

use crate::delta::TableError;
use crate::parquet_format::ColumnsError;
use crate::storage::StoreError;

/// A lake could not be opened, read or added to.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    #[error("there is no lake in {lake}")]
    Missing { lake: String },
    #[error("{folder} is not empty, and what it holds is no lake")]
    NotALake { folder: String },
    #[error("this lake cuts long inputs into slices of {lake} bytes, not {asked}")]
    OtherSlices { asked: u64, lake: u64 },
    #[error("the lake's setting {name} is {value:?}, which is no number")]
    BadSetting { name: &'static str, value: String },
    #[error("{file}: {what}")]
    BadSettings { file: String, what: String },
    #[error("{file} {source}")]
    Columns { file: String, source: ColumnsError },
    #[error("{file} lies in no partition of a known form")]
    BadPartition { file: String },
    #[error("{file} would not have as many rows as the files it merges")]
    LostRows { file: String },
    #[error("other writers kept coming first, {tries} times over")]
    Contended { tries: u32 },
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
