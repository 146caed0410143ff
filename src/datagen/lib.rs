//! Made-up purchases of a large shop, to measure with: logs, or a lake of hourly aggregates.
//!
//! Invariant: the same arguments give the same purchases, whatever the machine, the clock or the
//! number of threads; memory grows with the items, not with the purchases.
//!
//! - Popularity follows Zipf's law with exponent 1.05, and says nothing about an item's id, its
//!   categories or its price.
//! - An item lies in one (70 %), two (20 %) or three (10 %) leaves of the category tree, drawn
//!   evenly, and has one price: log-normal, its median 6.65.
//! - Quantities are 1 (93 %), 2 (4 %), 3 (2 %) and, for returns, -1 (1 %); the amount is the price
//!   times the quantity.
//! - Hours begin at 2024-01-01T00:00:00Z; sales follow the hour of the day h in proportion to
//!   1 - 3/4 · cos(2π (h - 4) / 24): seven times as many at 16 as at 4.

mod aggregates;
mod hours;
mod logs;
mod popularity;
mod quantity;
mod random;
mod shop;

use topsell_core::lake::LakeError;
use topsell_core::rollup::RollupError;
use topsell_core::storage::{LockError, StoreError};

pub use aggregates::write_aggregates;
pub use logs::{Form, LogOptions, Written, write_logs};

/// Leaves that a tree may have.
const MAX_LEAVES: u32 = 1_000_000;
/// Hours that purchases may span: ten years.
const MAX_HOURS: u32 = 87_600;
/// Items that a shop may have; each takes about 40 bytes of memory.
const MAX_ITEMS: u32 = 1_000_000_000;
/// Purchases that may be asked for.
const MAX_PURCHASES: u64 = 1_000_000_000_000;

/// How much of everything there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    pub purchases: u64,
    pub items: u32,
    /// Leaf paths of the category tree.
    pub leaves: u32,
    /// Top-level categories.
    pub tops: u32,
    pub hours: u32,
    pub seed: u64,
}

/// A workload makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    #[error("--{0} 0 leaves nothing to make; write at least 1")]
    None(&'static str),
    #[error("--{0} {1} is more than the {2} that can be made")]
    TooMany(&'static str, u64, u64),
    #[error("--leaves {leaves} is less than --tops {tops}; each top-level category has a leaf")]
    FewerLeavesThanTops { leaves: u32, tops: u32 },
}

/// Purchases could not be written.
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
}

impl Workload {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// Names the option.
    pub fn check(&self) -> Result<(), WorkloadError> {
        let counts = [
            ("purchases", self.purchases, MAX_PURCHASES),
            ("items", u64::from(self.items), u64::from(MAX_ITEMS)),
            ("leaves", u64::from(self.leaves), u64::from(MAX_LEAVES)),
            ("tops", u64::from(self.tops), u64::from(MAX_LEAVES)),
            ("hours", u64::from(self.hours), u64::from(MAX_HOURS)),
        ];
        for (option, count, most) in counts {
            if count == 0 {
                return Err(WorkloadError::None(option));
            }
            if count > most {
                return Err(WorkloadError::TooMany(option, count, most));
            }
        }
        if self.leaves < self.tops {
            return Err(WorkloadError::FewerLeavesThanTops { leaves: self.leaves, tops: self.tops });
        }
        Ok(())
    }
}
