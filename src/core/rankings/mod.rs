//! Published rankings: an immutable file each, and a pointer to the newest.
//!
//! Invariant: the pointer names a complete and checked file, or does not exist; a file that it has
//! named never changes.
//!
//! ```text
//! rankings/2017-01-15T00Z-1f0c….parquet    sorted by category and rank; see `parquet_format`
//! rankings/2017-01-15T00Z-1f0c….json       the pointer that named it, to open it later
//! rankings/current.json                    {"schema":1,"file":…,"blake3":…,"size_bytes":…,"rows":…,
//!                                           "as_of":…,"footer":{"size_bytes":…,"blake3":…}}
//! ```
//!
//! `blake3` and `size_bytes` are of the whole file, `footer` of its end, from where the Parquet
//! metadata begins. The metadata has a hash of each row group. So an answer reads three things, the
//! pointer, the footer and one row group, and shows nothing that it has not checked. Where the footer
//! is not the one in the pointer, or an older pointer has none, the whole file is read and checked
//! instead.

// Floating-point sums depend on their order.
#![cfg_attr(not(test), deny(clippy::float_arithmetic))]

mod cache;
mod check;
mod error;
mod item_totals;
mod metadata;
mod pointer;
mod publish;
mod recompute;
mod repair;
mod retained;
mod retention;
mod row_groups;
mod snapshot;
#[cfg(test)]
mod tests;

pub use cache::RankingCache;
pub use check::{PublishedCheck, PublishedFile, check_published};
pub use error::SnapshotError;
pub use item_totals::{ItemTotals, ItemTotalsWriter, PublishedItemTotals, expired_item_totals};
pub use metadata::{DaysMetadata, RankingMetadata};
pub use pointer::current_file;
pub use publish::{Published, publish};
pub use recompute::{restore, rules_of};
pub use repair::{PublishedRepair, repair_published, restored_published};
pub use retained::{RetainedRanking, retained_rankings};
pub use retention::{RankingRetention, expired_rankings};
pub use snapshot::{Categories, Snapshot};
