//! How a lake fares: what a monitor asks, as facts, as one line, as metrics.
//!
//! Invariant: nothing here changes anything, or asks what time it is.

mod facts;
mod metrics;
mod verdict;

pub use facts::{Facts, LakeFacts, Look, RankingFacts, TableFacts, facts};
pub use metrics::metrics;
pub use verdict::{Health, Limits, Verdict, verdict};
