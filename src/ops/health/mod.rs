//! The health of a lake for monitoring: status, assessment, metrics.
//!
//! Invariant: changes nothing and never reads the clock.

mod assessment;
mod metrics;
mod status;

pub use assessment::{Assessment, Health, Thresholds, assess};
pub use metrics::metrics;
pub use status::{Detail, LakeStatus, RankingStatus, Status, TableStatus, status};
