//! Item totals: the totals and ranks of every eligible item, published beside a ranking.
//!
//! Invariant: the pointer names a complete file, or does not exist; every rank in the file is the one
//! that the ranking by the same rules gives, however far down.
//!
//! ```text
//! totals/2017-01-15T00Z-1f0c….parquet   of the ranking of that name; see `parquet_format`
//! totals/current.json                   as that of the rankings
//! ```
//!
//! There are as many rows as items, so they are never all in memory. While the aggregates are read,
//! each part of the items is spilled to a scratch file ([`ItemTotalsWriter::add`]). Then each top-level
//! category is sorted, which gives the ranks in its categories; the sorted categories are merged, which
//! gives the ranks in the shop; and each category is written.

mod category_rows;
mod files;
mod reader;
mod shop_ranks;
mod spilled_part;
mod writer;

pub(super) use files::POINTER;
pub use reader::{ItemTotals, check as check_item_totals, expired_item_totals};
pub use writer::{ItemTotalsWriter, PublishedItemTotals};
