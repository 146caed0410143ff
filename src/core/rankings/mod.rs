//! Published rankings: an immutable file each, and for each name a pointer to the one that it shows.
//!
//! Invariant: the pointer names a complete and checked file, or does not exist; a file that it has
//! named never changes.
//!
//! ```text
//! rankings/2017-01-15T00Z-5d0c…-1f0c….parquet    sorted by category and rank; see `parquet_format`; the name has the
//!                                          end of the window, the first digits of the hash of the rules, by which
//!                                          rankings are told apart without opening them, and those of the file
//! rankings/2017-01-15T00Z-5d0c…-1f0c….json       the pointer to it, to open it later
//! rankings/names/daily.json                the pointer of the name `daily`
//! rankings/current.json                    the pointer of the name `default`: {"schema":1,"file":…,"blake3":…,"size_bytes":…,"rows":…,
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
mod name;
mod pointer;
mod publication;
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
pub use name::{BadRankingName, RankingName, ranking_names, shown_file};
pub use pointer::current_file;
pub use publication::{Promote, Publication, Unmoved};
pub use publish::{Preview, Published, encode, preview, publish};
pub use recompute::{restore, rules_of};
pub use repair::{PublishedRepair, repair_published, restored_published};
pub use retained::{RetainedRanking, retained_rankings};
pub use retention::{RankingRetention, expired_rankings};
pub use snapshot::{Categories, Snapshot, newest_like};
