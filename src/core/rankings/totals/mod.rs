//! What every item comes to that ranks anywhere, published beside a ranking.
//!
//! Invariant: the pointer names a whole file, or is not there; every rank in it is the one that the
//! ranking by the same rules gives, however far down.
//!
//! ```text
//! totals/2017-01-15T00Z-1f0c….parquet   of the ranking of that name; see `columns`
//! totals/current.json                   as that of the rankings
//! ```
//!
//! There are as many rows as items, so they are never all in memory. While the aggregates are read, each
//! part of the items is set aside as it is ([`Draft::add`]). Then each top-level category is ordered,
//! which gives the ranks in its categories; their orders are merged, which gives the ranks in the
//! shop; and each is written.

mod draft;
mod merge;
mod order;
mod read;

use std::ops::Range;

use crate::rank::Everyone;

pub use draft::{Draft, PublishedTotals};
pub use read::{Totals, check as check_totals, old_totals};

const FOLDER: &str = "totals";
const POINTER: &str = "totals/current.json";

/// Some items of one top-level category, set aside.
struct Part {
    /// The first level; `None` for what counts shop-wide only.
    top: Option<String>,
    /// Which aggregates they were scored by.
    round: u32,
    /// Whether they count shop-wide whatever else there is of them.
    is_spread: bool,
    first_item: String,
    /// Where the packed rows lie.
    range: Range<u64>,
    /// What else there is to know of them; its rows are set aside.
    of: Everyone,
}
