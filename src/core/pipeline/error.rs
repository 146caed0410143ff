//! Why a step failed, and how recent the sales must be for a ranking not to fail.

use std::io;
use std::path::PathBuf;

use crate::distributed::DistributedError;
use crate::item_catalog::CatalogError;
use crate::lake::LakeError;
use crate::model::{Hour, Timestamp, format_duration};
use crate::rankings::SnapshotError;
use crate::rollup::RollupError;
use crate::storage::LockError;

/// How recent the sales must be for a ranking to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The end of the ranking's window.
    pub until: Timestamp,
    /// How long before that moment the newest hour of sales may end.
    pub max_lag_seconds: u64,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Rollup(#[from] RollupError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Distributed(#[from] DistributedError),
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file outside of the lake cannot be written.
    #[error("{}: {source}", .file.display())]
    Output { file: PathBuf, source: io::Error },
    /// The newest sales are too old.
    #[error("{}", stale_text(.newest.as_ref(), .freshness))]
    Stale { newest: Option<Hour>, freshness: Freshness },
}

impl Freshness {
    pub(super) fn check(self, newest: Option<Hour>) -> Result<(), StepError> {
        let lag = newest.map(|hour| self.until.seconds_since(hour.plus(1).start()));
        match lag {
            Some(lag) if lag <= self.max_lag_seconds => Ok(()),
            _ => Err(StepError::Stale { newest, freshness: self }),
        }
    }
}

fn stale_text(newest: Option<&Hour>, freshness: &Freshness) -> String {
    let until = freshness.until;
    let Some(end) = newest.map(|hour| hour.plus(1).start()) else {
        return format!("there are no sales before {until}, so there is nothing to publish");
    };
    let lag = format_duration(until.seconds_since(end));
    let allowed = format_duration(freshness.max_lag_seconds);
    format!(
        "the newest hour of sales ended {end}, {lag} before {until}, and the limit is {allowed} (--max-lag)"
    )
}
