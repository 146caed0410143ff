//! The workload: how much of everything there is.

/// The maximum number of leaves of a category tree.
const MAX_LEAVES: u32 = 1_000_000;
/// The maximum number of hours: ten years.
const MAX_HOURS: u32 = 87_600;
/// The maximum number of items; each takes about 40 bytes of memory.
const MAX_ITEMS: u32 = 1_000_000_000;
/// The maximum number of purchases.
const MAX_PURCHASES: u64 = 1_000_000_000_000;

/// The size of a shop and of its sales.
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

/// An invalid workload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    #[error("--{0} 0 is out of range; the minimum is 1")]
    None(&'static str),
    #[error("--{0} {1} is out of range; the maximum is {2}")]
    TooMany(&'static str, u64, u64),
    #[error("--leaves {leaves} is less than --tops {tops}, but each top-level category needs a leaf")]
    FewerLeavesThanTops { leaves: u32, tops: u32 },
}

impl Workload {
    /// Checks the numbers.
    ///
    /// # Errors
    /// Returns which option is out of range.
    pub fn check(&self) -> Result<(), WorkloadError> {
        let counts = [
            ("purchases", self.purchases, MAX_PURCHASES),
            ("items", u64::from(self.items), u64::from(MAX_ITEMS)),
            ("leaves", u64::from(self.leaves), u64::from(MAX_LEAVES)),
            ("tops", u64::from(self.tops), u64::from(MAX_LEAVES)),
            ("hours", u64::from(self.hours), u64::from(MAX_HOURS)),
        ];
        for (option, count, max) in counts {
            if count == 0 {
                return Err(WorkloadError::None(option));
            }
            if count > max {
                return Err(WorkloadError::TooMany(option, count, max));
            }
        }
        if self.leaves < self.tops {
            return Err(WorkloadError::FewerLeavesThanTops { leaves: self.leaves, tops: self.tops });
        }
        Ok(())
    }
}
