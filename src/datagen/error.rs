//! Why synthetic purchases cannot be written.

use crate::workload::WorkloadError;
use topsell_core::lake::LakeError;
use topsell_core::pipeline::StepError;
use topsell_core::rollup::RollupError;
use topsell_core::storage::{LockError, StoreError};

/// Synthetic purchases that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum DatagenError {
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Rollup(#[from] RollupError),
    #[error(transparent)]
    Step(#[from] StepError),
}
