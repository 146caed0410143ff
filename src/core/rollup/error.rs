//! What can go wrong with a rollup.

use std::collections::BTreeMap;

use crate::delta::TableError;
use crate::lake::LakeError;
use crate::model::{AggregateOverflow, Hour, escape_control};
use crate::parquet_format::ColumnsError;
use crate::storage::StoreError;

/// The aggregates could not be computed, written or read.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    #[error(transparent)]
    Overflow(#[from] AggregateOverflow),
    #[error("{file} {source}")]
    Columns { file: String, source: ColumnsError },
    #[error("{file} is not in a partition event_type=…/category_group=…/date=…")]
    BadPartition { file: String },
    #[error("the lake already holds events or aggregates; name a new folder")]
    NotEmpty,
    #[error(
        "the aggregates of {} are not what their events add up to, though these did not change since: {}",
        counted_hours(differing),
        first_hours(differing)
    )]
    Differing { differing: BTreeMap<(Hour, String), u64> },
    #[error("the table `rollups` has changed since this rollup was planned")]
    ChangedMeanwhile,
    #[error("the outcome of a part of a rollup has an unexpected form")]
    UnknownOutcome,
    #[error("version {version} of the table `events` was removed while it was read; try again")]
    VersionGone { version: u64 },
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RollupError {
    /// Returns whether the disk is full.
    pub fn is_full(&self) -> bool {
        match self {
            RollupError::Lake(error) => error.is_full(),
            RollupError::Table(error) => error.is_full(),
            RollupError::Store(error) => error.is_full(),
            _ => false,
        }
    }
}

fn counted_hours(differing: &BTreeMap<(Hour, String), u64>) -> String {
    match differing.len() {
        1 => "1 hour".to_owned(),
        hours => format!("{hours} hours"),
    }
}

fn first_hours(differing: &BTreeMap<(Hour, String), u64>) -> String {
    const LISTED: usize = 3;
    let listed = differing.keys().take(LISTED);
    let listed: Vec<String> =
        listed.map(|(hour, of)| format!("{} {}", hour.start(), escape_control(of))).collect();
    let more = if differing.len() > LISTED { ", …" } else { "" };
    format!("{}{more}", listed.join(", "))
}
