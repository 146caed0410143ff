//! Errors of a lake.

use crate::delta::TableError;
use crate::model::{Currency, Timestamp};
use crate::parquet_format::ColumnsError;
use crate::storage::StoreError;

/// A lake could not be opened, read or added to.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    #[error("there is no lake in {lake}")]
    Missing { lake: String },
    #[error("{lake} has the lake format {found}, and this program reads and writes format {supported} only")]
    OlderFormat { lake: String, found: u32, supported: u32 },
    #[error(
        "{lake} has the lake format {found}, which is newer than format {supported}, the newest that this program knows"
    )]
    NewerFormat { lake: String, found: u32, supported: u32 },
    #[error("{file} is damaged: it does not hold the version of the lake's format, such as {{\"format\":1}}")]
    BadFormatFile { file: String },
    #[error("{folder} is not empty and is not a lake")]
    NotALake { folder: String },
    #[error("the lake's slice size is {lake} bytes, not {asked}")]
    OtherSlices { asked: u64, lake: u64 },
    #[error("the table property {name} of the lake is {value:?}, which is not a number")]
    BadSetting { name: &'static str, value: String },
    #[error("{file}: {what}")]
    BadSettings { file: String, what: String },
    #[error("{file} {source}")]
    Columns { file: String, source: ColumnsError },
    #[error("{file} is damaged: line {number} does not have the checksum with which it was written")]
    DamagedInputs { file: String, number: usize },
    #[error("{file} is in a partition of an unknown form")]
    BadPartition { file: String },
    #[error("{file} would not have as many rows as the files that it replaces")]
    LostRows { file: String },
    #[error(
        "the amounts of the lake are in {lake}, and those to be added in {found}; they cannot be added up"
    )]
    OtherCurrency { lake: Currency, found: Currency },
    #[error(
        "it is {now} by the clock of this machine, more than a week after the newest event and the newest \
         file of the lake, {newest}"
    )]
    ClockAhead { now: Timestamp, newest: Timestamp },
    #[error("{expiring} of {rows} rows, more than half of the lake, are of hours before {oldest}")]
    MostWouldExpire { expiring: u64, rows: u64, oldest: Timestamp },
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LakeError {
    /// Returns whether the disk is full.
    pub fn is_full(&self) -> bool {
        match self {
            LakeError::Table(error) => error.is_full(),
            LakeError::Store(error) => error.is_full(),
            _ => false,
        }
    }

    /// Returns whether nothing failed, and something was not done because it looks like a mistake.
    pub fn is_refusal(&self) -> bool {
        matches!(self, LakeError::ClockAhead { .. } | LakeError::MostWouldExpire { .. })
    }
}
