//! Synthetic purchases of a large shop for benchmarks: logs, or a lake of hourly aggregates.
//!
//! Invariant: the same arguments give the same purchases, whatever the machine, the clock or the number
//! of threads; memory grows with the number of items, not of purchases.
//!
//! - Popularity follows Zipf's law with exponent 1.05, and is independent of an item's id, categories
//!   and price.
//! - An item is in one (70 %), two (20 %) or three (10 %) leaves of the category tree, uniformly drawn,
//!   and has one price: log-normal, with median 6.65.
//! - Quantities are 1 (93 %), 2 (4 %), 3 (2 %) and, for returns, -1 (1 %); the amount is the price times
//!   the quantity.
//! - Hours start at 2024-01-01T00:00:00Z; sales by the hour of the day h are proportional to
//!   1 - 3/4 · cos(2π (h - 4) / 24): seven times as many at 16 as at 4.

mod aggregates;
mod error;
mod hours;
mod logs;
mod numbers;
mod old_lake;
mod popularity;
mod quantities;
mod random;
mod shop;
mod workload;

pub use aggregates::write_aggregates;
pub use error::DatagenError;
pub use logs::{LogFormat, LogOptions, LogSpan, WrittenLogs, write_logs};
pub use old_lake::write_old_lake;
pub use workload::{Workload, WorkloadError};
